"""What the queue manager's process does for others: the sockets in public/.

public/showq    the queue, listed            (showq.py)
public/flush    a message, a site, now       (flush.py)
public/qmgr     look at incoming, deferred   (triggers.py)
public/pickup   look at maildrop             (triggers.py, pickup.py)
public/pillarbox-submit   a message from a local user (submit.py)
"""

import asyncio
import socket
from collections.abc import Mapping

from pillarbox.config.parameters.queue_manager import QueueManager as QueueSettings
from pillarbox.config.snapshot import Snapshot
from pillarbox.observability import events
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue_manager.flush import Flusher, serve_flush
from pillarbox.queue_manager.manager import QueueManager
from pillarbox.queue_manager.showq import ShowQueue
from pillarbox.queue_manager.triggers import serve_triggers
from pillarbox.tables.authorized_users import AuthorizedUsers
from pillarbox.vocabulary.clock import Clock

DOORS = ("showq", "flush", "qmgr-trigger", "pickup-trigger", "submit")
"""Names of the listeners."""


class Doors:
    """All of them; opened with the rights that the role begins with."""

    def __init__(self, snapshot: Snapshot, listeners: Mapping[str, int], *, clock: Clock) -> None:
        self._clock = clock
        self._listeners = {name: socket.socket(fileno=listeners[name]) for name in DOORS if name in listeners}
        self._empty_address = snapshot.group(QueueSettings).empty_address_recipient.encode()
        self._may_look = AuthorizedUsers.of(snapshot, "authorized_mailq_users", clock=clock)
        self._may_flush = AuthorizedUsers.of(snapshot, "authorized_flush_users", clock=clock)

    async def serve(
        self, manager: QueueManager, directories: QueueDirectories, *, tell: events.EventSink
    ) -> None:
        """Until cancelled."""
        flusher = Flusher(directories, clock=self._clock, flushed=manager.flushed)
        showq = ShowQueue(
            directories, empty_address=self._empty_address, authorized=self._may_look, tell=tell
        )
        try:
            async with asyncio.TaskGroup() as tasks:

                def wake(letters: bytes) -> None:
                    if b"F" in letters:
                        manager.revive()
                    if b"A" in letters:
                        tasks.create_task(flusher.everything())
                    if letters.strip(b"AF"):
                        tasks.create_task(manager.scan(deferred=b"D" in letters))

                if listener := self._listeners.get("showq"):
                    tasks.create_task(showq.serve(listener))
                if listener := self._listeners.get("flush"):
                    tasks.create_task(serve_flush(listener, flusher, authorized=self._may_flush))
                if listener := self._listeners.get("qmgr-trigger"):
                    tasks.create_task(serve_triggers(listener, wake, authorized=self._may_flush, tell=tell))
        finally:
            flusher.close()
