"""Replacing a file: readers see the old one or the new one, with the same rights."""

import fcntl
import os
import threading
from pathlib import Path

import pytest

from pillarbox.config.edit_file import edit_file


def test_content_mode_and_owner(tmp_path: Path) -> None:
    """The new file has the old one's mode and owner, and nothing is left beside it."""
    path = tmp_path / "main.cf"
    path.write_text("a = b\n")
    path.chmod(0o640)
    before = path.stat()
    edit_file(os.fspath(path), lambda content: content + "c = d\n")
    after = path.stat()
    assert "a = b\nc = d\n" == path.read_text()
    assert (before.st_mode, before.st_uid, before.st_gid) == (after.st_mode, after.st_uid, after.st_gid)
    assert before.st_ino != after.st_ino
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_the_owner_is_kept(tmp_path: Path) -> None:
    """A file that root edits stays its owner's."""
    path = tmp_path / "main.cf"
    path.write_text("")
    os.chown(path, 12, 34)
    edit_file(os.fspath(path), lambda _content: "a = b\n")
    assert (12, 34) == (path.stat().st_uid, path.stat().st_gid)


def test_octets_that_are_not_utf8_are_kept(tmp_path: Path) -> None:
    """A comment in another character set comes through unchanged."""
    path = tmp_path / "main.cf"
    path.write_bytes(b"# gr\xfcn\r\n")
    edit_file(os.fspath(path), lambda content: content)
    assert b"# gr\xfcn\r\n" == path.read_bytes()


def test_a_symbolic_link_is_kept(tmp_path: Path) -> None:
    """The target is replaced, and the link still leads to it."""
    target = tmp_path / "target"
    target.write_text("old")
    link = tmp_path / "main.cf"
    link.symlink_to(target)
    edit_file(os.fspath(link), lambda _content: "new")
    assert link.is_symlink()
    assert "new" == target.read_text()


def test_a_failed_edit_changes_nothing(tmp_path: Path) -> None:
    """When the edit raises, the file is as it was and nothing is left beside it."""
    path = tmp_path / "main.cf"
    path.write_text("old")

    def fail(_content: str) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        edit_file(os.fspath(path), fail)
    assert "old" == path.read_text()
    assert [path] == list(tmp_path.iterdir())


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """There is nothing to edit, and nothing is made."""
    with pytest.raises(FileNotFoundError):
        edit_file(os.fspath(tmp_path / "main.cf"), lambda content: content)
    assert [] == list(tmp_path.iterdir())


def test_a_longer_leftover_does_not_show(tmp_path: Path) -> None:
    """A temporary file that a killed editor left is written over."""
    path = tmp_path / "main.cf"
    path.write_text("a")
    (tmp_path / "main.cf.tmp").write_text("much longer than the new content")
    edit_file(os.fspath(path), lambda content: content + "b")
    assert "ab" == path.read_text()


def test_two_editors_wait_for_each_other(tmp_path: Path) -> None:
    """The second editor works on what the first one left."""
    path = tmp_path / "main.cf"
    path.write_text("0")
    first_is_inside = threading.Event()
    second_has_begun = threading.Event()

    def first(content: str) -> str:
        first_is_inside.set()
        assert second_has_begun.wait(45)
        # The lock is held: another one cannot have it.
        with open(tmp_path / "main.cf.tmp", "rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return content + "1"

    def second() -> None:
        assert first_is_inside.wait(45)
        second_has_begun.set()
        edit_file(os.fspath(path), lambda content: content + "2")

    other = threading.Thread(target=second)
    other.start()
    edit_file(os.fspath(path), first)
    other.join(45)
    assert "012" == path.read_text()
