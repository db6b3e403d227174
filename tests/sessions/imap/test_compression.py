"""COMPRESS=DEFLATE (RFC 4978): what goes through it is what went in, and it costs no memory."""

import asyncio
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.memory_account import MemoryAccount
from pillarbox.observability.events import Event
from pillarbox.sessions.imap.compression import PIECE, CompressedTransport
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock


def deflated(*texts: bytes) -> bytes:
    """What a client sends: each text flushed."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"".join(deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH) for text in texts)


def inflated(data: bytes) -> bytes:
    """What the server has sent."""
    return zlib.decompressobj(-15).decompress(data)


async def read_all(transport: CompressedTransport) -> list[bytes]:
    """Piece by piece, to the end."""
    pieces = []
    while piece := await transport.receive():
        pieces.append(piece)
    return pieces


def ignore(event: Event) -> None:
    """No event is expected."""


@given(st.lists(st.binary(max_size=300), max_size=5), st.integers(1, 50))
def test_any_chunking_gives_the_same(texts: list[bytes], size: int) -> None:
    """Wherever the compressed bytes are cut."""
    data = deflated(*texts)
    inner = ScriptedTransport([data[i : i + size] for i in range(0, len(data), size)])
    assert b"".join(texts) == b"".join(asyncio.run(read_all(CompressedTransport(inner, unread=b""))))


def test_what_inflates_enormously_comes_in_pieces() -> None:
    """16 MiB of zeros in 16 KiB: never more than a piece at once, and all of it."""
    inner = ScriptedTransport([deflated(bytes(1 << 24))])
    pieces = asyncio.run(read_all(CompressedTransport(inner, unread=b"")))
    assert max(map(len, pieces)) <= PIECE
    assert sum(map(len, pieces)) == 1 << 24


def test_a_whole_piece_does_not_wait_for_more() -> None:
    """Nothing stays in the inflater until the client sends again."""

    async def scene() -> None:
        transport = CompressedTransport(ScriptedTransport(ends=False), unread=deflated(b"x" * PIECE * 3))
        taken = 0
        async with asyncio.timeout(5):
            while taken < PIECE * 3:
                taken += len(await transport.receive())

    asyncio.run(scene())


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff", b"a NOOP\r\n"])
def test_garbage_is_the_end(garbage: bytes) -> None:
    """What is not DEFLATE ends the connection."""
    assert [] == asyncio.run(read_all(CompressedTransport(ScriptedTransport([garbage]), unread=b"")))


def test_a_session() -> None:
    """COMPRESS is answered as it was; then both directions are compressed; it cannot be begun twice."""

    async def scene() -> None:
        transport = ScriptedTransport(ends=False)
        session = ImapSession(transport, MemoryAccount(), clock=ManualClock(), sink=ignore, login_tag=b"L")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(session.run())
            await transport.rest()
            assert (await transport.ask(b"a COMPRESS FOO\r\n")).startswith(
                b"a BAD Error in IMAP command COMPRESS"
            )
            said = await transport.ask(
                b"b COMPRESS DEFLATE\r\n" + deflated(b"c NOOP\r\n", b"d COMPRESS DEFLATE\r\n")
            )
            first, _, rest = said.partition(b"\r\n")
            assert first.startswith(b"b OK Begin compression")
            lines = inflated(rest).split(b"\r\n")
            assert lines[0].startswith(b"c OK NOOP completed")
            assert lines[1].startswith(b"d NO [COMPRESSIONACTIVE]")
            transport.end()

    asyncio.run(scene())
