"""The transport under every session: bytes in and out, TLS, slow and rude peers."""

import asyncio
import contextlib
import datetime
import os
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import counterparts
from pillarbox.net.connection import Connection, IdleTimeout
from pillarbox.net.self_signed import make_self_signed
from pillarbox.net.tls_contexts import server_context
from pillarbox.net.tls_faults import TlsFault
from pillarbox.wire.smtp.dot_stream import MARK_OF_END, BareNewline, DataReader

HIGH_WATER = 262144


class Wire(asyncio.Transport):
    """The transport below a connection, without a socket: what was written, and whether reading is paused."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 4321), "sockname": ("127.0.0.1", 25)})
        self.written = bytearray()
        self.reads = True
        self.ended = ""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """See asyncio."""
        self.written += data

    def take(self) -> bytes:
        """What was written since the last time."""
        data = bytes(self.written)
        self.written.clear()
        return data

    def pause_reading(self) -> None:
        """See asyncio."""
        self.reads = False

    def resume_reading(self) -> None:
        """See asyncio."""
        self.reads = True

    def close(self) -> None:
        """See asyncio."""
        self.ended = "closed"

    def abort(self) -> None:
        """See asyncio."""
        self.ended = "aborted"


def connected(*, idle_limit: float = 0.0) -> tuple[Connection, Wire]:
    """A connection that stands."""
    connection, wire = Connection(idle_limit=idle_limit), Wire()
    connection.connection_made(wire)
    return connection, wire


def run(scene: Callable[[], Awaitable[None]]) -> None:
    """Play a scene on a loop, for a bounded time."""

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scene()

    asyncio.run(bounded())


# -- bytes -----------------------------------------------------------------------------------------------------


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
        with pytest.raises(IdleTimeout):
            await connection.gather(9)
        assert await connection.receive() == b"kept"
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


@cache
def _directory() -> Path:
    path = Path(tempfile.mkdtemp(prefix="pillarbox-test-"))
    make_self_signed(path, host="mx.test", now=datetime.datetime.now(datetime.UTC))
    return path


@cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's and a client's."""
    certificate = str(_directory() / "self-signed.pem")
    server = server_context(certificate, str(_directory() / "self-signed.key"), where="test")
    client = ssl.create_default_context(cafile=certificate)
    return server, client


class TlsClient:
    """The other end of TLS, by hand."""

    def __init__(self, wire: Wire, connection: Connection, *, tls12: bool = False) -> None:
        context = contexts()[1]
        if tls12:
            context = ssl.create_default_context(cafile=str(_directory() / "self-signed.pem"))
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        self._wire = wire
        self._connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl = context.wrap_bio(self._incoming, self._outgoing, server_hostname="mx.test")

    def step(self) -> bytes:
        """Take what the server wrote; go on with the handshake; what the client has to say."""
        self._incoming.write(self._wire.take())
        with contextlib.suppress(ssl.SSLWantReadError):
            self.ssl.do_handshake()
        return self._outgoing.read()

    async def handshake(self, *, chunk: int = 1 << 20) -> None:
        """To its end, in chunks of this size."""
        server = asyncio.get_running_loop().create_task(self._connection.start_tls(contexts()[0]))
        while not server.done():
            said = self.step()
            for at in range(0, len(said), chunk):
                self._connection.data_received(said[at : at + chunk])
                await asyncio.sleep(0)
            await asyncio.sleep(0)
        await server
        self.step()

    def encrypt(self, data: bytes) -> bytes:
        """Records."""
        self.ssl.write(data)
        return self._outgoing.read()

    def close_notify(self) -> bytes:
        """The client says that it sends no more."""
        with contextlib.suppress(ssl.SSLError):
            self.ssl.unwrap()
        return self._outgoing.read()

    def read(self) -> bytes:
        """Clear text that the server sent; b"" at close_notify."""
        self._incoming.write(self._wire.take())
        parts = []
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while part := self.ssl.read(65536):
                parts.append(part)
        return b"".join(parts)


@pytest.mark.parametrize("tls12", [False, True], ids=["TLS 1.3", "TLS 1.2"])
@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_a_handshake_in_pieces(chunk: int, tls12: bool) -> None:
    """Octet by octet or at once: the same session, and mail flows both ways in records of any size."""

    async def scene() -> None:
        connection, wire = connected()
        client = TlsClient(wire, connection, tls12=tls12)
        await client.handshake(chunk=chunk)
        assert connection.tls is not None
        assert connection.tls.version() == ("TLSv1.2" if tls12 else "TLSv1.3")
        for size in (1, 16384, 300_000):
            records = client.encrypt(b"d" * size)
            for at in range(0, len(records), max(chunk, 1000)):
                connection.data_received(records[at : at + max(chunk, 1000)])
            received = b""
            while len(received) < size:
                received += await connection.receive()
            assert received == b"d" * size
            connection.send(b"u" * size)
            assert client.read() == b"u" * size

    run(scene)


def test_a_handshake_that_is_cut_at_any_octet() -> None:
    """The peer goes away after n octets, for every n: TlsFault, never a hang, and nothing of it is a session."""

    async def scene() -> None:
        whole, wire = connected()
        hello = TlsClient(wire, whole).step()
        for cut in range(len(hello)):
            connection, _ = connected()
            connection.data_received(hello[:cut])
            connection.eof_received()
            with pytest.raises(TlsFault, match="lost connection"):
                await connection.start_tls(contexts()[0])

    run(scene)


def test_clear_text_ahead_of_the_handshake() -> None:
    """Commands that are smuggled in behind STARTTLS are no TLS record: the connection is over (RFC 3207 §6)."""

    async def scene() -> None:
        connection, wire = connected()
        connection.data_received(b"RSET\r\nMAIL FROM:<injected@example.test>\r\n")
        with pytest.raises(TlsFault):
            await connection.start_tls(contexts()[0])
        assert wire.ended == "aborted"
        assert not connection.has_input

    run(scene)


@given(data=st.data())
def test_damaged_handshakes(data: st.DataObject) -> None:
    """A ClientHello with any octet changed, in any chunks: it succeeds to go on, or TlsFault; nothing else."""

    async def scene() -> None:
        connection, wire = connected()
        hello = bytearray(TlsClient(wire, connection).step())
        hello[data.draw(st.integers(0, len(hello) - 1))] ^= data.draw(st.integers(1, 255))
        cut = data.draw(st.integers(0, len(hello)))
        connection.data_received(bytes(hello[:cut]))
        server = asyncio.get_running_loop().create_task(connection.start_tls(contexts()[0]))
        await asyncio.sleep(0)
        connection.data_received(bytes(hello[cut:]))
        await asyncio.sleep(0)
        connection.eof_received()
        with pytest.raises(TlsFault):
            await server

    run(scene)


def test_damaged_records() -> None:
    """A record that was changed on its way ends the stream: what came before is given, then b"" (RFC 8446 §5.2)."""

    async def scene() -> None:
        connection, wire = connected()
        client = TlsClient(wire, connection)
        await client.handshake()
        good, bad = client.encrypt(b"good"), bytearray(client.encrypt(b"evil"))
        bad[-1] ^= 1
        connection.data_received(good + bad)
        assert await connection.receive() == b"good"
        assert await connection.receive() == b""

    run(scene)


def test_close_notify_both_ways() -> None:
    """The client's is the end of input, and replies still go out; ours reaches the client before the end."""

    async def scene() -> None:
        connection, wire = connected()
        client = TlsClient(wire, connection)
        await client.handshake()
        connection.data_received(client.encrypt(b"QUIT\r\n") + client.close_notify())
        assert await connection.receive() == b"QUIT\r\n"
        assert await connection.receive() == b""
        connection.send(b"221 2.0.0 Bye\r\n")
        assert client.read() == b"221 2.0.0 Bye\r\n"

        other, other_wire = connected()
        listening = TlsClient(other_wire, other)
        await listening.handshake()
        other.send(b"* BYE\r\n")
        other.close()
        assert other_wire.ended == "closed"
        assert listening.read() == b"* BYE\r\n"
        assert listening.ssl.read(1) == b""  # without close_notify: SSLWantReadError

    run(scene)


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


def test_a_cut_without_close_notify_is_the_end() -> None:
    """Many clients just close: the end, no fault."""

    async def scene() -> None:
        connection, wire = connected()
        client = TlsClient(wire, connection)
        await client.handshake()
        connection.data_received(client.encrypt(b"x")[:-3])
        connection.eof_received()
        assert await connection.receive() == b""

    run(scene)


@given(cuts=st.lists(st.integers(0, 2000), max_size=6))
def test_any_chunking_gives_the_same_text(cuts: list[int]) -> None:
    """Records cut anywhere are put together."""

    async def scene() -> None:
        connection, wire = connected()
        client = TlsClient(wire, connection)
        await client.handshake()
        records = b"".join(client.encrypt(b"%d " % number * 50) for number in range(10))
        at = 0
        for cut in [*sorted(cuts), len(records)]:
            connection.data_received(records[at:cut])
            at = max(at, cut)
        assert await connection.receive() == b"".join(b"%d " % number * 50 for number in range(10))

    run(scene)


# -- beside OpenSSL's client, and in memory ----------------------------------------------------------------------

_SERVER = """
import asyncio, sys, uvloop
from pillarbox.net.connection import Connection, TlsFault
from pillarbox.net.tls_contexts import server_context

async def main():
    context = server_context(sys.argv[1], sys.argv[2], where="test")
    loop = asyncio.get_running_loop()
    tasks = set()
    async def serve(connection):
        try:
            await connection.start_tls(context)
        except TlsFault:
            return
        while data := await connection.receive():
            connection.send(b"<" + data.upper())
            await connection.drain()
        connection.close()
    def begin(connection):
        task = loop.create_task(serve(connection))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    server = await loop.create_server(lambda: Connection(connected=begin), "127.0.0.1", 0, backlog=500)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)

uvloop.run(main())
"""


@contextlib.contextmanager
def echo_server() -> Iterator[tuple[int, int]]:
    """A process that speaks TLS through `Connection`."""
    names = [str(_directory() / "self-signed.pem"), str(_directory() / "self-signed.key")]
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER, *names], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process.pid, int(process.stdout.readline())
        process.stdin.close()
    assert process.returncode == 0


def openssl(port: int, lines: list[tuple[bytes, bytes]], *arguments: str) -> bytes:
    """What s_client shows.  After each line that is typed it must show something; a line is typed when it has.

    A line `R` renegotiates, `K` updates keys and asks the server to, `Q` ends.
    """
    path = counterparts.program("openssl") or "openssl"
    shown = b""
    with subprocess.Popen(
        [path, "s_client", "-connect", f"127.0.0.1:{port}", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            for line, answer in [(b"", b"---\n"), *lines]:
                process.stdin.write(line)
                start = len(shown)
                while answer not in shown[start:] and (data := process.stdout.read(65536)):
                    shown += data
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        shown += process.stdout.read()
    return shown


@pytest.mark.skipif(not counterparts.is_here("openssl"), reason="openssl is not installed")
def test_renegotiation_and_key_update() -> None:
    """TLS 1.2: no renegotiation (CVE-2011-1473).  TLS 1.3: keys are updated both ways and text goes on."""
    with echo_server() as (_, port):
        typed = [(b"one\n", b"<ONE"), (b"K\n", b"KEYUPDATE"), (b"two\n", b"<TWO"), (b"three\n", b"<THREE")]
        updated = openssl(port, typed, "-tls1_3")
        assert updated.count(b"<T") == 2, updated
        typed = [(b"one\n", b"<ONE"), (b"R\n", b"RENEGOTIATING"), (b"two\n", b"<TWO")]
        refused = openssl(port, typed, "-tls1_2")
        assert b"RENEGOTIATING" in refused
        assert b"no renegotiation" in refused
        assert b"<TWO" not in refused
        assert b"<ONE" not in openssl(port, [(b"one\n", b"<ONE")], "-tls1_1")


def test_an_idle_connection_is_small() -> None:
    """A TLS session costs well under 60 KiB of the server's memory (asyncio's own TLS: 269)."""
    count = 150

    async def scene(pid: int, port: int) -> None:
        async def one() -> asyncio.StreamWriter:
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=contexts()[1], server_hostname="mx.test"
            )
            return writer

        warm = [await one() for _ in range(20)]
        before = memory(pid)
        writers = [await one() for _ in range(count)]
        each = (memory(pid) - before) / count
        for writer in (*warm, *writers):
            writer.transport.abort()
        assert each < 60 * 1024, each

    with echo_server() as (pid, port):
        asyncio.run(scene(pid, port))


def memory(pid: int) -> int:
    """Private and shared octets of a process (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().split("\n"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(os.listdir(f"/proc/{pid}"))
