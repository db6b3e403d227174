"""The first look at mail that was just delivered: nothing is read again that the deliverer has seen."""

import imaplib
import os
from contextlib import closing

import apsw
import pytest

from fakes.mail_system import USER, MailSystem, until
from pillarbox.mailstore.cache import text_index
from pillarbox.mailstore.cache.arrivals import FILE_NAME, parse_notes

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
    until(lambda: notes.exists() and len(parse_notes(notes.read_bytes())[0]) == 3, what="all are noted")
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


def test_bodies_are_searched_by_an_index_that_indexers_make(mail_system: MailSystem) -> None:
    """After the first search nobody needs to read messages that do not hold the text, in any later session."""
    cur = mail_system.maildir() / "cur"
    owner = cur.stat()
    paths = [cur / f"{1_700_000_000 + number}.M{number}P1.host:2," for number in range(300)]
    for number, path in enumerate(paths):
        path.write_text(MESSAGE.format(number, f"rare{number}word" if number % 100 == 7 else "many"))
        os.chown(path, owner.st_uid, owner.st_gid)

    def search(*key: str) -> list[bytes]:
        with imaplib.IMAP4("127.0.0.1", mail_system.port("imap"), timeout=60) as client:
            client.login(USER, mail_system.password)
            client.select(readonly=True)
            found: bytes = client.search(None, *key)[1][0]
            return found.split()

    assert search("BODY", "e7wor") == [b"8"]
    index = mail_system.maildir() / text_index.FILE_NAME

    def indexed() -> int:
        try:
            with closing(apsw.Connection(str(index), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
                return sum(count for (count,) in connection.execute("SELECT length(uids) / 4 FROM segment"))
        except apsw.Error:  # it is just being made
            return 0

    until(lambda: indexed() == 300, what="all are indexed")
    for number, path in enumerate(paths):
        if number % 100 != 7:
            path.chmod(0)
    assert search("BODY", "e7wor") == [b"8"]
    assert search("TEXT", "RARE107") == [b"108"]
    assert search("SUBJECT", '"number 20"') == [b"21", *(b"%d" % number for number in range(201, 211))]
    for path in paths:
        path.chmod(0o600)
    for number in range(300, 305):
        paths.append(cur / f"{1_700_000_000 + number}.M{number}P1.host:2,")
        paths[-1].write_text(MESSAGE.format(number, "rarer"))
        os.chown(paths[-1], owner.st_uid, owner.st_gid)
    done = mail_system.doveadm("index", "-u", USER, "INBOX")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    until(lambda: indexed() == 305, what="the new ones are indexed")
    for path in paths:
        path.unlink()
