"""The log on the terminal: what comes is shown, and nobody waits for who does not look."""

import fcntl
import os
from pathlib import Path

import pytest

from pillarbox.supervisor import log_follower
from pillarbox.supervisor.log_follower import LogFollower


def append(path: Path, text: str) -> None:
    with open(path, "a") as log:
        log.write(text)


def test_lines_that_come_are_shown(tmp_path: Path) -> None:
    """What was there before is not; a line that has not ended is not, either."""
    log = tmp_path / "log"
    append(log, "old\n")
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as shown, open(writer, "wb", buffering=0) as out:
        follower = LogFollower(log, out=out.fileno())
        append(log, "a line\nand half")
        follower.start("Welcome\n")
        append(log, " a line\nlast\nnot whole")
        follower.finish()
        out.close()
        assert shown.read(100) == b"Welcome\na line\nand half a line\nlast\n"


def test_nobody_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end is not held up by a pipe that is full."""
    monkeypatch.setattr(log_follower, "_LAST_SECONDS", 0.01)
    log = tmp_path / "log"
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as shown, open(writer, "wb", buffering=0) as out:
        size = fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, 4096)
        out.write(b"x" * size)
        follower = LogFollower(log, out=out.fileno())
        follower.start("Welcome\n")
        append(log, "a line\n")
        follower.finish()
        seen = b""
        while not seen.endswith(b"Welcome\na line\n"):  # who looks after all sees it
            seen += shown.read(size)


def test_the_reader_has_gone(tmp_path: Path) -> None:
    """One line says where the log is, and that is all."""
    log = tmp_path / "log"
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as out, open(tmp_path / "errors", "w+b", buffering=0) as errors:
        follower = LogFollower(log, out=out.fileno(), errors=errors.fileno())
        follower.start("Welcome\n")
        append(log, "a line\n")
        follower.finish()
        errors.seek(0)
        told = f"pillarbox: cannot show the log: Broken pipe; it goes on in {log}\n"
        assert errors.read().decode() == told
