"""Processes that write new messages and tell the queue manager of them (a hint, never the only way)."""

import asyncio
import socket
from collections.abc import Callable

from pillarbox.net.accepting import AwaitedAcceptor
from pillarbox.net.channel import Channel, ChannelClosed
from pillarbox.net.peer_credentials import peer_pid
from pillarbox.observability.events import EventSink, Warned
from pillarbox.queue.queue_frames import FilesFree, Flow, MessagesQueued
from pillarbox.vocabulary.identifiers import QueueId


class Writer:
    """One process, smtpd or another."""

    def __init__(self, sock: socket.socket) -> None:
        self.pid = peer_pid(sock)
        self.channel: Channel[MessagesQueued] = Channel(sock, MessagesQueued)
        self.wanted = 0  # files of finished messages that it can use
        self._free: list[str] = []

    def take(self, path: str) -> None:
        """Pass a file on."""
        self._free.append(path)
        if len(self._free) == 1:
            asyncio.get_running_loop().call_soon(self._send)

    def tell_flow(self, is_behind: bool) -> None:
        """Whether it should take its time."""
        try:
            self.channel.send(Flow(is_behind))
        except ChannelClosed:
            return

    def _send(self) -> None:
        paths, self._free = self._free, []
        try:
            self.channel.send(FilesFree(paths))
        except ChannelClosed:
            return  # its process has ended, and sweep() removes what has its number


class Writers:
    """All that are connected."""

    def __init__(self, queued: Callable[[list[QueueId], Writer], None], *, tell: EventSink) -> None:
        """`queued` is told of new messages."""
        self._queued = queued
        self._tell = tell
        self._connected: set[Writer] = set()
        self._is_behind = False

    async def serve(self, listener: socket.socket, tasks: asyncio.TaskGroup) -> None:
        """Hear everybody who comes, until cancelled."""
        acceptor = AwaitedAcceptor(listener, tell=lambda text: self._tell(Warned(text)))
        while True:
            writer = Writer(await acceptor.next_client())
            self._connected.add(writer)
            if self._is_behind:
                writer.tell_flow(True)
            tasks.create_task(self._hear(writer))

    def tell_flow(self, is_behind: bool) -> None:
        """Whether mail comes faster than it is taken up; said when it changes."""
        if is_behind is not self._is_behind:
            self._is_behind = is_behind
            for writer in list(self._connected):
                writer.tell_flow(is_behind)

    def close(self) -> None:
        """Hear nobody any more."""
        for writer in list(self._connected):
            writer.channel.close()

    async def _hear(self, writer: Writer) -> None:
        while (received := await writer.channel.receive()) is not None:
            writer.wanted += received[0].wanted
            self._queued([QueueId(queue_id) for queue_id in received[0].ids], writer)
        self._connected.discard(writer)
