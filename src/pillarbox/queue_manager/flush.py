"""flush(8): mail that is tried before its time, because an admin or a site (ETRN) asks for it.

DESCRIPTION
    A deferred message is due when its file's mtime has come; to flush it is to set that to now, and to hand its id
    to the queue manager, which forgets which destinations it could not reach.

    Which mail a site has stands in the site's log (queue/site_logs.py): strangers can ask by ETRN, and as often as
    they like, so the queue is not read for it.

    All of it happens in a thread, some hundred messages at a time: the log may be long.

STANDARDS
    Postfix flush(8), queue_flush_protocol
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final

from pillarbox.net.accepting import serve_clients
from pillarbox.net.peer_credentials import peer_uid
from pillarbox.observability import events
from pillarbox.queue.flush_protocol import (
    GREETING,
    FlushRequest,
    FlushStatus,
    encode_status,
    request_from,
)
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_ids import is_queue_id
from pillarbox.queue.site_logs import SiteLogs, site_name
from pillarbox.queue_manager.scans import STEP
from pillarbox.routing.domain_lists import DomainList
from pillarbox.tables.authorized_users import AuthorizedUsers
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import QueueId
from pillarbox.wire.attributes import AttributeFault, AttributeReader

_PATIENCE: Final = 30.0
_CLIENTS: Final = 50

Flushed = Callable[[list[QueueId]], Awaitable[None]]
"""Told of deferred messages that are due now; returns when there is room for more."""


class Flusher:
    """Makes deferred messages due."""

    def __init__(
        self,
        directories: QueueDirectories,
        *,
        sites: DomainList,
        revive: Callable[[], None],
        flushed: Flushed,
        clock: Clock,
    ) -> None:
        """`sites` are those of fast_flush_domains; `revive` is called before mail of a dead site may be due."""
        self._directories = directories
        self._logs = SiteLogs(directories)
        self._allowed = sites
        self._clock = clock
        self._revive = revive
        self._flushed = flushed
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="flush")
        self._sites: set[str] = set()  # those whose logs are being read

    async def message(self, queue_id: QueueId) -> None:
        """One message, if it is deferred."""
        await self._flush([queue_id])

    def may_ask(self, site: bytes) -> bool:
        """Whether there is a log for a site.  LookupFault."""
        name = _name(site)
        return bool(name) and self._allowed.holds(name)

    async def site(self, site: bytes) -> None:
        """All deferred mail that a site is to get.

        Who asks while the same site's mail is being made due has asked with him who did first.
        """
        name = _name(site)
        if name in self._sites:
            return
        self._sites.add(name)
        try:
            await self._flush(self._logs.take(name))
        finally:
            self._sites.discard(name)

    def close(self) -> None:
        """No more work."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _flush(self, wanted: Iterable[QueueId]) -> None:
        loop = asyncio.get_running_loop()
        ids = iter(wanted)
        self._revive()
        while (due := await loop.run_in_executor(self._threads, self._make_due, ids)) is not None:
            if due:
                await self._flushed(due)

    def _make_due(self, ids: Iterator[QueueId]) -> list[QueueId] | None:
        """Those of the next messages that are deferred; None at the end."""
        some = list(islice(ids, STEP))
        if not some:
            return None
        now = self._clock.now()
        due: list[QueueId] = []
        for queue_id in some:
            try:
                self._directories.defer_until("deferred", queue_id, now)
            except OSError:
                continue  # it went on meanwhile
            due.append(queue_id)
        return due


def _name(site: bytes) -> str:
    return site_name(site.removeprefix(b"@"))


async def serve_flush(
    listener: socket.socket, flusher: Flusher, *, authorized: AuthorizedUsers, tell: events.EventSink
) -> None:
    """Answer public/flush until cancelled."""
    loop = asyncio.get_running_loop()

    async def answer(client: socket.socket) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await loop.sock_sendall(client, GREETING)
                request = request_from(await _read_request(client))
                status = FlushStatus.BAD
                if request is not None and authorized.may(peer_uid(client)):
                    status = await _carry_out(flusher, request, tasks)
                await loop.sock_sendall(client, encode_status(status))
        except (AttributeFault, LookupFault):
            return

    async with asyncio.TaskGroup() as tasks:
        await serve_clients(listener, answer, at_once=_CLIENTS, tell=lambda text: tell(events.Warned(text)))


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


async def _carry_out(flusher: Flusher, request: FlushRequest, tasks: asyncio.TaskGroup) -> FlushStatus:
    """A site is not kept waiting: how long it takes depends on how much there is."""
    if request.queue_id:
        name = os.fsdecode(request.queue_id)
        if not is_queue_id(name):
            return FlushStatus.BAD
        await flusher.message(QueueId(name))
    elif request.site:
        if not flusher.may_ask(request.site):
            return FlushStatus.DENIED
        tasks.create_task(flusher.site(request.site))
    else:
        return FlushStatus.BAD
    return FlushStatus.OK
