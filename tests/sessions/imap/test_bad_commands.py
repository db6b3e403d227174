"""Twenty invalid commands in a row end a session: which ones count, as Dovecot counts them."""

import asyncio

import pytest

from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.sessions.imap.session import MAX_BAD_COMMANDS, ImapSession
from pillarbox.vocabulary.clock import ManualClock

CASES = [  # name, command, whether it counts
    ("unknown", b"FOO", True),
    ("without arguments", b"FETCH", True),
    ("wrong syntax", b"SELECT (", True),
    ("no such message", b"FETCH 9 FLAGS", True),
    ("no such sequence", b"STORE 9 +FLAGS (x)", True),
    ("refused", b"SELECT nosuch", False),
    ("nothing to find", b"UID FETCH 9 FLAGS", False),
]


def talk(lines: list[bytes]) -> bytes:
    """What a session says."""

    async def scene() -> bytes:
        client = ScriptedTransport([line + b"\r\n" for line in lines])
        await ImapSession(
            client, MemoryAccount(), clock=ManualClock(), sink=lambda event: None, login_tag=b"L"
        ).run()
        return client.take_sent()

    return asyncio.run(scene())


@pytest.mark.parametrize(("name", "command", "counts"), CASES, ids=[case[0] for case in CASES])
def test_what_counts(name: str, command: bytes, counts: bool) -> None:
    """The session is over with the twentieth; another command between begins the count anew."""
    lines = [b"s EXAMINE INBOX", *(b"a%d " % number + command for number in range(MAX_BAD_COMMANDS))]
    said = talk([*lines, b"n NOOP"])
    assert (b"* BYE Too many invalid IMAP commands." in said) is counts, said[-200:]
    assert (b"n OK" in said) is not counts
    lines.insert(10, b"m NOOP")
    assert b"n OK" in talk([*lines, b"n NOOP"])


def test_a_command_without_a_mailbox_does_not_count() -> None:
    """A client that has lost its mailbox may say a lot before it notices."""
    said = talk([b"a FETCH 1 FLAGS"] * (MAX_BAD_COMMANDS + 5) + [b"n NOOP"])
    assert b"n OK" in said
