"""Who wants to know that something has happened to the messages of a mailbox.

DESCRIPTION
    What sessions of this worker do is told at once; what other programs do to new/ and cur/ by inotify.  Where that
    cannot be had, watchers are told every `KEEP_ALIVE` seconds that something may have happened: the documented
    keep-alive.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from pillarbox.files.inotify import Inotify

KEEP_ALIVE: Final = 30.0
"""Seconds between looks at a watched mailbox where inotify is not to be had."""


class FolderWatch:
    """Of one mailbox; on the loop."""

    def __init__(self, directory: Callable[[], bytes], inotify: Inotify | None) -> None:
        """`directory` is where new/ and cur/ are now: mailboxes are renamed."""
        self._directory = directory
        self._inotify = inotify
        self._watchers: list[Callable[[], None]] = []
        self._ends: list[Callable[[], None]] = []
        self._keep_alive: asyncio.TimerHandle | None = None

    def watch(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call `notify` soon when the mailbox may have changed; the result ends the watch."""
        self._watchers.append(notify)
        if len(self._watchers) == 1:
            self._begin()

        def end() -> None:
            if notify in self._watchers:
                self._watchers.remove(notify)
                if not self._watchers:
                    self._end()

        return end

    def tell(self) -> None:
        """Something may have happened."""
        if self._watchers:
            loop = asyncio.get_running_loop()
            for notify in list(self._watchers):
                loop.call_soon(notify)

    def _begin(self) -> None:
        if self._inotify is not None:
            try:
                for place in (b"/new", b"/cur"):
                    self._ends.append(self._inotify.watch(self._directory() + place, self.tell))
                return
            except OSError:
                self._end_inotify()
        self._look_again()

    def _look_again(self) -> None:
        loop = asyncio.get_running_loop()
        self._keep_alive = loop.call_later(KEEP_ALIVE, self._keep_alive_passed)

    def _keep_alive_passed(self) -> None:
        self.tell()
        self._look_again()

    def _end(self) -> None:
        self._end_inotify()
        if self._keep_alive is not None:
            self._keep_alive.cancel()
            self._keep_alive = None

    def _end_inotify(self) -> None:
        for end in self._ends:
            end()
        self._ends.clear()
