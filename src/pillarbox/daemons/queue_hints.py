"""A writer's end of its channel to the queue manager: what is in incoming now, and files to use again.

DESCRIPTION
    Hints of one turn of the loop go out in one frame.  A queue manager that is not there loses them, which costs
    time and no mail: its scan finds the messages.  It answers with files of finished messages, as many as the
    reserve has room for.
"""

import asyncio
import socket

from pillarbox.net.channel import Channel, ChannelClosed
from pillarbox.queue.incoming import IncomingQueue
from pillarbox.queue.queue_frames import FilesFree, MessagesQueued
from pillarbox.vocabulary.identifiers import QueueId


class QueueHints:
    """A channel to the queue manager that is opened when needed and again when lost."""

    def __init__(self, path: str, queue: IncomingQueue) -> None:
        self._path = path
        self._queue = queue
        self._channel: Channel[FilesFree] | None = None
        self._opened = asyncio.Event()
        self._ids: list[str] = []
        self._asked = 0  # files asked for that have not come

    def __call__(self, queue_id: QueueId) -> None:
        """A message was committed."""
        self._ids.append(queue_id)
        if len(self._ids) == 1:
            asyncio.get_running_loop().call_soon(self._send)

    async def take_files(self) -> None:
        """Take what the queue manager sends, until cancelled."""
        while True:
            await self._opened.wait()
            self._opened.clear()
            while (channel := self._channel) is not None:
                received = await channel.receive()
                if received is None:
                    break
                self._asked -= len(received[0].paths)
                for path in received[0].paths:
                    self._queue.adopt(path)

    def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            self._channel.close()

    def _send(self) -> None:
        ids, self._ids = self._ids, []
        for _ in range(2):  # the second time with a fresh channel
            try:
                channel = self._open()
                wanted = max(0, min(len(ids), self._queue.room - self._asked))
                channel.send(MessagesQueued(ids, wanted))
                self._asked += wanted
                return
            except (OSError, ChannelClosed):
                self._channel = None

    def _open(self) -> "Channel[FilesFree]":
        if self._channel is None or self._channel.closed:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.connect(self._path)  # a Unix socket: at once, or not at all
            except OSError:
                sock.close()
                raise
            self._channel = Channel(sock, FilesFree)
            self._asked = 0
            self._opened.set()
        return self._channel
