"""Who wants to know that mailboxes were made, renamed, removed, (un)subscribed or annotated.

DESCRIPTION
    What sessions of this worker do is told at once; what other programs do to the directories at the root of the
    account (by Maildir++ that is where all mailboxes are), to its subscriptions and to annotations there is told by
    inotify.  In a tree (LAYOUT=fs), what another program makes below another mailbox is noticed with the next such
    change.

STANDARDS
    RFC 5465 §5.4 to §5.7
"""

import asyncio
from collections.abc import Callable, Sequence

from pillarbox.files.inotify import Inotify


class NameWatch:
    """Of one account; on the loop."""

    def __init__(self, directories: Sequence[bytes], inotify: Inotify | None) -> None:
        self.directories = tuple(directories)
        """What is watched."""
        self._inotify = inotify
        self._watchers: list[Callable[[], None]] = []
        self._ends: list[Callable[[], None]] = []

    def watch(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call `notify` soon after a change, perhaps once too often; the result ends the watch."""
        self._watchers.append(notify)
        if len(self._watchers) == 1 and self._inotify is not None:
            for directory in self.directories:
                try:
                    self._ends.append(self._inotify.watch(directory, self.tell))
                except OSError:  # no such directory, or no more watches: what we do ourselves is told still
                    continue

        def end() -> None:
            if notify in self._watchers:
                self._watchers.remove(notify)
                if not self._watchers:
                    while self._ends:
                        self._ends.pop()()

        return end

    def tell(self) -> None:
        """Something may have changed."""
        if self._watchers:
            loop = asyncio.get_running_loop()
            for notify in list(self._watchers):
                loop.call_soon(notify)
