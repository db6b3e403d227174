"""IMAP and POP3 clients that only send commands and count what comes back: the server is measured, not the client."""

import asyncio
import socket
import ssl
import time
from typing import Self


def trusting() -> ssl.SSLContext:
    """The certificates were made for the benchmark."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Client:
    """One connection, logged in."""

    def __init__(self, port: int, user: str, password: str, *, tls: bool = False) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self._sock = trusting().wrap_socket(self._sock)
        self._number = 0
        self._until(b"\r\n")
        self.command(f"LOGIN {user} {password}")

    def command(self, text: str) -> tuple[float, int]:
        """Send a command; (seconds, octets) until its tagged answer, which must be OK."""
        self._number += 1
        tag = b"t%d" % self._number
        start = time.perf_counter()
        self._sock.sendall(tag + b" " + text.encode() + b"\r\n")
        octets = self._until_tagged(tag)
        return time.perf_counter() - start, octets

    def append(self, mailbox: str, message: bytes) -> None:
        """APPEND as most programs do: the literal when the server says so."""
        self._number += 1
        tag = b"t%d" % self._number
        self._sock.sendall(b"%b APPEND %b {%d}\r\n" % (tag, mailbox.encode(), len(message)))
        self._until(b"\r\n")
        self._sock.sendall(message + b"\r\n")
        self._until_tagged(tag)

    def idle(self) -> None:
        """Begin IDLE and leave it at that."""
        self._sock.sendall(b"idle IDLE\r\n")
        self._until(b"+ idling\r\n")

    def wait_for(self, text: bytes) -> None:
        """Until the server has said this."""
        data = b""
        while text not in data:
            data += self._receive()

    def close(self) -> None:
        """Hang up."""
        self._sock.close()

    def _receive(self) -> bytes:
        part = self._sock.recv(1 << 20)
        if not part:
            raise ConnectionError("the server has hung up")
        return part

    def _until(self, end: bytes) -> None:
        data = b""
        while not data.endswith(end):
            data += self._receive()

    def _until_tagged(self, tag: bytes) -> int:
        octets, tail = 0, b""
        while True:
            part = self._receive()
            octets += len(part)
            tail = (tail + part)[-1000:]
            last = tail[:-2].rpartition(b"\r\n")[2] if tail.endswith(b"\r\n") else b""
            if last.startswith(tag + b" "):
                if not last.startswith(tag + b" OK"):
                    raise ConnectionError(last)
                return octets


class Pop3Client:
    """One connection of POP3, logged in."""

    def __init__(self, port: int, user: str, password: str, *, tls: bool = False) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self._sock = trusting().wrap_socket(self._sock)
        self._answer(b"\r\n")
        self.command(f"USER {user}")
        self.command(f"PASS {password}")

    def command(self, text: str, *, long: bool = False) -> float:
        """Send a command; seconds until its answer, of many lines if it is `long`."""
        start = time.perf_counter()
        self._sock.sendall(text.encode() + b"\r\n")
        self._answer(b"\r\n.\r\n" if long else b"\r\n")
        return time.perf_counter() - start

    def close(self) -> None:
        """Hang up."""
        self._sock.close()

    def _answer(self, end: bytes) -> None:
        """Until the end of the answer, which must be +OK."""
        tail = begin = b""
        while not tail.endswith(end):
            part = self._sock.recv(1 << 20)
            if not part:
                raise ConnectionError("the server has hung up")
            begin = begin or part
            tail = (tail + part)[-len(end) :]
        if not begin.startswith(b"+OK"):
            raise ConnectionError(begin)


class AsyncClient:
    """One of many connections at once, logged in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._number = 0

    @classmethod
    async def connect(cls, port: int, user: str, password: str, *, tls: bool = False) -> Self:
        """Connect and log in."""
        context = trusting() if tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, limit=1 << 24)
        client = cls(reader, writer)
        await reader.readline()
        await client.command(f"LOGIN {user} {password}")
        return client

    async def command(self, text: str, literal: bytes | None = None) -> None:
        """Send a command, its literal when the server asks for it; the tagged answer must be OK."""
        self._number += 1
        tag = b"t%d" % self._number
        self._writer.write(tag + b" " + text.encode() + b"\r\n")
        if literal is not None:
            while not (line := await self._reader.readline()).startswith(b"+"):
                if not line or line.startswith(tag + b" "):
                    raise ConnectionError(line or "the server has hung up")
            self._writer.write(literal + b"\r\n")
        while not (line := await self._reader.readline()).startswith(tag + b" "):
            if not line:
                raise ConnectionError("the server has hung up")
            if line.endswith(b"}\r\n"):
                size = line[line.rindex(b"{") + 1 : -3]
                await self._reader.readexactly(int(size))
        if not line.startswith(tag + b" OK"):
            raise ConnectionError(line)

    async def idle(self) -> None:
        """Begin IDLE and leave it at that."""
        self._writer.write(b"idle IDLE\r\n")
        while not (line := await self._reader.readline()).startswith(b"+ "):
            if not line:
                raise ConnectionError("the server has hung up")

    async def wait_for(self, line: bytes) -> None:
        """Until the server has said this."""
        while (said := await self._reader.readline()) != line:
            if not said:
                raise ConnectionError("the server has hung up")

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
