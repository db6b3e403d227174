"""Annotations and special uses that Dovecot wrote are read by ours, and the other way."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.doveadm import Doveadm
from fakes.imap_exchanges import DovecotImap, PillarboxImap, give

pytestmark = [
    pytest.mark.system,
    pytest.mark.peer("dovecot"),
    pytest.mark.skipif(not Doveadm.is_installed(), reason="doveadm is not installed"),
]

ASK = (
    b"x GETMETADATA INBOX (/private/comment /shared/comment)",
    b"x GETMETADATA a/b (/private/sort /private/vendor/y)",
    b'x GETMETADATA "" /private/vendor/x',
)


@pytest.fixture
def base() -> Iterator[Path]:
    """A directory that Dovecot's user can reach."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def theirs(base: Path, steps: tuple[bytes, ...]) -> list[bytes]:
    """What Dovecot says, without times."""
    for name in ("run", "state"):
        if (base / name).exists():
            (base / name).rmdir()
    server = DovecotImap(base, patience=20)
    try:
        return [server.say(step).rpartition(b" (")[0] for step in steps]
    finally:
        server.close()


def ours(base: Path, steps: tuple[bytes, ...]) -> list[bytes]:
    """What we say."""

    async def talk() -> list[bytes]:
        async with asyncio.TaskGroup() as tasks:
            server = PillarboxImap(base, tasks)
            said = [(await server.say(step)).rpartition(b" (")[0] for step in steps]
            await server.close()
        return said

    said = asyncio.run(talk())
    give(base)
    return said


def test_annotations_are_handed_over_and_back(base: Path) -> None:
    """mail_attribute_dict = file:…/dovecot-attributes, changed by one after the other."""
    theirs(
        base,
        (
            b"x CREATE a/b",
            b'x SETMETADATA INBOX (/private/comment "one" /shared/comment {5+}\r\na\r\n\tb)',
            b'x SETMETADATA a/b (/private/sort "date" /private/vendor/y "z")',
            b'x SETMETADATA "" (/private/vendor/x "server")',
        ),
    )
    expected = theirs(base, ASK)
    assert b"/private/comment {3}\r\none /shared/comment {5}\r\na\r\n\tb)" in expected[0]
    assert expected == ours(base, ASK)
    changed = ours(
        base,
        (
            b'x SETMETADATA INBOX (/private/comment NIL /shared/comment "\\"two\\"")',
            b'x SETMETADATA a/b (/private/vendor/y NIL /private/sort "subject")',
            b'x SETMETADATA "" (/private/vendor/x "ours")',
            b"x RENAME a/b c",
        ),
    )
    assert all(answer.startswith(b"x OK") for answer in changed)
    ask = tuple(step.replace(b"a/b", b"c") for step in ASK)
    back = ours(base, ask)
    assert b'/shared/comment {5}\r\n"two")' in back[0]
    assert back == theirs(base, ask)


def test_special_uses_stay_with_their_mailboxes(base: Path) -> None:
    """Dovecot 2.3 knows none but its configuration's; what is kept for ours does no harm there."""
    made = ours(base, (b"x CREATE Scans (USE (\\Archive))", b'x LIST (SPECIAL-USE) "" "*"'))
    assert made[1].startswith(b'* LIST (\\Archive) "/" Scans\r\n')
    listed = theirs(base, (b'x LIST "" "*"', b"x SELECT Scans", b"x RENAME Scans Papers"))
    assert b'"/" Scans\r\n' in listed[0]
    assert b"[READ-WRITE]" in listed[1]
    again = ours(base, (b'x LIST (SPECIAL-USE) "" "*"',))
    assert again[0].startswith(b'* LIST (\\Archive) "/" Papers\r\n')
