"""Mailbox blocks: `auto`, special use and autoexpunge, by IMAP and by LMTP, as with Debian's Dovecot."""

from pathlib import Path

import pytest

from fakes.dovecot_pair import Server, differences, dovecot_pair, play
from fakes.mail_system import until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS = """\
protocols = imap lmtp
mail_location = maildir:~/Maildir
recipient_delimiter = +
lmtp_save_to_detail_mailbox = yes
namespace inbox {
  inbox = yes
  separator = /
  mailbox Made {
    auto = create
    special_use = \\Drafts
  }
  mailbox Subscribed {
    auto = subscribe
    special_use = \\Junk \\Important
  }
  mailbox Not {
    auto = no
    special_use = \\Trash
  }
  mailbox a/b/c {
    auto = subscribe
  }
EXPUNGED}
"""
FIRST_COMMANDS: list[bytes | tuple[bytes, bytes]] = [  # of somebody for whom nothing has been made yet
    b"CREATE Made",
    b"CREATE Made",
    b"CREATE Subscribed/",
    b"STATUS a/b/c (MESSAGES)",
    b"CREATE a/b/c",
    b"DELETE Made",
    b"CREATE Made",
    b"CREATE Made",
    b"DELETE Subscribed",
    b'LIST "" Subscribed',
    b"CREATE Subscribed",
    b'LSUB "" *',
]
RENAMES: list[bytes | tuple[bytes, bytes]] = [  # onto mailboxes that nobody has used, or somebody has
    b"CREATE A",
    (b"APPEND A", b"Subject: a\r\n\r\n"),
    b"RENAME A Made",
    b"STATUS Made (MESSAGES)",
    b'LIST "" A',
    b"CREATE B/b/c",
    b"RENAME B/b/c Made",
    b"RENAME B a",
    b"STATUS a/b/c (MESSAGES)",
    b"RENAME Nope Subscribed",
    b'LIST "" *',
    (b"APPEND Subscribed", b"Subject: s\r\n\r\n"),
    b"CREATE C",
    b"RENAME C Subscribed",
]
MESSAGE = b"Subject: x\n\nbody\n"
TO = ["me+Made", "me+Subscribed", "me+Not", "me+a/b/c", "me+Nope"]
SCRIPT: list[bytes | tuple[bytes, bytes]] = [
    b'LIST "" *',
    b'LSUB "" *',
    b'LIST (SPECIAL-USE) "" *',
    b"STATUS Made (MESSAGES)",
    b"STATUS Subscribed (MESSAGES)",
    b"STATUS a/b/c (MESSAGES)",
    b"STATUS a/b (MESSAGES)",
    b"STATUS INBOX (MESSAGES)",
    b"DELETE Made",
    b'LIST "" Made',
    b"SELECT Made",
    b"UNSELECT",
    b"DELETE Subscribed",
    b"STATUS Subscribed (MESSAGES)",
    b"CREATE Made",
    b"RENAME a/b/c X",
    b"STATUS a/b/c (MESSAGES)",
    b"CREATE Not",
    b"DELETE Not",
    b"STATUS Not (MESSAGES)",
]


def test_they_are_made_when_mail_comes() -> None:
    """Before anybody has logged in; whatever is deleted is there again."""
    with dovecot_pair(SETTINGS.replace("EXPUNGED", "")) as pair:
        answers = [server.lmtp(MESSAGE, to=TO) for server in pair]
        assert answers[0] == answers[1]
        said = [play(server, SCRIPT) for server in pair]
        assert said[0] == said[1], differences(*said)
        texts = [(server.home() / "Maildir" / "subscriptions").read_text() for server in pair]
        assert texts[0] == texts[1]
        for commands, user in ((FIRST_COMMANDS, "you"), (RENAMES, "they")):
            said = [play(server, commands, user=user) for server in pair]
            assert said[0] == said[1], differences(*said)


def count(server: Server, name: str) -> int:
    """Files of a mailbox."""
    places = [Path(server.home(), "Maildir", f".{name}", part) for part in ("new", "cur")]
    return sum(len(list(place.iterdir())) for place in places if place.is_dir())


def test_autoexpunge_after_deliveries() -> None:
    """Of a user who never logs in: after the first delivery what is too much has gone with both."""
    block = "  mailbox Few {\n    autoexpunge = 30d\n    autoexpunge_max_mails = 2\n    auto = create\n  }\n"
    with dovecot_pair(SETTINGS.replace("EXPUNGED", block)) as pair:
        for server in pair:
            talk = server.imap()
            talk.say(b"SELECT Few")
            for _ in range(5):
                talk.say(b"APPEND Few", MESSAGE)
            assert count(server, "Few") == 5
            server.lmtp(MESSAGE)
            until(lambda server=server: count(server, "Few") == 2, what=f"{server.name} expunges")  # type: ignore[misc]
            talk.close()
