"""Files in maildrop: not there until complete and on disk; names that nobody guesses."""

import stat
from pathlib import Path

import pytest

from fakes.crash_file_system import CrashFileSystem, Stopped
from fakes.crash_survivors import Survives
from pillarbox.config.host_facts import host_facts
from pillarbox.config.parameters.paths import Paths
from pillarbox.config.reading import read_configuration
from pillarbox.queue.maildrop import READY_MODE, DropFile, has_postdrop, shared_modes
from pillarbox.queue.queue_file import read_message
from pillarbox.queue.queue_ids import is_queue_id
from pillarbox.queue.records import BytesSource
from pillarbox.vocabulary.clock import ManualClock

RECORDS = [b"S\x01a", b"R\x01b", b"M\0", b"N\x01x", b"X\0", b"E\0"]


def drop(files: CrashFileSystem) -> DropFile:
    file = DropFile("/q/maildrop", clock=ManualClock(), file_system=files)
    file.write(RECORDS)
    return file


def file_system() -> CrashFileSystem:
    files = CrashFileSystem()
    files.make_directories("/q/maildrop")
    return files


def test_a_complete_file() -> None:
    """It is a message, with the time at its beginning, and its name a queue id."""
    files = file_system()
    file = drop(files)
    assert [name for name in files.listdir("/q/maildrop") if is_queue_id(name)] == []
    file.commit()
    assert files.listdir("/q/maildrop") == [file.queue_id]
    message = read_message(BytesSource(files.read_file(f"/q/maildrop/{file.queue_id}")), maildrop=True)
    assert (message.sender, message.arrival_time) == (b"a", ManualClock().now())
    assert stat.S_IMODE(files.stat(f"/q/maildrop/{file.queue_id}").st_mode) == READY_MODE


def test_a_crash_at_any_step() -> None:
    """What pickup may find is whole; once it was committed it is there."""
    for step in range(20):
        files = file_system()
        files.stop_at = len(files.steps) + step
        committed = False
        try:
            file = drop(files)
            file.commit()
            committed = True
        except Stopped:
            pass
        for survives in Survives:
            after = files.crash(survives)
            names = [name for name in after.listdir("/q/maildrop") if is_queue_id(name)]
            for name in names:
                if after.stat(f"/q/maildrop/{name}").st_mode & 0o700 == 0o700:
                    read_message(BytesSource(after.read_file(f"/q/maildrop/{name}")), maildrop=True)
            assert names or not committed
        if committed:
            return
    pytest.fail("more steps than were looked at")


def test_given_up() -> None:
    """Nothing is left."""
    files = file_system()
    drop(files).abort()
    assert files.listdir("/q/maildrop") == []


def test_modes_without_a_postdrop(tmp_path: Path) -> None:
    """A setgid postdrop serves /etc/postfix only; elsewhere everybody may put files in, and nobody list them."""
    (tmp_path / "main.cf").write_text(f"command_directory = {tmp_path}\n")
    paths = read_configuration(str(tmp_path), facts=host_facts()).snapshot.group(Paths)
    program = tmp_path / "postdrop"
    program.write_text("")
    program.chmod(0o2755)
    assert not has_postdrop(paths)
    assert shared_modes(paths) == {"maildrop": 0o1733, "public": 0o711}
