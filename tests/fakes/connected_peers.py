"""Two ends of a connection on one event loop, for tests of what goes over it."""

import asyncio
import contextlib
import datetime
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

from pillarbox.net.connection import Connection
from pillarbox.net.outbox import Outbox
from pillarbox.net.self_signed import make_self_signed
from pillarbox.net.tls_contexts import server_context

HIGH_WATER = 196608


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


def connected(*, idle_limit: float = 0.0, outbox: Outbox | None = None) -> tuple[Connection, Wire]:
    """A connection that stands."""
    connection, wire = Connection(idle_limit=idle_limit, outbox=outbox), Wire()
    connection.connection_made(wire)
    return connection, wire


def run(scene: Callable[[], Awaitable[None]]) -> None:
    """Play a scene on a loop, for a bounded time."""

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scene()

    asyncio.run(bounded())


# -- bytes -----------------------------------------------------------------------------------------------------


_FILES: Final = ("self-signed.pem", "self-signed.key")


@cache
def _certificate_and_key() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory(prefix="pillarbox-test-") as directory:
        make_self_signed(Path(directory), host="mx.test", now=datetime.datetime.now(datetime.UTC))
        return tuple(Path(directory, name).read_bytes() for name in _FILES)


@contextlib.contextmanager
def certificate_files() -> Iterator[list[str]]:
    """The server's certificate and its key, the same each time, in files."""
    with tempfile.TemporaryDirectory(prefix="pillarbox-test-") as directory:
        for name, content in zip(_FILES, _certificate_and_key(), strict=True):
            Path(directory, name).write_bytes(content)
        yield [f"{directory}/{name}" for name in _FILES]


@cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext, ssl.SSLContext]:
    """The server's, a client's, and that of a client who speaks TLS 1.2."""
    with certificate_files() as (certificate, key):
        server = server_context(certificate, key, where="test")
        client, old_client = (ssl.create_default_context(cafile=certificate) for _ in range(2))
    old_client.maximum_version = ssl.TLSVersion.TLSv1_2
    return server, client, old_client


class TlsClient:
    """The other end of TLS, by hand."""

    def __init__(self, wire: Wire, connection: Connection, *, tls12: bool = False) -> None:
        context = contexts()[2 if tls12 else 1]
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
