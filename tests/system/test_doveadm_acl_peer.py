"""doveadm with access lists, public and shared namespaces: the same commands as with Debian's Dovecot."""

import re
import subprocess
from collections.abc import Iterator
from typing import Final

import pytest

from fakes.dovecot_pair import Server, dovecot_pair
from fakes.mail_system import PATIENCE
from system.test_acl_delivery_peer import DELIVERY, MESSAGE, NAMES, prepare

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.timeout(10 * PATIENCE),
    pytest.mark.peer("dovecot"),
]

COMMANDS: Final = """\
mailbox list
mailbox list -s
mailbox status messages *
mailbox status messages hidden
mailbox status messages Public/*
mailbox status messages Public/insert
mailbox status messages Public/post
fetch uid,mailbox all
fetch uid mailbox hidden all
fetch uid mailbox Public/others all
search mailbox Public/seen all
search mailbox Public/post all
search mailbox Public/nosuch all
search mailbox shared/you/box all
search mailbox shared/nobody/box all
flags add \\\\Seen mailbox Public/seen all
expunge mailbox no-post all
expunge mailbox Public/insert all
copy Public/insert mailbox INBOX all
copy Public/post mailbox INBOX all
copy hidden mailbox INBOX all
save -m Public/others
save -m hidden
save -m Public/seen
copy Public/seen mailbox INBOX all
move Public/fixed mailbox plain all
mailbox status messages shared/*
mailbox status messages shared/you/box
mailbox status messages plain hidden
fetch uid,mailbox mailbox Public/* all
fetch uid,mailbox mailbox shared/* all
mailbox create no-post/x
mailbox create Public/above/x
mailbox create Public/fixed/x
mailbox create Public/x
mailbox create hidden/x
mailbox delete no-post
mailbox delete hidden
mailbox delete Public/seen
mailbox delete Public/post
mailbox delete all
mailbox rename taken taken2
mailbox rename hidden hidden2
mailbox rename no-post np2
mailbox rename me anyone/me
mailbox rename me Public/above/me
mailbox subscribe Public/seen
mailbox subscribe hidden
mailbox subscribe shared/you/box
mailbox list -s
mailbox unsubscribe Public/seen
mailbox list
mailbox list Public/*
mailbox list shared/*
mailbox path Public/seen
mailbox path INBOX
index Public/seen
index *
force-resync *
deduplicate mailbox Public/seen all
quota get
""".splitlines()
"""In this order; `,` stands for a blank within a word."""


@pytest.fixture
def pair() -> Iterator[tuple[Server, Server]]:
    """(ours, theirs), with lists, and a message in each mailbox that takes one."""
    with dovecot_pair(DELIVERY) as servers:
        for server in servers:
            prepare(server)
            you = server.imap("you")
            you.say(b"CREATE box")
            you.say(b"SETACL box me lr")
            you.say(b"APPEND box", b"a: b\r\n\r\n")
            you.close()
            for name in NAMES:
                server.lmtp(MESSAGE, to=[f"me+{name}"])
        yield servers


def told(server: Server, command: str) -> tuple[int, list[str], str]:
    """Exit status, lines in no order, and what is wrong."""
    words = [word.replace(",", " ") for word in command.split()]
    at = 2 if words[0] in ("mailbox", "flags", "quota") else 1
    words[at:at] = ["-u", "me"]
    done = subprocess.run(
        [*server.doveadm_command, *words],
        input="Subject: q\n\n",
        check=False,
        timeout=PATIENCE,
        capture_output=True,
        text=True,
    )
    shown = re.sub(r"[0-9a-f]{32}", "GUID", done.stdout.replace(str(server.base), "BASE"))
    return done.returncode, sorted(shown.split("\n")), done.stderr


def test_the_same_commands_do_the_same(pair: tuple[Server, Server]) -> None:
    """What is listed, what is worked on if it is named, and what is forbidden."""
    found = [(command, *(told(server, command) for server in pair)) for command in COMMANDS]
    assert [one for one in found if one[1] != one[2]] == []
    assert any(status == 77 for _, (status, _, _), _ in found)
