"""Numbered questions to another process over one channel, answered in any order.

DESCRIPTION
    The channel to a Unix socket is opened when the first question comes, and again after it was lost.

FAULTS
    OSError        nobody takes connections
    ChannelClosed  the other process went away over the question
"""

import asyncio
import itertools
import socket
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from pillarbox.net.channel import Channel, ChannelClosed


class Numbered(Protocol):
    """An answer: it has its question's number."""

    number: int


A = TypeVar("A", bound=Numbered)


class QuestionChannel(Generic[A]):
    """One process's end.  Belongs to one event loop."""

    def __init__(self, path: str, answers: type[A], *, tasks: asyncio.TaskGroup) -> None:
        """`answers` is the frame that comes back."""
        self._path = path
        self._answers = answers
        self._tasks = tasks
        self._numbers = itertools.count(1)
        self._channel: Channel[A] | None = None
        self._waiting: dict[int, asyncio.Future[A]] = {}  # for answers over this channel

    def connect(self) -> None:
        """Open the channel now, if the other process is there; `ask()` tries again."""
        try:
            self._open()
        except OSError:
            return

    async def ask(self, question: Callable[[int], object], descriptors: Iterable[int] = ()) -> A:
        """The answer to the frame that `question` makes of its number.  The descriptors stay the caller's."""
        channel = self._open()
        waiting, number = self._waiting, next(self._numbers)
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        waiting[number] = future
        try:
            channel.send(question(number), descriptors)
            return await future
        finally:
            waiting.pop(number, None)

    def close(self) -> None:
        """Let the other process go; who waits hears of it."""
        if self._channel is not None:
            self._channel.close()

    def _open(self) -> "Channel[A]":
        if self._channel is None or self._channel.closed:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.connect(self._path)
            except OSError:
                sock.close()
                raise
            self._channel, self._waiting = Channel(sock, self._answers), {}
            self._tasks.create_task(_listen(self._channel, self._waiting))
        return self._channel


async def _listen(channel: "Channel[A]", waiting: "dict[int, asyncio.Future[A]]") -> None:
    while (received := await channel.receive()) is not None:
        future = waiting.get(received[0].number)
        if future is not None and not future.done():
            future.set_result(received[0])
    for future in waiting.values():
        if not future.done():
            future.set_exception(ChannelClosed("it went away over the question"))
