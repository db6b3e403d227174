"""Keywords that file names have no letters for: Dovecot, which has taken the mail back, is told of them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.dovecot_pair import Server
from pillarbox.tools.default_paths import DOVEADM

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS: Final = """\
protocols = imap
mail_location = maildir:~/Maildir
namespace inbox {
  inbox = yes
  separator = .
}
"""
OURS: Final = (sys.executable, "-m", "pillarbox.tools.dovecot")
THEIRS: Final = ("/usr/sbin/dovecot",)
KEYWORDS: Final = (*(b"keyword-%d" % number for number in range(66)), b"-u")


@pytest.fixture
def server() -> Iterator[Server]:
    """A tree that first one product serves and then the other."""
    made = Server(THEIRS, [], SETTINGS, "allow_all_users=yes", name="handed-back")
    try:
        yield made
    finally:
        made.end()


def change(server: Server, *commands: bytes) -> None:
    """A client changes flags."""
    talk = server.imap()
    for command in commands:
        said = talk.say(command, b"Subject: x\r\n\r\n" if command.startswith(b"APPEND") else None)
        assert said[-1].startswith(b"x OK"), said
    talk.close()


def flags(server: Server, mailbox: bytes) -> list[set[bytes]]:
    """Keywords of each message."""
    talk = server.imap()
    talk.say(b"EXAMINE " + mailbox)
    told = [line for line in talk.say(b"FETCH 1:* (UID FLAGS)") if b"FETCH" in line]
    talk.close()
    return [set(line.partition(b"FLAGS (")[2].rstrip(b")").split()) - {b"\\Recent"} for line in sorted(told)]


def hand_back(server: Server, *words: str) -> str:
    """What the command says."""
    command = [
        sys.executable,
        "-m",
        "pillarbox.tools.pillarbox",
        "hand-back",
        "--config",
        str(server.configuration),
    ]
    done = subprocess.run([*command, *words, "me"], check=False, timeout=60, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


def test_keywords_of_both_products_are_the_same_in_the_end(server: Server) -> None:
    """Set and removed under ours, of mailboxes that Dovecot knows and does not know; twice round."""
    server.start()
    change(
        server,
        b"CREATE Lists.a",
        b"APPEND INBOX",
        b"APPEND INBOX",
        b"SELECT INBOX",
        b"STORE 1 +FLAGS (%b)" % b" ".join(KEYWORDS[:29]),
        b"STORE 2 +FLAGS (%b %b)" % (KEYWORDS[27], KEYWORDS[28]),
    )
    server.stop()
    server.start(OURS)
    change(
        server,
        b"APPEND INBOX",
        b"APPEND Lists.a",
        b"SELECT INBOX",
        b"STORE 1 -FLAGS (%b)" % KEYWORDS[27],
        b"STORE 2:3 +FLAGS (%b %b)" % (KEYWORDS[30], KEYWORDS[31]),
        b"STORE 3 +FLAGS (\\Seen %b)" % KEYWORDS[1],
        b"SELECT Lists.a",
        b"STORE 1 +FLAGS (%b)" % b" ".join(KEYWORDS),
    )
    expected = {mailbox: flags(server, mailbox) for mailbox in (b"INBOX", b"Lists.a")}
    assert set(KEYWORDS) <= expected[b"Lists.a"][0]
    server.stop()
    server.start(THEIRS)
    assert expected != {mailbox: flags(server, mailbox) for mailbox in expected}
    seen = hand_back(server, "--dry-run")
    assert "me: INBOX: remove keyword-27 (1 message)\n" in seen
    assert "me: INBOX: add keyword-30 (2 messages)\n" in seen
    assert "me: Lists.a: add keyword-31 (1 message)\n" in seen
    assert expected != {mailbox: flags(server, mailbox) for mailbox in expected}
    assert hand_back(server) == seen
    assert expected == {mailbox: flags(server, mailbox) for mailbox in expected}
    assert hand_back(server) == ""
    server.stop()
    server.start(OURS)
    assert expected == {mailbox: flags(server, mailbox) for mailbox in expected}


def test_our_own_doveadm_is_refused(server: Server) -> None:
    """It would tell us what we know."""
    command = [
        sys.executable,
        "-m",
        "pillarbox.tools.pillarbox",
        "hand-back",
        "--config",
        str(server.configuration),
    ]
    own = str(Path(sys.executable).with_name("doveadm"))
    for program, text in ((own, "is not Dovecot's doveadm"), (DOVEADM + "-none", "cannot read")):
        done = subprocess.run(
            [*command, "--doveadm", program, "me"], check=False, timeout=60, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert text in done.stderr
