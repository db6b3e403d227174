"""Which messages become active next.

DESCRIPTION
    New mail and retries take turns, one from incoming, one from deferred, so that neither a flood of new mail
    nor a mountain of deferred mail keeps the other out (QSHAPE_README, "active queue").  At most
    qmgr_message_active_limit messages are active.

    Ids come as hints and from scans of the directories; an id that is active or waits already is not taken
    twice.  However long the queues are, only so many ids wait here: what has no room is left for a scan.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from pillarbox.vocabulary.identifiers import QueueId

MOST_WAITING: Final = 10_000
"""Ids of a queue that wait at most."""


class Intake:
    """Ids that wait to become active."""

    def __init__(self, *, active_limit: int) -> None:
        self._limit = active_limit
        self._incoming: deque[QueueId] = deque()
        self._deferred: deque[QueueId] = deque()
        self._known: set[QueueId] = set()
        self._active: set[QueueId] = set()

    @property
    def active_count(self) -> int:
        """Messages that are active."""
        return len(self._active)

    @property
    def is_idle(self) -> bool:
        """Nothing waits and nothing is active."""
        return not (self._known or self._active)

    @property
    def has_waiting(self) -> bool:
        """Some wait for their turn."""
        return bool(self._known)

    def is_active(self, queue_id: QueueId) -> bool:
        """Whether the message is being delivered."""
        return queue_id in self._active

    @property
    def waiting_incoming(self) -> int:
        """Ids of incoming that wait for their turn."""
        return len(self._incoming)

    @property
    def waiting_deferred(self) -> int:
        """Ids of deferred that wait for their turn."""
        return len(self._deferred)

    def add_incoming(self, ids: Iterable[QueueId]) -> bool:
        """Ids seen in incoming; False if there was no room for all of them."""
        return self._add(self._incoming, ids)

    def add_deferred(self, ids: Iterable[QueueId]) -> bool:
        """Ids seen in deferred; False if there was no room for all of them."""
        return self._add(self._deferred, ids)

    def take(self, most: int) -> list[tuple[QueueId, str]]:
        """The next ids with the queue they lie in; they are active from now on."""
        taken: list[tuple[QueueId, str]] = []
        room = min(most, self._limit - len(self._active))
        while len(taken) < room and (self._incoming or self._deferred):
            if self._incoming:
                taken.append((self._incoming.popleft(), "incoming"))
            if self._deferred and len(taken) < room:
                taken.append((self._deferred.popleft(), "deferred"))
        for queue_id, _ in taken:
            self._known.discard(queue_id)
            self._active.add(queue_id)
        return taken

    def done(self, queue_id: QueueId) -> None:
        """The message is no longer active."""
        self._active.discard(queue_id)

    def _add(self, waiting: deque[QueueId], ids: Iterable[QueueId]) -> bool:
        for queue_id in ids:
            if queue_id not in self._known and queue_id not in self._active:
                if len(waiting) >= MOST_WAITING:
                    return False
                self._known.add(queue_id)
                waiting.append(queue_id)
        return True
