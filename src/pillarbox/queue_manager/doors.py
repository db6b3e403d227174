"""What the queue manager's process does for others: the sockets in public/.

public/flush    a message, a site, now       (flush.py)
public/qmgr     look at incoming, deferred   (triggers.py)
public/pickup   look at maildrop             (triggers.py, pickup.py)
public/pillarbox-submit   a message from a local user (submit.py)
"""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine, Mapping
from typing import Final

from pillarbox.bounce.submission import Notifier
from pillarbox.config.parameters.cleanup import Cleanup
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.queue_manager import QueueManager as QueueSettings
from pillarbox.config.snapshot import Snapshot
from pillarbox.files.inotify import open_inotify
from pillarbox.filters.configured_checks import configured_content_tables
from pillarbox.filters.content_checks import ContentTables
from pillarbox.observability import events
from pillarbox.queue.configured_rules import configured_rules
from pillarbox.queue.incoming import IncomingQueue
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.receive_options import configured_receive_options
from pillarbox.queue_manager.flush import Flusher, serve_flush
from pillarbox.queue_manager.manager import QueueManager
from pillarbox.queue_manager.pickup import Pickup, PickupRules
from pillarbox.queue_manager.submit import SubmissionService
from pillarbox.queue_manager.triggers import serve_triggers
from pillarbox.routing.configured_routes import fast_flush_domains
from pillarbox.routing.mappings import Mappings
from pillarbox.routing.rewriting import remote_rewriting
from pillarbox.tables.authorized_senders import AuthorizedSenders
from pillarbox.tables.authorized_users import AuthorizedUsers
from pillarbox.tables.table import Warn, ignore_warning
from pillarbox.vocabulary.clock import Clock

_PICKUP_SECONDS: Final = 60.0
"""How often what is left in maildrop is looked at, as in Postfix's master.cf."""
_SETTLING_SECONDS: Final = 0.1

DOORS: Final = ("flush", "qmgr-trigger", "pickup-trigger", "submit")
"""Names of the listeners."""


class Doors:
    """All of them; opened with the rights that the role begins with."""

    def __init__(
        self,
        snapshot: Snapshot,
        listeners: Mapping[str, int],
        *,
        pickup: Snapshot,
        cleanup: Snapshot,
        mappings: Mappings,
        clock: Clock,
        warn: Warn = ignore_warning,
    ) -> None:
        """`pickup` are the settings of master.cf's pickup service, `cleanup` and `mappings` of its cleanup(8)."""
        self._clock = clock
        self._rules = _pickup_rules(cleanup, pickup, mappings, clock, warn)
        self._may_submit = AuthorizedUsers.of(snapshot, "authorized_submit_users", clock=clock)
        self._senders = AuthorizedSenders.of(snapshot, clock=clock)
        self._flush_sites = fast_flush_domains(snapshot, clock=clock)
        self._listeners = {name: socket.socket(fileno=listeners[name]) for name in DOORS if name in listeners}
        self._may_flush = AuthorizedUsers.of(snapshot, "authorized_flush_users", clock=clock)

    async def serve(
        self,
        manager: QueueManager,
        directories: QueueDirectories,
        queue: IncomingQueue,
        *,
        notifier: Notifier,
        tell: events.EventSink,
    ) -> None:
        """Until cancelled."""
        flusher = Flusher(
            directories,
            sites=self._flush_sites,
            revive=manager.revive,
            flushed=manager.flushed,
            clock=self._clock,
        )
        pickup = Pickup(
            directories,
            queue,
            rules=self._rules,
            notifier=notifier,
            clock=self._clock,
            queued=manager.queued,
            tell=tell,
        )
        submission = SubmissionService(
            pickup,
            directory=f"{directories.root}/incoming",
            size_limit=self._rules.submission.message_size_limit,
            authorized=self._may_submit,
            senders=self._senders,
            clock=self._clock,
            tell=tell,
        )
        try:
            async with asyncio.TaskGroup() as tasks:

                def wake(letters: bytes) -> None:
                    if b"F" in letters:
                        manager.revive()
                    if letters.strip(b"AF"):
                        manager.scan(deferred=b"D" in letters, at_once=b"A" in letters)

                def pick_up(_letters: bytes) -> None:
                    tasks.create_task(pickup.scan())

                may_flush = self._may_flush
                services: dict[str, Callable[[socket.socket], Coroutine[None, None, None]]] = {
                    "flush": lambda listener: serve_flush(listener, flusher, authorized=may_flush, tell=tell),
                    "qmgr-trigger": lambda listener: serve_triggers(
                        listener, wake, authorized=may_flush, tell=tell
                    ),
                    "pickup-trigger": lambda listener: serve_triggers(
                        listener, pick_up, authorized=may_flush, tell=tell
                    ),
                    "submit": submission.serve,
                }
                for name, listener in self._listeners.items():
                    tasks.create_task(services[name](listener))
                tasks.create_task(_watch(f"{directories.root}/maildrop", pickup))
        finally:
            flusher.close()


async def _watch(maildrop: str, pickup: Pickup) -> None:
    """Pick up what is in maildrop, and what comes there without a word, until cancelled.

    Nothing happens while nothing comes; what could not be taken is tried again.
    """
    changed = asyncio.Event()
    inotify = open_inotify(asyncio.get_running_loop())
    try:
        if inotify is not None:
            inotify.watch(os.fsencode(maildrop), changed.set)
        while True:
            changed.clear()
            something_left = await pickup.scan()
            wait = _PICKUP_SECONDS if something_left or inotify is None else None
            try:
                async with asyncio.timeout(wait):
                    await changed.wait()
                    await asyncio.sleep(_SETTLING_SECONDS)  # whoever makes many files makes few scans
            except TimeoutError:
                continue
    finally:
        if inotify is not None:
            inotify.close()


def _pickup_rules(
    cleanup: Snapshot, own: Snapshot, mappings: Mappings, clock: Clock, warn: Warn
) -> PickupRules:
    receive = configured_receive_options(own)
    return PickupRules(
        submission=configured_rules(cleanup),
        mail_name=own.group(Identity).mail_name.encode(),
        mappings=mappings,
        content_tables=configured_content_tables(cleanup, clock=clock, warn=warn)
        if receive.header_body_checks
        else ContentTables(),
        receive=receive,
        remote_rewriting=remote_rewriting(mappings.rewriting, cleanup),
        always_add_missing_headers=cleanup.group(Cleanup).always_add_missing_headers,
        soft_bounce=cleanup.group(QueueSettings).soft_bounce,
        verp_bounces=not cleanup.group(QueueSettings).disable_verp_bounces,
    )
