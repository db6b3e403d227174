"""The log on the terminal: lines of a file as they are written, in colour where there is one.

DESCRIPTION
    The log file is followed by inotify(7): no polling, and a slow terminal holds up nobody but itself.
"""

import asyncio
import ctypes
import os
import re
import sys
from pathlib import Path
from typing import Final, TextIO

_IN_MODIFY: Final = 0x2
_IN_NONBLOCK: Final = 0o4000
_IN_CLOEXEC: Final = 0o2000000
_CHUNK: Final = 65536

_LINE: Final = re.compile(r"(\w{3} [ \d]\d \d\d:\d\d:\d\d) \S+ (\S+?)(?:\[\d+\])?: (.*)", re.ASCII)
_RED, _GREEN, _YELLOW, _DIM, _BOLD, _PLAIN = (
    "\x1b[31m",
    "\x1b[32m",
    "\x1b[33m",
    "\x1b[2m",
    "\x1b[1m",
    "\x1b[0m",
)


class LogFollower:
    """Copies what is appended to a log from now on."""

    def __init__(self, path: Path, *, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._colour = out.isatty()
        path.touch(mode=0o600)
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        os.lseek(self._file, 0, os.SEEK_END)
        self._rest = b""
        libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
        if self._inotify < 0 or libc.inotify_add_watch(self._inotify, os.fsencode(path), _IN_MODIFY) < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    def start(self) -> None:
        """Follow the file on the running loop."""
        asyncio.get_running_loop().add_reader(self._inotify, self._modified)

    def finish(self) -> None:
        """Show what is left."""
        asyncio.get_running_loop().remove_reader(self._inotify)
        self._show()

    def _modified(self) -> None:
        try:
            os.read(self._inotify, _CHUNK)
        except BlockingIOError:
            return
        self._show()

    def _show(self) -> None:
        while data := os.read(self._file, _CHUNK):
            lines = (self._rest + data).split(b"\n")
            self._rest = lines.pop()
            for line in lines:
                self._out.write(self._painted(line.decode("utf-8", "replace")) + "\n")
        self._out.flush()

    def _painted(self, line: str) -> str:
        match = _LINE.fullmatch(line) if self._colour else None
        if match is None:
            return line
        when, program, text = match.groups()
        return f"{_DIM}{when}{_PLAIN} {_BOLD}{program}{_PLAIN} {_tone(text)}{text}{_PLAIN}"


def _tone(text: str) -> str:
    if "status=sent" in text or ": Login:" in text or "Ok: queued" in text:
        return _GREEN
    if text.startswith(("fatal:", "panic:")) or "status=bounced" in text or "reject:" in text:
        return _RED
    if text.startswith("warning:") or "status=deferred" in text or "auth failed" in text:
        return _YELLOW
    return ""
