"""One POP3 session of a user at a time."""

import asyncio
import socket
from pathlib import Path

import pytest

from pillarbox.files.file_system import DISK
from pillarbox.mailstore.mailbox import StoreUnavailable
from pillarbox.mailstore.maildir import pop3_session_lock
from pillarbox.mailstore.maildir.pop3_session_lock import SessionLocked, session_lock
from pillarbox.net.system_clock import SystemClock


def test_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is told when it has waited; when the first has gone it gets in."""
    monkeypatch.setattr(pop3_session_lock, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(pop3_session_lock, "_LOOK_AGAIN", 0.001)
    directory = bytes(tmp_path / "index")
    path = tmp_path / "index" / "dovecot-pop3-session.lock"

    async def hold() -> None:
        async with session_lock(directory, files=DISK, clock=SystemClock()):
            assert path.exists()
            with pytest.raises(SessionLocked):
                async with session_lock(directory, files=DISK, clock=SystemClock()):
                    pass
            assert path.exists()
        async with session_lock(directory, files=DISK, clock=SystemClock()):
            assert path.exists()

    asyncio.run(hold())
    assert not path.exists()


def test_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    """Its lock is taken over.  No process has the number that is named, and none can have it."""
    pid = int(Path("/proc/sys/kernel/pid_max").read_text())
    (tmp_path / "dovecot-pop3-session.lock").write_text(f"{pid}:{socket.gethostname()}")

    async def hold() -> None:
        async with session_lock(bytes(tmp_path), files=DISK, clock=SystemClock()):
            assert (tmp_path / "dovecot-pop3-session.lock").exists()

    asyncio.run(hold())


def test_no_room_for_it(tmp_path: Path) -> None:
    """Nobody gets in without it."""
    (tmp_path / "file").write_text("")

    async def hold() -> None:
        with pytest.raises(StoreUnavailable):
            async with session_lock(bytes(tmp_path / "file"), files=DISK, clock=SystemClock()):
                pass

    asyncio.run(hold())
