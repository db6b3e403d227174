"""The indexers of a worker: processes that read many messages for it at once (mailstore/cache/indexing.py).

DESCRIPTION
    `want` asks for as many as there are to be; the spawner forks them with the worker's rights, and `add` takes
    their channels when they come.  They go when nothing was asked of them for `REST` seconds: a worker whose
    mailboxes are in the cache has none.

    `ask` spreads messages over them, `PORTION` at a time.  Who has none ready, or loses one, reads
    the messages himself: nothing depends on them.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from pillarbox.mailstore.cache.indexing import Indexed, IndexMessages, IndexTexts
from pillarbox.mailstore.mailbox import Fields
from pillarbox.net.channel import Channel, ChannelClosed

REST: Final = 5.0
"""Seconds without work after which indexers go."""
PORTION: Final = 256
"""Messages in one question: 300 KB of answer."""


class Source(msgspec.Struct, frozen=True):
    """Where messages are, and where their rows go: the cache's directory, the number there, the folder."""

    root: bytes
    mailbox: int
    directory: bytes


class Indexers:
    """Those of one worker.  All methods are called on the event loop."""

    def __init__(self, ask: Callable[[], None], *, most: int, tasks: asyncio.TaskGroup) -> None:
        """`ask` asks the spawner for one more."""
        self._start_one = ask
        self._most = most
        self._tasks = tasks
        self._asked = 0
        self._channels: list[Channel[Indexed]] = []
        self._answers: dict[int, tuple[Channel[Indexed], asyncio.Future[Indexed | None]]] = {}
        self._number = 0
        self._used_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def ready(self) -> bool:
        """Whether there is one to ask."""
        return bool(self._channels)

    def want(self) -> None:
        """There will be work: have them started."""
        while self._asked < self._most:
            self._asked += 1
            self._start_one()

    def add(self, sock: socket.socket) -> None:
        """One that was asked for is there."""
        channel: Channel[Indexed] = Channel(sock, Indexed)
        self._channels.append(channel)
        self._tasks.create_task(self._listen(channel))
        self._use()
        self._rest_later()

    def ask(
        self, source: Source, uids: Sequence[int], paths: Sequence[bytes], fields: Fields
    ) -> list["asyncio.Future[Indexed | None]"]:
        """Have messages read, with what FETCH wants of them, or have the cache filled (no fields).

        One answer for each `PORTION`; None for one that is lost.
        """
        self._use()
        return [
            self._question(
                source, list(uids[start : start + PORTION]), list(paths[start : start + PORTION]), fields
            )
            for start in range(0, len(uids), PORTION)
        ]

    def ask_texts(
        self, source: Source, uids: list[int], paths: list[bytes]
    ) -> "asyncio.Future[Indexed | None]":
        """Have the index of texts filled; the source's number is the mailbox's there."""
        self._use()
        return self._ask(
            lambda number: IndexTexts(number, source.root, source.mailbox, source.directory, uids, paths)
        )

    def close(self) -> None:
        """Let all go: they finish what they have."""
        channels, self._channels, self._asked = self._channels, [], 0
        for channel in channels:
            channel.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _question(
        self, source: Source, uids: list[int], paths: list[bytes], fields: Fields
    ) -> "asyncio.Future[Indexed | None]":
        return self._ask(
            lambda number: IndexMessages(
                number, source.root, source.mailbox, source.directory, uids, paths, fields.value
            )
        )

    def _ask(self, question: Callable[[int], IndexMessages | IndexTexts]) -> "asyncio.Future[Indexed | None]":
        answer: asyncio.Future[Indexed | None] = asyncio.get_running_loop().create_future()
        if not self._channels:
            answer.set_result(None)
            return answer
        self._number += 1
        channel = self._channels[self._number % len(self._channels)]
        try:
            channel.send(question(self._number))
        except ChannelClosed:  # _listen sees it, too
            answer.set_result(None)
        else:
            self._answers[self._number] = (channel, answer)
        return answer

    async def _listen(self, channel: Channel[Indexed]) -> None:
        """Take an indexer's answers until it is gone."""
        while (received := await channel.receive()) is not None:
            indexed, _ = received
            _, answer = self._answers.pop(indexed.number, (None, None))
            if answer is not None and not answer.done():
                answer.set_result(indexed)
        channel.close()
        if channel in self._channels:
            self._channels.remove(channel)
            self._asked -= 1
        for number, (asked, answer) in list(self._answers.items()):
            if asked is channel:
                del self._answers[number]
                if not answer.done():
                    answer.set_result(None)

    def _use(self) -> None:
        self._used_at = asyncio.get_running_loop().time()

    def _rest_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(self._used_at + REST, self._rest)

    def _rest(self) -> None:
        self._timer = None
        if self._answers:
            self._use()
        if asyncio.get_running_loop().time() >= self._used_at + REST:
            self.close()
        elif self._channels:
            self._rest_later()
