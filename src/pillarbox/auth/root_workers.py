"""Connections to the worker that has root's rights: one question at a time on each.

FAULTS
    DatabaseFault  the worker is gone, or takes longer than a minute
"""

import asyncio
import socket
from typing import Final

from pillarbox.auth.system_users import Checked, Question
from pillarbox.auth.user_database import DatabaseFault
from pillarbox.net.channel import Channel, ChannelClosed

_ANSWER_SECONDS: Final = 60.0


class RootWorkers:
    """At most `limit` connections to the worker's socket, opened when they are needed."""

    def __init__(self, path: str, *, limit: int) -> None:
        self._path = path
        self._idle: list[Channel[Checked]] = []
        self._free = asyncio.Semaphore(limit)

    async def ask(self, question: Question) -> Checked:
        """The answer."""
        async with self._free:
            for _ in range(2):  # the second time over a fresh connection: the worker may have ended when idle
                fresh = not self._idle
                channel = await self._open() if fresh else self._idle.pop()
                try:
                    async with asyncio.timeout(_ANSWER_SECONDS):
                        channel.send(question)
                        received = await channel.receive()
                except (ChannelClosed, OSError):
                    received = None
                except TimeoutError:
                    channel.close()
                    raise DatabaseFault("the auth worker does not answer") from None
                if received is not None:
                    self._idle.append(channel)
                    return received[0]
                channel.close()
                if fresh:
                    break
        raise DatabaseFault("the auth worker died over the question")

    def close(self) -> None:
        """Let the worker go."""
        for channel in self._idle:
            channel.close()
        self._idle.clear()

    async def _open(self) -> "Channel[Checked]":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, self._path)
        except OSError as error:
            sock.close()
            raise DatabaseFault(f"the auth worker cannot be reached: {error.strerror}") from error
        return Channel(sock, Checked)
