"""Several sessions of one user, over sockets, each with a model that knows what it may believe.

DESCRIPTION
    `ModelSessions` logs them in; what they do is the test's matter.  At the end all must have heard the same.  When
    something is wrong, what each of them said and heard is printed.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fakes.imap_model import ModelClient

_TAG: Final = re.compile(rb"([^ ]+) ")


class SocketClient:
    """A connection of a session."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.transcript = bytearray()
        """What was said by both, shown when a test fails."""

    async def hear_greeting(self) -> None:
        """`* OK …`"""
        assert (await self._reader.readline()).startswith(b"* OK ")

    async def ask(self, line: bytes) -> bytes:
        """Say a command; the answer up to its tagged line."""
        found = _TAG.match(line)
        assert found is not None
        self._writer.write(line)
        self.transcript += line
        said = b""
        while True:
            answer = await self._reader.readline()
            assert answer, f"the connection ended after {line!r}: {said!r}"
            said += answer
            self.transcript += answer
            if answer.startswith(found[1] + b" "):
                return said

    def close(self) -> None:
        """The client goes."""
        self._writer.close()


@asynccontextmanager
async def model_sessions(
    port: int, user: str, password: str, *, count: int
) -> AsyncIterator[list[ModelClient]]:
    """So many, logged in and in INBOX, the first with QRESYNC; they go at the end."""
    connections: list[SocketClient] = []
    try:
        clients = []
        for number in range(count):
            connection = SocketClient(*await asyncio.open_connection("127.0.0.1", port))
            connections.append(connection)
            await connection.hear_greeting()
            client = ModelClient(connection.ask)
            await client.say(b'LOGIN %b "%b"' % (user.encode(), password.encode()))
            if number == 0:
                await client.enable_qresync()
                await client.say(b"APPEND INBOX {1+}\r\nx")
            await client.begin()
            clients.append(client)
        yield clients
    except BaseException:
        for number, connection in enumerate(connections):
            print(f"session {number}:\n{connection.transcript.decode()}")
        raise
    finally:
        for connection in connections:
            connection.close()


async def all_have_heard_the_same(clients: list[ModelClient]) -> None:
    """After a NOOP of each: numbers, UIDs, flags and kept results are right, and equal."""
    for client in clients:
        await client.say(b"NOOP")
    for client in clients:
        await client.check()
    assert len({tuple(client.uids) for client in clients}) == 1
    assert all(client.flags == clients[0].flags for client in clients)
