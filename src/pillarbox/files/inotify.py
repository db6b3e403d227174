"""Changes in directories, told by the kernel: inotify(7) on the event loop.

DESCRIPTION
    One `Inotify` per process: one descriptor, read by the loop when it has something to say.  `watch` calls
    back after a name was made, moved or removed in a directory, or when the directory itself went away.
    Several watches of one directory share a kernel watch.  Callbacks carry no detail: the directory is
    looked at anyway (mailstore/maildir/folder_files.py), and events may have been lost (IN_Q_OVERFLOW).

    Another process may wait for the descriptor in our place: watches are of the directories that were meant
    when they were made, whatever the rights of the process that reads.

    Where inotify is not to be had (not Linux, max_user_instances used up), `open_inotify` gives None and the
    caller looks every now and then by itself.

FAULTS
    OSError  of `watch`: no such directory, or max_user_watches used up

STANDARDS
    Linux inotify(7)
"""

import asyncio
import ctypes
import os
import struct
from collections.abc import Callable
from functools import partial
from typing import Final

IN_MOVED_FROM: Final = 0x40
IN_MOVED_TO: Final = 0x80
IN_CREATE: Final = 0x100
IN_DELETE: Final = 0x200
IN_DELETE_SELF: Final = 0x400
IN_MOVE_SELF: Final = 0x800
IN_Q_OVERFLOW: Final = 0x4000
IN_IGNORED: Final = 0x8000
IN_ISDIR: Final = 0x40000000
IN_ONLYDIR: Final = 0x01000000

_MASK: Final = (
    IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR
)
_EVENT: Final = struct.Struct("iIII")

Notify = Callable[[], None]
Heeds = Callable[[bytes, bool], bool]
"""Whether the change of a name matters; the second is whether it is that of a directory."""


class Inotify:
    """The process's inotify descriptor on a running loop."""

    def __init__(self, fd: int, library: ctypes.CDLL, loop: asyncio.AbstractEventLoop) -> None:
        self._fd = fd
        self._library = library
        self._loop = loop
        self._callbacks: dict[int, list[tuple[Notify, Heeds | None]]] = {}
        loop.add_reader(fd, self.read)

    @property
    def descriptor(self) -> int:
        """For another process that is to wait in our place."""
        return self._fd

    def watch(self, directory: bytes, notify: Notify, *, heeds: Heeds | None = None) -> Callable[[], None]:
        """Call `notify` when names in the directory change, or those that it `heeds`; the result ends the watch."""
        descriptor = self._library.inotify_add_watch(self._fd, directory, _MASK)
        if descriptor < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), directory)
        entry = (notify, heeds)
        self._callbacks.setdefault(descriptor, []).append(entry)

        def end() -> None:
            callbacks = self._callbacks.get(descriptor, [])
            if entry in callbacks:
                callbacks.remove(entry)
                if not callbacks:
                    del self._callbacks[descriptor]
                    self._library.inotify_rm_watch(self._fd, descriptor)

        return end

    def watch_file(self, path: bytes, notify: Notify) -> Callable[[], None]:
        """Call `notify` when the file is made, replaced or removed, or a directory that is missing above it.

        The result ends the watch.  OSError.
        """
        ends: list[Callable[[], None]] = []

        def end() -> None:
            while ends:
                ends.pop()()

        def notice() -> None:
            try:
                begin()
            except OSError:  # no more watches
                pass
            finally:
                notify()

        def begin() -> None:
            end()
            place, name = os.path.split(path)
            while True:
                is_last = place == os.path.dirname(path)
                heeds = partial(_is_name, name)
                try:
                    ends.append(self.watch(place, notify if is_last else notice, heeds=heeds))
                except (FileNotFoundError, NotADirectoryError):
                    if place == os.path.dirname(place):
                        raise
                    place, name = os.path.split(place)
                    continue
                if is_last or not os.path.isdir(os.path.join(place, name)):
                    return
                end()  # it was made between the two looks
                place, name = os.path.split(path)

        begin()
        return end

    def pause(self) -> None:
        """Leave what the kernel tells from now on to be read: by `read()`, or by another process."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)

    def resume(self) -> None:
        """The loop reads again, also what has been left."""
        if self._fd >= 0:
            self._loop.add_reader(self._fd, self.read)

    def close(self) -> None:
        """Give back the descriptor; no callback comes any more."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._callbacks.clear()

    def read(self) -> None:
        """Call back for what the kernel has told up to now; the loop does that by itself, if later."""
        if self._fd < 0:
            return
        try:
            data = os.read(self._fd, 65536)
        except BlockingIOError:
            return
        told: list[Notify] = []
        position = 0
        while position < len(data):
            descriptor, mask, _, length = _EVENT.unpack_from(data, position)
            position += _EVENT.size + length
            name = data[position - length : position].rstrip(b"\0")
            if mask & IN_Q_OVERFLOW:
                told += [notify for callbacks in self._callbacks.values() for notify, _ in callbacks]
            elif mask & IN_IGNORED:
                told += [notify for notify, _ in self._callbacks.pop(descriptor, [])]
            else:
                is_directory = bool(mask & IN_ISDIR)
                told += [
                    notify
                    for notify, heeds in self._callbacks.get(descriptor, [])
                    if heeds is None or not name or heeds(name, is_directory)
                ]
        for notify in dict.fromkeys(told):
            notify()


def _is_name(name: bytes, changed: bytes, _is_directory: bool) -> bool:
    return changed == name


def open_inotify(loop: asyncio.AbstractEventLoop) -> Inotify | None:
    """inotify on this loop, or None where there is none."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        fd = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, AttributeError):
        return None
    return Inotify(fd, library, loop) if fd >= 0 else None
