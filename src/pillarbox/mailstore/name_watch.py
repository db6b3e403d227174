"""Who wants to know that mailboxes were made, renamed, removed, (un)subscribed or annotated.

DESCRIPTION
    What sessions of this worker do is told at once; what other programs do to the directories at the root of the
    account (by Maildir++ that is where all mailboxes are), to its subscriptions and to annotations is told by
    inotify.  Other programs make a mailbox in steps: a directory that holds no mail yet is watched, too, as it may
    be one the next moment.  In a tree (LAYOUT=fs), what another program makes below another mailbox is noticed with
    the next such change.

STANDARDS
    RFC 5465 §5.4 to §5.7
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence

from pillarbox.files.inotify import Inotify


class NameWatch:
    """Of one account; on the loop."""

    def __init__(self, directories: Sequence[bytes], inotify: Inotify | None, *, file: bytes = b"") -> None:
        """`file`: that of the annotations, which may be somewhere else."""
        self._file = file
        self._roots = tuple(directories)
        self._unfinished: dict[bytes, Callable[[], None]] = {}  # directories → the ends of their watches
        self._inotify = inotify
        self._watchers: list[Callable[[], None]] = []
        self._ends: list[Callable[[], None]] = []

    @property
    def directories(self) -> tuple[bytes, ...]:
        """What is watched, or would be."""
        return (*self._roots, *self._unfinished)

    def watch(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call `notify` soon after a change, perhaps once too often; the result ends the watch."""
        self._watchers.append(notify)
        if len(self._watchers) == 1 and self._inotify is not None:
            for directory in self._roots:
                try:
                    self._ends.append(self._inotify.watch(directory, self.tell))
                except OSError:  # no such directory, or no more watches: what we do ourselves is told still
                    continue
            self._watch_file(self._inotify)

        def end() -> None:
            if notify in self._watchers:
                self._watchers.remove(notify)
                if not self._watchers:
                    while self._ends:
                        self._ends.pop()()
                    self.follow(())

        return end

    def _watch_file(self, inotify: Inotify) -> None:
        directory, name = os.path.split(self._file)
        if not name or directory in self._roots:
            return
        try:
            self._ends.append(inotify.watch_file(self._file, self.tell))
        except OSError:  # no more watches
            return

    def follow(self, unfinished: Iterable[bytes]) -> None:
        """The directories without mail that have just been found, and no others, are watched besides."""
        wanted = {*unfinished} if self._watchers and self._inotify is not None else set()
        for directory in self._unfinished.keys() - wanted:
            self._unfinished.pop(directory)()
        added = [directory for directory in sorted(wanted - self._unfinished.keys()) if self._add(directory)]
        if added:
            self.tell()  # perhaps between the look and the watch

    def _add(self, directory: bytes) -> bool:
        """Watch until something has happened: whoever looks then finds it again, or a mailbox."""

        def notify() -> None:
            end = self._unfinished.pop(directory, None)
            if end is not None:
                end()
            self.tell()

        assert self._inotify is not None
        try:
            self._unfinished[directory] = self._inotify.watch(directory, notify, heeds=_is_directory)
        except OSError:  # it is gone, which its parent's watch has told, or there are no more watches
            return False
        return True

    def tell(self) -> None:
        """Something may have changed."""
        if self._watchers:
            loop = asyncio.get_running_loop()
            for notify in list(self._watchers):
                loop.call_soon(notify)


def _is_directory(name: bytes, is_directory: bool) -> bool:
    """Whether it may be cur."""
    return is_directory
