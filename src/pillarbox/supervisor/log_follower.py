"""The log on the terminal: lines of a file as they are written, in colour where there is one.

DESCRIPTION
    The log file is followed by inotify(7), in a thread: no polling, and a terminal that is slow or stopped
    (Ctrl-S), or a pipe that nobody reads, holds up nobody but that thread.  If the reader goes, the log goes on
    in its file.
"""

import ctypes
import os
import re
import select
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

_IN_MODIFY: Final = 0x2
_IN_NONBLOCK: Final = 0o4000
_IN_CLOEXEC: Final = 0o2000000
_CHUNK: Final = 65536
_LAST_SECONDS: Final = 2.0
"""How long the last lines may take."""

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

    def __init__(self, path: Path, *, out: int = 1, errors: int = 2) -> None:
        """`out` and `errors` are descriptors; they may be of a pipe that nobody reads."""
        self._path = path
        self._out = out
        self._errors = errors
        self._colour = os.isatty(out)
        path.touch(mode=0o600)
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        os.lseek(self._file, 0, os.SEEK_END)
        self._rest = b""
        libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
        if self._inotify < 0 or libc.inotify_add_watch(self._inotify, os.fsencode(path), _IN_MODIFY) < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        self._end = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread: threading.Thread | None = None

    def start(self, welcome: str) -> None:
        """Show a text, and follow the file from then on."""
        self._thread = threading.Thread(target=self._follow, args=(welcome,), name="log", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Show what is left; not for ever, if nobody looks."""
        os.eventfd_write(self._end, 1)
        if self._thread is not None:
            self._thread.join(_LAST_SECONDS)

    def _follow(self, welcome: str) -> None:
        events = select.poll()
        events.register(self._inotify, select.POLLIN)
        events.register(self._end, select.POLLIN)
        try:
            self._write(welcome.encode())
            while self._end not in [descriptor for descriptor, _ in events.poll()]:
                os.read(self._inotify, _CHUNK)
                self._show()
            self._show()
        except OSError as error:
            line = f"pillarbox: cannot show the log: {error.strerror}; it goes on in {self._path}\n"
            with suppress(OSError):
                os.write(self._errors, line.encode())

    def _show(self) -> None:
        while data := os.read(self._file, _CHUNK):
            lines = (self._rest + data).split(b"\n")
            self._rest = lines.pop()
            for line in lines:
                self._write(self._painted(line.decode("utf-8", "replace")).encode() + b"\n")

    def _write(self, text: bytes) -> None:
        while text:
            text = text[os.write(self._out, text) :]

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
