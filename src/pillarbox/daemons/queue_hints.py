"""smtpd's word to the queue manager: these messages are in incoming now.

DESCRIPTION
    Hints of one turn of the loop go out in one frame.  A queue manager that is not there loses them, which costs
    time and no mail: its scan finds the messages.
"""

import asyncio
import socket

from pillarbox.daemons.qmgr import MessagesQueued
from pillarbox.net.channel import Channel, ChannelClosed
from pillarbox.vocabulary.identifiers import QueueId


class QueueHints:
    """A channel to the queue manager that is opened when needed and again when lost."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._channel: Channel[MessagesQueued] | None = None
        self._ids: list[str] = []

    def __call__(self, queue_id: QueueId) -> None:
        """A message was committed."""
        self._ids.append(queue_id)
        if len(self._ids) == 1:
            asyncio.get_running_loop().call_soon(self._send)

    def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            self._channel.close()

    def _send(self) -> None:
        ids, self._ids = self._ids, []
        for _ in range(2):  # the second time with a fresh channel
            try:
                self._open().send(MessagesQueued(ids))
                return
            except (OSError, ChannelClosed):
                self._channel = None

    def _open(self) -> "Channel[MessagesQueued]":
        if self._channel is None or self._channel.closed:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.connect(self._path)  # a Unix socket: at once, or not at all
            except OSError:
                sock.close()
                raise
            self._channel = Channel(sock, MessagesQueued)
        return self._channel
