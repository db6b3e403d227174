"""The first look at mail that was just delivered: nothing is read again that the deliverer has seen."""

import imaplib

import pytest

from fakes.mail_system import USER, MailSystem, until
from pillarbox.mailstore.arrivals import FILE_NAME, parse_notes

pytestmark = pytest.mark.system

MESSAGE = (
    "From: Ann <ann@example.test>\nTo: me\nSubject: number {}\nMIME-Version: 1.0\n\nthe first words of {}\n"
)


def test_envelopes_of_new_mail_are_told_without_opening_it(mail_system: MailSystem) -> None:
    """Messages that nobody may read are listed, searched and sorted by what their delivery agent has noted."""
    port = mail_system.port("imap")
    with imaplib.IMAP4("127.0.0.1", port, timeout=60) as client:
        client.login(USER, mail_system.password)
        client.select()
    for number in range(3):
        mail_system.send(MESSAGE.format(number, number).encode())
    notes = mail_system.maildir() / FILE_NAME
    until(lambda: len(parse_notes(notes.read_bytes())[0]) == 3, what="all are noted")
    for path in mail_system.delivered():
        path.chmod(0)

    with imaplib.IMAP4("127.0.0.1", port, timeout=60) as client:
        client.login(USER, mail_system.password)
        assert client.select() == ("OK", [b"3"])
        items = "(ENVELOPE BODYSTRUCTURE RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS (SUBJECT)] PREVIEW)"
        status, told = client.fetch("1:3", items)
        assert status == "OK"
        text = b"".join(b"".join(part) if isinstance(part, tuple) else part or b"" for part in told)
        for number in range(3):
            assert b"the first words of %d" % number in text
            assert b"Subject: number %d" % number in text
        assert client.search(None, "SUBJECT", '"number 1"')[1] == [b"2"]
        assert client.sort("(REVERSE SUBJECT)", "US-ASCII", "ALL")[1] == [b"3 2 1"]
        assert client.fetch("1", "(BODY.PEEK[TEXT])")[0] == "NO"  # it is true that nobody may read them
    for path in mail_system.delivered():
        path.unlink()
