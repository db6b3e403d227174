"""Owners and modes of the queue are put right; whoever owns it meanwhile gets nothing else."""

import os
from pathlib import Path

import pytest

from pillarbox.net.startup import User
from pillarbox.supervisor.queue_permissions import Instance, make_missing, mend

OWNER = User(12345, 12345)

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")]


def instance_in(base: Path) -> Instance:
    return Instance(
        config_directory=str(base / "etc"),
        queue_directory=str(base / "spool"),
        data_directory=str(base / "lib"),
        mail_owner=OWNER,
        mail_owner_name="mail",
        setgid_group=54321,
        setgid_group_name="drop",
        shared_modes={"maildrop": 0o1733, "public": 0o711},
    )


def test_what_is_not_the_owners_becomes_his(tmp_path: Path) -> None:
    """Files and directories at any depth; sockets stay."""
    instance = instance_in(tmp_path)
    make_missing(instance)
    spool = tmp_path / "spool"
    (spool / "deferred" / "A").mkdir()
    message = spool / "deferred" / "A" / "A0000000001"
    message.write_bytes(b"")
    os.mkfifo(spool / "public" / "qmgr")
    assert sorted(mend(instance)) == [f"set owner of {message.parent}", f"set owner of {message}"]
    assert message.stat().st_uid == OWNER.uid
    assert (spool / "public" / "qmgr").stat().st_uid == 0
    assert mend(instance) == []


def test_a_link_in_the_place_of_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put there by the owner between a look and a change, it leads to no file of root's."""
    instance = instance_in(tmp_path)
    make_missing(instance)
    hashed = tmp_path / "spool" / "deferred" / "A"
    hashed.mkdir()
    (hashed / "shadow").write_bytes(b"")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "shadow").write_bytes(b"")
    real = os.chown

    def just_before(
        path: str, uid: int, gid: int, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> None:
        if os.path.basename(path) == "shadow" and not hashed.is_symlink():
            hashed.rename(tmp_path / "aside")
            hashed.symlink_to(elsewhere)
        real(path, uid, gid, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "chown", just_before)
    mend(instance)
    assert hashed.is_symlink()
    assert (elsewhere / "shadow").stat().st_uid == 0
    assert (tmp_path / "aside" / "shadow").stat().st_uid == OWNER.uid
