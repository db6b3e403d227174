"""Who wants to know that something has happened to the messages of a mailbox.

DESCRIPTION
    What sessions of this worker do is told at once; what other programs do to new/ and cur/ by inotify.  Where that
    cannot be had, watchers are told every `KEEP_ALIVE` seconds that something may have happened: the documented
    keep-alive.

    A change of our own may hide another program's from the first look (mailstore/maildir/directory_state.py): after
    changes watchers are told once more when that is over.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from pillarbox.files.inotify import Inotify
from pillarbox.mailstore.maildir.directory_state import RECHECK_NS

KEEP_ALIVE: Final = 30.0
"""Seconds between looks at a watched mailbox where inotify is not to be had."""
LATER: Final = 0.05
"""Seconds: the second look is certainly after the moment from which a directory is listed again."""


class FolderWatch:
    """Of one mailbox; on the loop."""

    def __init__(self, directory: Callable[[], bytes], inotify: Inotify | None) -> None:
        """`directory` is where new/ and cur/ are now: mailboxes are renamed."""
        self._directory = directory
        self._inotify = inotify
        self._watchers: list[Callable[[], None]] = []
        self._ends: list[Callable[[], None]] = []
        self._keep_alive: asyncio.TimerHandle | None = None
        self._second_look: asyncio.TimerHandle | None = None

    @property
    def places(self) -> tuple[bytes, ...]:
        """What is watched."""
        return (self._directory() + b"/new", self._directory() + b"/cur")

    @property
    def is_pending(self) -> bool:
        """Whether watchers will be told a second time."""
        return self._second_look is not None

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
                for place in self.places:
                    self._ends.append(self._inotify.watch(place, self._files_changed))
                return
            except OSError:
                self._end_inotify()
        self._look_again()

    def _files_changed(self) -> None:
        self.tell()
        if self._second_look is None and self._watchers:
            loop = asyncio.get_running_loop()
            self._second_look = loop.call_later(RECHECK_NS / 1e9 + LATER, self._look_twice)

    def _look_twice(self) -> None:
        self._second_look = None
        self.tell()

    def _look_again(self) -> None:
        loop = asyncio.get_running_loop()
        self._keep_alive = loop.call_later(KEEP_ALIVE, self._keep_alive_passed)

    def _keep_alive_passed(self) -> None:
        self.tell()
        self._look_again()

    def _end(self) -> None:
        self._end_inotify()
        for timer in (self._keep_alive, self._second_look):
            if timer is not None:
                timer.cancel()
        self._keep_alive = self._second_look = None

    def _end_inotify(self) -> None:
        for end in self._ends:
            end()
        self._ends.clear()
