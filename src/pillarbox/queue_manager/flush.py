"""flush(8): mail that is tried before its time, because an admin or a site (ETRN) asks for it.

DESCRIPTION
    A deferred message is due when its file's mtime has come; to flush it is to set that to now, and to hand its id
    to the queue manager.  Mail for a site is found by reading the deferred queue; there is no index that could be
    out of date.

    All of it happens in a thread: the queue may be long.

STANDARDS
    Postfix flush(8), queue_flush_protocol
"""

import asyncio
import os
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pillarbox.net.peer_credentials import peer_uid
from pillarbox.queue.flush_protocol import (
    GREETING,
    FlushRequest,
    FlushStatus,
    encode_status,
    request_from,
)
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_ids import is_queue_id
from pillarbox.queue.queue_listing import recipients_of
from pillarbox.tables.authorized_users import AuthorizedUsers
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import QueueId
from pillarbox.wire.attributes import AttributeFault, AttributeReader

_PATIENCE: Final = 30.0

Flushed = Callable[[list[QueueId]], None]
"""Told of deferred messages that are due now."""


class Flusher:
    """Makes deferred messages due."""

    def __init__(self, directories: QueueDirectories, *, clock: Clock, flushed: Flushed) -> None:
        self._directories = directories
        self._clock = clock
        self._flushed = flushed
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="flush")
        self._sites: set[bytes] = set()  # those that are being looked for

    async def everything(self) -> None:
        """All deferred mail."""
        await self._flush(lambda: self._directories.scan("deferred"))

    async def message(self, queue_id: QueueId) -> None:
        """One message, if it is deferred."""
        await self._flush(lambda: [queue_id])

    async def site(self, site: bytes) -> None:
        """All deferred mail that a site is to get.

        Strangers can ask by ETRN, and the whole queue is read for it: who asks while the same site's mail is looked
        for has asked with him who did first.
        """
        domain = site.lower().removeprefix(b"@")
        if domain in self._sites:
            return

        def wanted() -> Iterable[QueueId]:
            for queue_id in self._directories.scan("deferred"):
                for address in recipients_of(self._directories, "deferred", queue_id):
                    if address.rpartition(b"@")[2].lower() == domain:
                        yield queue_id
                        break

        self._sites.add(domain)
        try:
            await self._flush(wanted)
        finally:
            self._sites.discard(domain)

    def close(self) -> None:
        """No more work."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _flush(self, wanted: Callable[[], Iterable[QueueId]]) -> None:
        def make_due() -> list[QueueId]:
            now = self._clock.now()
            due: list[QueueId] = []
            for queue_id in wanted():
                try:
                    self._directories.defer_until("deferred", queue_id, now)
                except OSError:
                    continue  # it went on meanwhile
                due.append(queue_id)
            return due

        due = await asyncio.get_running_loop().run_in_executor(self._threads, make_due)
        if due:
            self._flushed(due)


async def serve_flush(listener: socket.socket, flusher: Flusher, *, authorized: AuthorizedUsers) -> None:
    """Answer public/flush until cancelled."""
    loop = asyncio.get_running_loop()
    listener.setblocking(False)

    async def answer(client: socket.socket) -> None:
        with client:
            try:
                async with asyncio.timeout(_PATIENCE):
                    await loop.sock_sendall(client, GREETING)
                    request = request_from(await _read_request(client))
                    status = FlushStatus.BAD
                    if request is not None and authorized.may(peer_uid(client)):
                        status = await _carry_out(flusher, request)
                    await loop.sock_sendall(client, encode_status(status))
            except (OSError, TimeoutError, AttributeFault, LookupFault):
                return

    async with asyncio.TaskGroup() as tasks:
        while True:
            client, _ = await loop.sock_accept(listener)
            tasks.create_task(answer(client))


async def _read_request(client: socket.socket) -> dict[bytes, bytes]:
    loop = asyncio.get_running_loop()
    reader, found = AttributeReader(), dict[bytes, bytes]()
    while True:
        attribute = reader.next()
        if attribute is None:
            data = await loop.sock_recv(client, 4096)
            if not data:
                raise AttributeFault("the client stopped in between")
            reader.feed(data)
        elif attribute == (b"", b""):
            return found
        else:
            found[attribute[0]] = attribute[1]


async def _carry_out(flusher: Flusher, request: FlushRequest) -> FlushStatus:
    if request.queue_id:
        name = os.fsdecode(request.queue_id)
        if not is_queue_id(name):
            return FlushStatus.BAD
        await flusher.message(QueueId(name))
    elif request.site:
        await flusher.site(request.site)
    else:
        return FlushStatus.BAD
    return FlushStatus.OK
