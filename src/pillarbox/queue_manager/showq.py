"""showq(8): whoever connects to public/showq is sent the queue.

DESCRIPTION
    Files are read by a thread, in slices; the next slice is read when the client has taken the last one.  So the
    listing begins at once and takes the same memory however long the queue is.  A client that takes nothing for
    a minute is left.

    authorized_mailq_users says who may ask; root and the owner of the queue always may.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final

from pillarbox.net.peer_credentials import peer_uid
from pillarbox.observability import events
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_listing import list_queue
from pillarbox.queue.queue_listing_protocol import GREETING, encode_message
from pillarbox.tables.authorized_users import AuthorizedUsers
from pillarbox.wire.attributes import END

_FIRST_SLICE: Final = 32
_SLICE: Final = 256
"""Messages per turn of the thread."""
_PATIENCE: Final = 60.0
_CLIENTS: Final = 50


class ShowQueue:
    """The listing service."""

    def __init__(
        self,
        directories: QueueDirectories,
        *,
        empty_address: bytes,
        authorized: AuthorizedUsers,
        tell: events.EventSink,
    ) -> None:
        self._directories = directories
        self._empty_address = empty_address
        self._authorized = authorized
        self._tell = tell
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="showq")
        self._room = asyncio.Semaphore(_CLIENTS)

    async def serve(self, listener: socket.socket) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    await self._room.acquire()
                    client, _ = await loop.sock_accept(listener)
                    tasks.create_task(self._show(client))
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _show(self, client: socket.socket) -> None:
        with client:
            try:
                if self._authorized.may(uid := peer_uid(client)):
                    await self._send_all(client)
                else:
                    self._tell(events.Warned(f"showq: user {uid} is not allowed to view the mail queue"))
            except (OSError, TimeoutError):
                return  # the reader has gone, or has stopped reading
            finally:
                self._room.release()

    async def _send_all(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        messages = list_queue(self._directories, empty_address=self._empty_address)

        def encoded(count: int) -> bytes:
            return b"".join([encode_message(message) for message in islice(messages, count)])

        data, following = GREETING, loop.run_in_executor(self._threads, encoded, _FIRST_SLICE)
        try:
            while data:
                async with asyncio.timeout(_PATIENCE):
                    await loop.sock_sendall(client, data)
                data = await following
                following = loop.run_in_executor(self._threads, encoded, _SLICE)
        finally:
            await following  # or it would be read on by nobody
            messages.close()
        await loop.sock_sendall(client, END)
