"""Doors of spawners: the newest generation's, and those of older ones."""

import os
import socket
from pathlib import Path

import pytest

from pillarbox.net import sessions_doors


def test_all_generations_are_found_and_dead_ones_forgotten(tmp_path: Path) -> None:
    """The supervisor's socket, our own, and one whose process was killed."""
    deep = tmp_path / ("d" * 120)  # longer than sockaddr_un has room for
    deep.mkdir()
    base = str(deep)
    with pytest.raises(FileNotFoundError):
        sessions_doors.connect_all(base)
    with socket.socket(socket.AF_UNIX) as newest, sessions_doors.open_own(base) as own:
        holder = os.open(base, os.O_PATH)
        newest.bind(f"/proc/self/fd/{holder}/pillarbox-sessions")
        newest.listen(1)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(f"/proc/self/fd/{holder}/pillarbox-sessions.1")
        os.close(holder)
        found = sessions_doors.connect_all(base)
        assert len(found) == 2
        for sock in found:
            sock.close()
        assert not (deep / "pillarbox-sessions.1").exists()
        mine = deep / f"pillarbox-sessions.{os.getpid()}"
        assert mine.stat().st_mode & 0o777 == 0o600
        sessions_doors.close_own(base)
        assert not mine.exists()
        assert own.fileno() >= 0
