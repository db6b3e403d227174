"""What happened to a mailbox, for sessions that have not looked since.

DESCRIPTION
    Positions count changes from the beginning; a view (mailstore/view.py) keeps the one up to which it knows.  Only
    the last changes are kept, so what `since` gives may be that nobody knows any more.
"""

from collections import deque
from collections.abc import Iterable
from itertools import islice

from pillarbox.mailstore.mailbox import Change


class Journal:
    """Of one mailbox."""

    def __init__(self) -> None:
        self.position = 0
        """Behind the last change."""
        self._changes: deque[Change] = deque()

    def extend(self, changes: Iterable[Change]) -> None:
        """These happened, in this order."""
        before = len(self._changes)
        self._changes.extend(changes)
        self.position += len(self._changes) - before

    def pass_over(self, count: int) -> None:
        """So many changes happened before anybody could ask for them: none is kept, nor what was before."""
        self._changes.clear()
        self.position += count

    def trim(self, kept: int) -> None:
        """Forget all but the last `kept`."""
        for _ in range(len(self._changes) - kept):
            self._changes.popleft()

    def since(self, position: int) -> list[Change] | None:
        """Changes from `position` on; None if they are no longer kept."""
        count = self.position - position
        if count > len(self._changes):
            return None
        return list(islice(self._changes, len(self._changes) - count, None)) if count > 0 else []
