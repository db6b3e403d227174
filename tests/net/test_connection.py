"""The transport under every session: bytes in and out, TLS, slow and rude peers."""

import asyncio
import contextlib
import gc
import socket
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.connected_peers import HIGH_WATER, TlsClient, connected, contexts, run
from pillarbox.net.connection import Connection, IdleTimeout
from pillarbox.wire.smtp.dot_stream import MARK_OF_END, BareNewline, DataReader


def test_what_comes_is_taken_in_order() -> None:
    """Chunks are joined; bytes that are given back come first; the end is b""."""

    async def scene() -> None:
        connection, _ = connected()
        connection.data_received(b"one ")
        connection.data_received(b"two ")
        assert await connection.receive() == b"one two "
        connection.data_received(b"three")
        connection.unreceive(b"two ")
        assert connection.has_input
        assert await connection.receive() == b"two three"
        waiting = asyncio.get_running_loop().create_task(connection.receive())
        await asyncio.sleep(0)
        connection.data_received(b"four")
        assert await waiting == b"four"
        connection.eof_received()
        assert await connection.receive() == b""
        assert connection.peer_address == ("192.0.2.1", 4321)

    run(scene)


def test_bytes_come_together() -> None:
    """`gather()` goes on when there are enough, when the mark may be there, at the end, and when time is up."""

    async def scene() -> None:
        connection, _ = connected(idle_limit=0.05)
        loop = asyncio.get_running_loop()
        for chunks, whole in (
            ([b"abc", b"def", b"ghi"], b"abcdefghi"),
            ([b"ab", b"c\n.", b"x"], b"abc\n.x"),
            ([b"ab\n", b".", b"x"], b"ab\n.x"),
            ([b".", b"x"], b".x"),
        ):
            waiting = loop.create_task(connection.gather(9, b"\n."))
            for chunk in chunks[:-1]:
                await asyncio.sleep(0)
                assert not waiting.done()
                connection.data_received(chunk)
                if chunk.endswith(b"."):
                    break
            else:
                await asyncio.sleep(0)
                connection.data_received(chunks[-1])
            assert whole.startswith(await waiting)
            connection.data_received(b"left")
            assert await connection.gather(9) == b"left"  # nobody need send more
        loop.call_soon(connection.data_received, b"kept")
        assert await connection.gather(9) == b"kept"  # which is all that came in time
        with pytest.raises(IdleTimeout):
            await connection.gather(9)
        loop.call_soon(connection.data_received, b"last")
        loop.call_soon(connection.eof_received)
        assert await connection.gather(9) == b"last"
        assert await connection.gather(9) == b""

    run(scene)


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"\r\n.\r\n", b"a", b"xyz"]), max_size=16),
    st.lists(st.integers(1, 5), min_size=1, max_size=8),
    st.sampled_from(BareNewline),
)
def test_no_end_of_content_is_waited_for_in_vain(
    pieces: list[bytes], steps: list[int], mode: BareNewline
) -> None:
    """However content is cut: when its end has come, whoever gathers has been told."""
    stream = b"".join(pieces)

    async def read(connection: Connection, reader: DataReader) -> None:
        while not reader.ended:
            data = await (connection.receive() if reader.expects_end else connection.gather(64, MARK_OF_END))
            if not data:
                return
            reader.feed(data)

    async def scene() -> None:
        whole = DataReader(mode)
        whole.feed(stream)
        reader, (connection, _) = DataReader(mode), connected()
        reading = asyncio.get_running_loop().create_task(read(connection, reader))
        at = 0
        while at < len(stream):
            step = steps[at % len(steps)]
            connection.data_received(stream[at : at + step])
            at += step
            for _ in range(4):
                await asyncio.sleep(0)
        assert reader.ended is whole.ended
        connection.eof_received()
        await reading

    run(scene)


def test_a_cancelled_receive_loses_nothing() -> None:
    """IDLE is a receive that is given up when the mailbox changes."""

    async def scene() -> None:
        connection, _ = connected()
        waiting = asyncio.get_running_loop().create_task(connection.receive())
        await asyncio.sleep(0)
        connection.data_received(b"DONE\r\n")  # arrives in the very turn of the loop
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            assert await waiting == b"DONE\r\n"
            return
        assert await connection.receive() == b"DONE\r\n"

    run(scene)


def test_a_peer_that_sends_faster_than_it_is_read_is_paused() -> None:
    """Memory for one connection is bounded by HIGH_WATER and one read."""

    async def scene() -> None:
        connection, wire = connected()
        seen = []
        for data in (bytes(HIGH_WATER), b"x"):
            connection.data_received(data)
            seen.append(wire.reads)
        assert len(await connection.receive()) == HIGH_WATER + 1
        assert [*seen, wire.reads] == [True, False, True]

    run(scene)


def test_of_a_large_message_one_read_comes_at_a_time() -> None:
    """As much as uvloop reads at once is enough."""

    async def scene() -> None:
        connection, wire = connected()
        connection.data_received(bytes(256_000))
        assert not wire.reads

    run(scene)


def test_half_close() -> None:
    """A client that shuts its sending side down still gets its replies (RFC 9293 §3.6)."""

    async def scene() -> None:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        _, connection = await loop.connect_accepted_socket(Connection, ours)
        theirs.sendall(b"QUIT\r\n")
        theirs.shutdown(socket.SHUT_WR)
        assert await connection.receive() == b"QUIT\r\n"
        assert await connection.receive() == b""
        assert connection.is_lost
        connection.send(b"221 2.0.0 Bye\r\n")
        connection.close()
        received = b""
        while data := await loop.sock_recv(theirs, 100):
            received += data
        theirs.close()
        assert received == b"221 2.0.0 Bye\r\n"

    run(scene)


def test_a_peer_that_never_reads() -> None:
    """drain() waits for it; whoever is cancelled over it leaves the next one waiting, not failing; the end frees."""

    async def scene() -> None:
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        _, connection = await loop.connect_accepted_socket(Connection, ours)
        for _ in range(200):
            connection.send(bytes(65536))
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await connection.drain()
        waiting = loop.create_task(connection.drain())
        await asyncio.sleep(0)
        assert not waiting.done()
        theirs.close()
        await waiting
        connection.abort()
        await connection.drain()

    run(scene)


def test_a_peer_that_reads_again() -> None:
    """Backpressure ends when what was sent has been taken."""

    async def scene() -> None:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        _, connection = await loop.connect_accepted_socket(Connection, ours)
        total = 100 * 65536
        for _ in range(100):
            connection.send(b"x" * 65536)
        waiting = loop.create_task(connection.drain())
        received = 0
        while received < total:
            received += len(await loop.sock_recv(theirs, 1 << 20))
        await waiting
        connection.close()
        assert await loop.sock_recv(theirs, 1) == b""
        theirs.close()

    run(scene)


def test_a_silent_peer_is_given_up() -> None:
    """IdleTimeout after idle_limit, in a receive and in a handshake; bytes that came are not forgotten."""

    async def scene() -> None:
        connection, _ = connected(idle_limit=0.02)
        with pytest.raises(IdleTimeout):
            await connection.receive()
        connection.data_received(b"late")
        assert await connection.receive() == b"late"
        with pytest.raises(IdleTimeout):
            await connection.start_tls(contexts()[0])

    run(scene)


def test_a_limit_that_becomes_shorter_counts_at_once() -> None:
    """Not only when the longer one is over: commands of SMTP have limits of their own."""

    async def scene() -> None:
        connection, _ = connected(idle_limit=3600)
        waiting = asyncio.get_running_loop().create_task(connection.receive())
        await asyncio.sleep(0)
        connection.data_received(b"220 mx\r\n")
        assert await waiting == b"220 mx\r\n"
        connection.idle_limit = 0.02
        with pytest.raises(IdleTimeout):
            async with asyncio.timeout(60):
                await connection.receive()

    run(scene)


def test_a_connection_that_is_given_away() -> None:
    """detach(): the bytes not yet taken, and a descriptor over which the peer goes on without noticing."""

    async def scene() -> None:
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        _, connection = await loop.connect_accepted_socket(Connection, ours)
        theirs.sendall(b"a SELECT INBOX\r\n")
        connection.unreceive(await connection.receive())
        descriptor, unread = connection.detach()
        assert unread == b"a SELECT INBOX\r\n"
        await asyncio.sleep(0)
        with socket.socket(fileno=descriptor) as taken:
            taken.setblocking(True)
            theirs.sendall(b"b NOOP\r\n")
            assert taken.recv(100) == b"b NOOP\r\n"
            taken.sendall(b"b OK\r\n")
        assert theirs.recv(100) == b"b OK\r\n"
        theirs.close()

    run(scene)


# -- TLS -------------------------------------------------------------------------------------------------------


def test_what_comes_goes_to_another_connection() -> None:
    """Clear text one way, TLS the other; what had come before goes first, and the end is noticed."""

    async def scene() -> None:
        outer, outer_wire = connected()
        client = TlsClient(outer_wire, outer)
        await client.handshake()
        inner, inner_wire = connected()
        outer.data_received(client.encrypt(b"a NOOP\r\n"))
        outer.forward_to(inner)
        inner.forward_to(outer)
        outer.data_received(client.encrypt(b"b NOOP\r\n"))
        assert inner_wire.take() == b"a NOOP\r\nb NOOP\r\n"
        inner.data_received(b"a OK\r\n")
        inner.data_received(b"b OK\r\n")
        assert client.read() == b"a OK\r\nb OK\r\n"
        end = asyncio.get_running_loop().create_task(outer.until_end())
        await asyncio.sleep(0)
        outer.data_received(client.encrypt(b"c LOGOUT\r\n"))
        await asyncio.sleep(0)
        assert not end.done()
        outer.data_received(client.encrypt(b"d") + client.close_notify())
        await end
        assert inner_wire.take() == b"c LOGOUT\r\nd"

    run(scene)


def test_a_pair_that_has_ended_is_given_back_at_once() -> None:
    """Each knows the other, and keeps the memory of a TLS session, until the garbage is looked for: that may be late."""

    async def scene() -> None:
        outer, outer_wire = connected()
        client = TlsClient(outer_wire, outer)
        await client.handshake()
        inner, _ = connected()
        outer.forward_to(inner)
        inner.forward_to(outer)
        assert outer.tls is not None
        session = weakref.ref(outer.tls)
        inner.connection_lost(None)
        outer.connection_lost(None)
        del outer, outer_wire, client, inner, _
        assert session() is None

    gc.disable()
    try:
        run(scene)
    finally:
        gc.enable()


def test_whoever_sends_faster_than_the_other_takes_is_paused() -> None:
    """From when it does not take any more, or had stopped taking before, until it does again."""

    async def scene() -> None:
        source, wire = connected()
        target, target_wire = connected()
        reads = []
        source.data_received(bytes(HIGH_WATER + 1))
        reads.append(wire.reads)
        target.pause_writing()
        source.forward_to(target)
        assert HIGH_WATER + 1 == len(target_wire.take())
        reads.append(wire.reads)
        target.resume_writing()
        reads.append(wire.reads)
        source.data_received(b"x")
        target.pause_writing()
        reads.append(wire.reads)
        target.resume_writing()
        reads.append(wire.reads)
        assert [False, False, True, False, True] == reads
        source.connection_lost(None)
        target.pause_writing()
        target.resume_writing()
        await source.until_end()
        assert target_wire.take() == b"x"

    run(scene)
