"""The mail_log plugin: the same lines of what becomes of messages and mailboxes as from Debian's Dovecot.

A message that comes by LMTP has no UID in our line: it gets one when a session, or doveadm, sees it first.
"""

import poplib
import re

import pytest

from fakes.dovecot_pair import Server, dovecot_pair, play
from fakes.mail_system import PATIENCE, until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS = """\
protocols = imap pop3 lmtp
mail_plugins = $mail_plugins notify mail_log
mail_location = maildir:~/Maildir
service pop3-login {
  inet_listener pop3 {
    port = {pop3}
  }
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Old {
    auto = create
    autoexpunge = 1d
    autoexpunge_max_mails = 1
  }
}
plugin {
  CHOSEN
}
"""
EVERYTHING = """\
mail_log_events = delete undelete, expunge save copy mailbox_create mailbox_delete mailbox_rename flag_change
  mail_log_fields = uid, box, msgid, size, vsize, from, subject, flags"""
FIRST = b"From: =?utf-8?q?J=C3=B6rg?= <j@x>,\r\n k@x\r\nSubject: hi\r\n =?utf-8?q?there?= \x07\r\nMessage-ID: <1@x>\r\n\r\nbody\r\n"
SECOND = b"subject: %b\r\nmessage-id:\r\n <%b@x>\r\n\r\nx\r\n" % (b"\xc3\xbc" * 70, b"y" * 100)
THIRD = b"nothing"
SCRIPT: list[bytes | tuple[bytes, bytes]] = [
    b"CREATE A",
    b"CREATE Gr&APw-n",
    b"CREATE x/y",
    b"CREATE A",
    *[(b"APPEND INBOX (\\Seen foo)", message) for message in (FIRST, SECOND, THIRD, FIRST)],
    *[(b"APPEND Old", THIRD)] * 3,
    b"SELECT INBOX",
    b"STORE 1 +FLAGS (\\Deleted)",
    b"STORE 1 -FLAGS (\\Deleted bar)",
    b"STORE 1:2 +FLAGS.SILENT (\\Answered bar)",
    b"STORE 1:2 +FLAGS.SILENT (\\Answered bar)",
    b"STORE 3 -FLAGS (\\Seen)",
    b"FETCH 3 BODY[]",
    b"COPY 1:2 A",
    b"MOVE 4 Gr&APw-n",
    b"STORE 1 FLAGS (\\Deleted \\Flagged)",
    b"STORE 2 FLAGS (\\Deleted)",
    b"UID EXPUNGE 1",
    b"EXPUNGE",
    b"RENAME A B",
    b"SELECT B",
    b"STORE 1 +FLAGS (\\Deleted)",
    b"CLOSE",
    b"DELETE B",
    b"DELETE Gr&APw-n",
    b"DELETE nothing",
    b"RENAME x z",
    b"DELETE z/y",
]
MESSAGES = (b"Message-ID: <5@x>\nSubject: five\n\nbody\n", b"Subject: six\n\nMessage-ID: <no@x>\n")
_LINE = re.compile(r"(imap|pop3|lmtp)\(me\)<\d+><[^>]*>: (?:Info: )?(.*)")
_BY_THEMSELVES = ("Mailbox created: INBOX", "Mailbox created: Old")
"""Ours are there when a user logs in, Dovecot makes them when they are used, and tells of it."""
_RECEIVED = re.compile(r"size=\d+")


def lines(server: Server, end: str) -> list[str]:
    """What the log says of sessions, once one has ended so."""
    found: list[str] = []

    def all_there() -> bool:
        found[:] = [f"{service} {text}" for service, text in _LINE.findall(server.log())]
        return any(end in line for line in found)

    until(all_there, what=f"the end of a session: {server.log()}")
    return [line for line in found if "Disconnected" not in line and not line.endswith(_BY_THEMSELVES)]


@pytest.mark.parametrize(
    "chosen", ["", EVERYTHING, "mail_log_fields ="], ids=["defaults", "all", "no fields"]
)
def test_lines(chosen: str) -> None:
    """IMAP, then a delivery, then POP3, which deletes."""
    with dovecot_pair(SETTINGS.replace("CHOSEN", chosen)) as pair:
        said = []
        for server in pair:
            play(server, SCRIPT)
            told = lines(server, "imap Disconnected")
            server.lmtp(*MESSAGES)
            delivered = lines(server, "msgid=unspecified")[len(told) :]
            client = poplib.POP3("127.0.0.1", server.pop3, timeout=PATIENCE)
            client.user("me")
            client.pass_("secret")
            client.retr(1)
            client.retr(2)
            client.dele(2)
            client.quit()
            read = lines(server, "pop3 Disconnected")
            saved = [
                _RECEIVED.sub("size=N", re.sub(r"uid=\d+, ", "", line))
                for line in delivered
                if "imap" not in line
            ]
            said.append((told, saved, [line for line in read if line.startswith("pop3")]))
        for ours, theirs in zip(*said, strict=True):
            assert "\n".join(ours) == "\n".join(theirs)
        assert len(said[0][0]) > 10
