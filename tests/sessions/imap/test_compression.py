"""COMPRESS=DEFLATE (RFC 4978): what goes through it is what went in, and it costs no memory."""

import asyncio
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.observability.events import Event
from pillarbox.sessions.imap.compression import PIECE, CompressedTransport, stored
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
        async with asyncio.timeout(45):
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
            assert lines[1].startswith(b"d NO [COMPRESSIONACTIVE] COMPRESSION=DEFLATE already enabled (")
            transport.end()

    asyncio.run(scene())


def test_an_answer_is_not_compressed_by_another_one() -> None:
    """Who puts a guess before a client's eyes learns nothing from how short the next answer is."""
    inner = ScriptedTransport([])
    transport = CompressedTransport(inner, unread=b"")
    secret = b"* 1 FETCH (BODY[] {32}\r\n" + bytes(range(64, 96)) + b")\r\n"
    sizes = []
    for _ in range(3):
        before = len(inner.sent)
        transport.send(secret)
        sizes.append(len(inner.sent) - before)
    assert len(set(sizes)) == 1
    assert inflated(bytes(inner.sent)) == secret * 3


FLUSHES = (zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH)


@given(
    st.lists(
        st.tuples(
            st.binary(min_size=1, max_size=300).map(lambda text: text * 40),
            st.sampled_from(FLUSHES),
        ),
        max_size=6,
    ),
    st.lists(st.binary(min_size=1, max_size=100), max_size=6),
)
def test_another_one_goes_on_after_each_flush(said: list[tuple[bytes, int]], told: list[bytes]) -> None:
    """What the client says looks back beyond that; what it is told is one stream, with lines that others put in."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = told[0][:1] * 100 if told else b""

    async def scene() -> tuple[bytes, bytes]:
        inner = ScriptedTransport(ends=False)
        transport = CompressedTransport(inner, unread=b"")
        found = b""
        for text, flush in said:
            transport.send(first)
            inner.feed(deflate.compress(text) + deflate.flush(flush))
            wanted = len(found) + len(text)
            while len(found) < wanted:
                found += await transport.receive()
            assert transport.is_quiet
            inner.send(stored(b"* OK Still here\r\n"))
            assert transport.standing is not None
            transport = CompressedTransport(inner, goes_on=transport.standing)
        for text in told:
            transport.send(text)
        return found, inner.take_sent()

    found, heard = asyncio.run(scene())
    assert found == b"".join(text for text, _ in said)
    assert inflated(heard) == (first + b"* OK Still here\r\n") * len(said) + b"".join(told)


async def take_all(transport: CompressedTransport, inner: ScriptedTransport) -> None:
    """Have the next piece inflated, or all that has come if there is nothing in it."""
    async with asyncio.TaskGroup() as tasks:
        taking, waiting = tasks.create_task(transport.receive()), tasks.create_task(inner.rest())
        await asyncio.wait({taking, waiting}, return_when=asyncio.FIRST_COMPLETED)
        taking.cancel()
        waiting.cancel()


def _half_a_stored_block() -> bytes:
    """Its content looks like a flush."""
    return stored(b"x\0\0\xff\xff and more")[:-9]


@pytest.mark.parametrize(
    "come",
    [
        deflated(b"a NOOP\r\n")[:-1],
        deflated(bytes(range(256)))[:100],
        _half_a_stored_block(),
        deflated(b"x" * 2 * PIECE),
    ],
    ids=["half a flush", "within a block", "content that looks like a flush", "not all inflated"],
)
def test_where_the_client_has_not_flushed_nobody_can_go_on(come: bytes) -> None:
    """There is more to know than what it has said."""

    async def scene() -> None:
        inner = ScriptedTransport([come], ends=False)
        transport = CompressedTransport(inner)
        await take_all(transport, inner)
        assert not transport.is_quiet

    assert _half_a_stored_block().endswith(b"\0\0\xff\xff")
    asyncio.run(scene())
