"""imap_logout_format: the same figures of a session that is over as from Debian's Dovecot."""

import re

import pytest

from fakes.dovecot_pair import Server, dovecot_pair, play
from fakes.mail_system import until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS = """\
protocols = imap
mail_location = maildir:~/Maildir
namespace inbox {
  inbox = yes
  separator = /
  mailbox Bin {
    auto = create
    special_use = \\Trash
  }
  mailbox Old {
    auto = create
    autoexpunge = 1d
    autoexpunge_max_mails = 1
  }
}
CHOSEN
"""
FIGURES = (
    "i=%i d=%{deleted} e=%{expunged} t=%{trashed} a=%{appended} x=%{autoexpunged} h=%{fetch_hdr_count} "
    "%{fetch_hdr_bytes} b=%{fetch_body_count} %{fetch_body_bytes} %u %n %{user} %{service}"
)
SMALL = b"Subject: a\r\n\r\nx\r\n"
SCRIPT: list[bytes | tuple[bytes, bytes]] = [
    *[(b"APPEND INBOX", SMALL)] * 5,
    *[(b"APPEND Old", SMALL)] * 3,
    b"SELECT INBOX",
    b"FETCH 1:2 BODY.PEEK[]",
    b"FETCH 1:3 BODY.PEEK[HEADER]",
    b"FETCH 1 (BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT])",
    b"FETCH 1 (RFC822.HEADER RFC822.TEXT ENVELOPE BODYSTRUCTURE)",
    b"FETCH 2 BINARY.PEEK[1]",
    b"COPY 1:2 Bin",
    b"MOVE 1 Bin",
    b"COPY 1 Old",
    b"STORE 1:2 +FLAGS (\\Deleted)",
    b"STORE 1:2 +FLAGS (\\Deleted)",
    b"STORE 3 FLAGS (\\Deleted)",
    b"UID EXPUNGE 2",
    b"EXPUNGE",
]


def ends(server: Server) -> list[str]:
    """What the log says of the ends of two sessions."""
    found: list[str] = []

    def all_there() -> bool:
        found[:] = re.findall(r"imap\(me\)<\d+><[^>]*>: (.*h=.*)", server.log())
        return len(found) == 2

    until(all_there, what=f"two ends: {server.log()}")
    return found


@pytest.mark.parametrize(
    "chosen", [f"imap_logout_format = {FIGURES}", f"protocol imap {{\n  imap_logout_format = {FIGURES}\n}}"]
)
def test_figures(chosen: str) -> None:
    """Of one that does much, and of one that does nothing."""
    with dovecot_pair(SETTINGS.replace("CHOSEN", chosen)) as pair:
        said = []
        for server in pair:
            play(server, SCRIPT)
            play(server, [])
            said.append(ends(server))
        assert said[0] == said[1]
