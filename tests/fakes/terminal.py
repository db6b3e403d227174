"""A program on a terminal, used as a person does: look until something is there, then press a key."""

import contextlib
import os
import re
import select
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fakes.mail_system import PATIENCE

_CONTROL: Final = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][0-9A-B]|[\x0e\x0f\x07]")


class Terminal:
    """One program; `with` ends it."""

    def __init__(self, home: Path, command: Sequence[str]) -> None:
        self._screen, theirs = os.openpty()
        self._drawn = b""
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "vt100", "LANG": "C.UTF-8"}
        self._process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            cwd=home,
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._screen)

    def see(self, text: str, *, seconds: float = PATIENCE) -> None:
        """Wait until that is drawn; what was drawn up to there is forgotten."""
        deadline = time.monotonic() + seconds
        while (found := self._shown().find(text)) < 0:
            assert time.monotonic() < deadline, f"{text!r} is not shown: {self._shown()[-3000:]}"
            assert self._read(deadline), f"it ended without {text!r}: {self._shown()[-3000:]}"
        self._drawn = self._shown()[found + len(text) :].encode()

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._screen, keys.encode())

    def end(self, *, seconds: float = PATIENCE) -> int:
        """Wait until it ends by itself; its exit status."""
        deadline = time.monotonic() + seconds
        while self._process.poll() is None and time.monotonic() < deadline:
            self._read(deadline)
        return self._process.wait(max(0.1, deadline - time.monotonic()))

    def _shown(self) -> str:
        return _CONTROL.sub(b"", self._drawn).decode("utf-8", "replace")

    def _read(self, deadline: float) -> bool:
        if select.select([self._screen], [], [], max(0.0, min(0.2, deadline - time.monotonic())))[0]:
            with contextlib.suppress(OSError):
                data = os.read(self._screen, 65536)
                self._drawn += data
                return bool(data)
            return False
        return True
