"""TLS on a connection: handshakes and records in pieces, cut and damaged; any chunking gives the same text."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import counterparts
from fakes.connected_peers import TlsClient, certificate_files, connected, contexts, run
from pillarbox.net.tls_faults import TlsFault


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
    with (
        certificate_files() as names,
        subprocess.Popen(
            [sys.executable, "-c", _SERVER, *names], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process,
    ):
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
        assert (updated.count(b"<TWO\n"), updated.count(b"<THREE\n")) == (1, 1), updated
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
