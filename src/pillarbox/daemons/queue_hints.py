"""A writer's end of its channel to the queue manager: what is in incoming now, and files to use again.

DESCRIPTION
    The hint of a message goes out in the turn of the loop in which it was committed.  When messages follow close
    upon each other, the hints of 25 to 50 milliseconds, of four messages or more, go out in one frame: whoever
    comes after, the queue manager, an agent, the file system's journal, then has one batch to work on instead of
    several, and leaves processors and disk to the client that sends the next message.

    A queue manager that is not there loses them, which costs time and no mail: its scan finds the messages.  It
    answers with files of finished messages, as many as the reserve has room for, and says when mail comes faster
    than it takes it up.
"""

import asyncio
import socket
from typing import Final

from pillarbox.net.channel import Channel, ChannelClosed
from pillarbox.queue.incoming import IncomingQueue
from pillarbox.queue.queue_frames import FilesFree, Flow, MessagesQueued
from pillarbox.vocabulary.identifiers import QueueId

_TOGETHER: Final = 4
"""Messages whose hints go out together, if they do not come too slowly for that."""
_SHORTEST_PAUSE: Final = 0.025
_LONGEST_PAUSE: Final = 0.05
"""Between two frames, seconds."""


def pause_after(interval: float) -> float:
    """Seconds until the next frame may go out, where messages come `interval` seconds apart."""
    return min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, _TOGETHER * interval))


class QueueHints:
    """A channel to the queue manager that is opened when needed and again when lost."""

    def __init__(self, path: str, queue: IncomingQueue) -> None:
        self._loop = asyncio.get_running_loop()
        self._path = path
        self._queue = queue
        self._channel: Channel[FilesFree | Flow] | None = None
        self._keeps_up = asyncio.Event()  # the queue manager does
        self._keeps_up.set()
        self._opened = asyncio.Event()
        self._ids: list[str] = []
        self._asked = 0  # files asked for that have not come
        self._latest = 0.0  # time of the loop at which a frame went out
        self._earliest = 0.0  # and at which the next one may
        self._timer: asyncio.Handle | None = None

    def __call__(self, queue_id: QueueId) -> None:
        """A message was committed."""
        self._ids.append(queue_id)
        if self._timer is None:
            if self._loop.time() < self._earliest:
                self._timer = self._loop.call_at(self._earliest, self._send)
            else:
                self._timer = self._loop.call_soon(self._send)

    async def take_files(self) -> None:
        """Take what the queue manager sends, until cancelled."""
        while True:
            await self._opened.wait()
            self._opened.clear()
            while (channel := self._channel) is not None:
                received = await channel.receive()
                if received is None:
                    break
                frame = received[0]
                if isinstance(frame, Flow):
                    self._note_flow(frame.is_behind)
                    continue
                self._asked -= len(frame.paths)
                for path in frame.paths:
                    self._queue.adopt(path)
            self._note_flow(False)

    def _note_flow(self, is_behind: bool) -> None:
        if is_behind:
            self._keeps_up.clear()
        else:
            self._keeps_up.set()

    @property
    def is_behind(self) -> bool:
        """Whether mail comes faster than the queue manager takes it up."""
        return not self._keeps_up.is_set()

    async def take_time(self, seconds: float) -> None:
        """Wait so long, or until the queue manager keeps up (in_flow_delay)."""
        if self.is_behind:
            try:
                async with asyncio.timeout(seconds):
                    await self._keeps_up.wait()
            except TimeoutError:
                return

    async def close(self) -> None:
        """Send what has not been sent, and close the channel."""
        if self._timer is not None:
            self._timer.cancel()
            self._send()
        await asyncio.sleep(0)  # frames go out at the end of a turn
        if self._channel is not None:
            self._channel.close()

    def _send(self) -> None:
        ids, self._ids = self._ids, []
        self._timer = None
        if ids:
            now = self._loop.time()
            interval = (now - self._latest) / len(ids)
            self._earliest = now + pause_after(interval)
            self._latest = now
        for _ in range(2):  # the second time with a fresh channel
            try:
                channel = self._open()
                wanted = max(0, min(len(ids), self._queue.room - self._asked))
                channel.send(MessagesQueued(ids, wanted))
                self._asked += wanted
                return
            except (OSError, ChannelClosed):
                self._channel = None

    def _open(self) -> "Channel[FilesFree | Flow]":
        if self._channel is None or self._channel.closed:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.connect(self._path)  # a Unix socket: at once, or not at all
            except OSError:
                sock.close()
                raise
            self._channel = Channel(sock, FilesFree | Flow)
            self._asked = 0
            self._opened.set()
        return self._channel
