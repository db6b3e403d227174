"""Conversations with the IMAP session: transcripts, whole and cut to pieces, and what only time brings."""

import asyncio
from pathlib import Path

import pytest

from fakes.scripted_transport import ScriptedTransport, read_transcript
from pillarbox.mailstore.memory import MemoryAccount
from pillarbox.observability.events import Event
from pillarbox.sessions.imap.session import Ended, ImapSession
from pillarbox.vocabulary.clock import ManualClock

TRANSCRIPTS = sorted((Path(__file__).parents[2] / "transcripts" / "imap").glob("*.txt"))


def new_account() -> MemoryAccount:
    return MemoryAccount(clock=ManualClock(), special_use={"Sent": b"\\Sent", "Trash": b"\\Trash"})


def ignore(event: Event) -> None:
    """No event is expected here; a sink that does not mind."""


async def play(chunks: list[bytes], account: MemoryAccount | None = None) -> tuple[bytes, Ended]:
    """A whole session; what the server said behind its greeting."""
    transport = ScriptedTransport(chunks)
    session = ImapSession(
        transport, account or new_account(), clock=ManualClock(), sink=ignore, login_tag=b"L"
    )
    ended = await session.run()
    assert transport.closed
    greeting, _, said = bytes(transport.sent).partition(b"\r\n")
    assert greeting.startswith(b"L OK [CAPABILITY IMAP4rev1 ")
    assert greeting.endswith(b"] Logged in")
    return said, ended


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    """The server says what the transcript says."""
    client, server = read_transcript(path)
    said, _ = asyncio.run(play([client]))
    assert server.decode() == said.decode()


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript_octet_by_octet(path: Path) -> None:
    """Where the client's bytes are cut makes no difference."""
    client, server = read_transcript(path)
    said, _ = asyncio.run(play([client[i : i + 1] for i in range(len(client))]))
    assert server == said
