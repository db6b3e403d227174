"""What a supervisor makes as root in directories that belong to others: sockets and lock files."""

import os
import stat
from pathlib import Path

import pytest

from pillarbox.net.startup import User
from pillarbox.supervisor.instance_lock import HeldLocks, LockFile
from pillarbox.supervisor.listeners import StartFault, UnixListener, bind

AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")


@pytest.mark.parametrize("mode", [0o600, 0o666, 0o660])
def test_mode_of_a_socket(mode: int, tmp_path: Path) -> None:
    """As it is asked for, whatever the umask."""
    path = tmp_path / "door"
    mask = os.umask(0o077)
    try:
        with bind(UnixListener("door", str(path), mode)):
            assert stat.S_IMODE(path.stat().st_mode) == mode
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(mask)


@AS_ROOT
@pytest.mark.root
def test_a_link_in_the_place_of_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put there by the directory's owner before the socket is given away: what it leads to stays root's."""
    secret = tmp_path / "shadow"
    secret.write_bytes(b"")
    secret.chmod(0o600)
    directory = tmp_path / "private"
    directory.mkdir()

    def swap() -> None:
        (made,) = directory.iterdir()
        if not made.is_symlink():
            made.unlink()
            made.symlink_to(secret)

    chown, chmod = os.chown, os.chmod

    def chown_later(
        path: str, uid: int, gid: int, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> None:
        swap()
        chown(path, uid, gid, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    def chmod_later(path: str, mode: int, *, dir_fd: int | None = None) -> None:
        swap()
        chmod(path, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "chown", chown_later)
    monkeypatch.setattr(os, "chmod", chmod_later)
    with bind(UnixListener("door", str(directory / "door"), 0o666, (12345, 12345))):
        status = secret.stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (0, 0o600)


def test_a_lock_file_with_another_name(tmp_path: Path) -> None:
    """It may be any file of root's, which would be written to and given away."""
    other = tmp_path / "shadow"
    other.write_bytes(b"secret")
    os.link(other, tmp_path / "master.lock")
    with pytest.raises(StartFault, match="not a regular file with one name"):
        HeldLocks((LockFile(str(tmp_path / "master.lock"), owner=User(12345, 12345)),))
    assert other.read_bytes() == b"secret"
