"""A client of an auth-userdb socket: whether there is a user, and what the userdb says of him.

DESCRIPTION
    One connection serves all questions of a process; it is opened when first needed and again after it was lost.
    The server may be ours or a real Dovecot.

STANDARDS
    Dovecot's Design.AuthProtocol, master protocol 1.1
"""

import asyncio
import itertools
import os
from typing import Final

from pillarbox.net.connection import Connection
from pillarbox.wire.auth_protocol import LineReader, LineTooLong, encode_line, split_line

_ANSWER_SECONDS: Final = 60.0


class LookupClient:
    """One process's connection."""

    def __init__(self, path: str, *, tasks: asyncio.TaskGroup) -> None:
        self._path = path
        self._tasks = tasks
        self._numbers = itertools.count(1)
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()
        self._waiting: dict[int, asyncio.Future[list[bytes] | None]] = {}

    async def exists(self, user: str, *, service: str) -> bool | None:
        """Whether there is such a user; None if nobody knows now."""
        answer = await self.lookup(user, service=service)
        if answer is None or answer[0] not in (b"USER", b"NOTFOUND"):
            return None
        return answer[0] == b"USER"

    async def lookup(self, user: str, *, service: str) -> list[bytes] | None:
        """The answer's fields; None if there is none.  A server that was just reloaded is asked once more."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._ask(user, service) or await self._ask(user, service)
        except TimeoutError:
            return None

    async def _ask(self, user: str, service: str) -> list[bytes] | None:
        number = next(self._numbers)
        future: asyncio.Future[list[bytes] | None] = asyncio.get_running_loop().create_future()
        try:
            connection = await self._open()
            self._waiting[number] = future
            connection.send(
                encode_line(b"USER", b"%d" % number, user.encode(), b"service=" + service.encode())
            )
            return await future
        except OSError:
            return None
        finally:
            self._waiting.pop(number, None)

    def close(self) -> None:
        """Let the server go."""
        if self._connection is not None:
            self._connection.close()

    async def _open(self) -> Connection:
        if self._connection is not None and not self._connection.is_lost:
            return self._connection
        async with self._opening:
            if self._connection is None or self._connection.is_lost:
                loop = asyncio.get_running_loop()
                _, connection = await loop.create_unix_connection(Connection, self._path)
                connection.send(
                    encode_line(b"VERSION", b"1", b"0") + encode_line(b"CPID", b"%d" % os.getpid())
                )
                self._connection = connection
                self._tasks.create_task(self._listen(connection))
            return self._connection

    async def _listen(self, connection: Connection) -> None:
        reader = LineReader()
        try:
            while data := await connection.receive():
                for line in reader.feed(data):
                    fields = split_line(line)
                    if len(fields) > 1 and fields[1].isdigit() and len(fields[1]) < 18:
                        future = self._waiting.get(int(fields[1]))
                        answers = fields[0] in (b"USER", b"NOTFOUND", b"FAIL")
                        if future is not None and not future.done() and answers:
                            future.set_result(fields)
        except LineTooLong:
            pass
        finally:
            connection.close()
            for future in self._waiting.values():
                if not future.done():
                    future.set_result(None)
