"""Databases written: put in place whole, with the old file's rights, under its lock."""

import ctypes
import ctypes.util
import os
from pathlib import Path

import pytest

from pillarbox.tables.berkeley_writing import WriteFault
from pillarbox.tables.database_writing import WRITABLE, DatabaseWriter, written
from pillarbox.tables.indexed_table import INDEX_KINDS, IndexedTable
from pillarbox.tables.table import Opening
from pillarbox.vocabulary.clock import ManualClock


def has_berkeley_db() -> bool:
    try:
        ctypes.CDLL("libdb-5.3.so")
    except OSError:
        return False
    return True


KINDS = sorted(kind for kind in WRITABLE if kind == "lmdb" or has_berkeley_db())
"""hash and btree cannot be written where there is no libdb; test_postmap_peer has them all."""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


def put(writer: DatabaseWriter, **entries: str) -> None:
    for key, value in entries.items():
        writer.put(key.encode() + b"\0", value.encode() + b"\0", replace=True)


def entries(kind: str, name: Path) -> dict[bytes, bytes]:
    table = IndexedTable(kind, str(name), opening=Opening(where="", clock=ManualClock()))
    try:
        return dict(table.items())
    finally:
        table.close()


def make(kind: str, name: Path, **values: str) -> Path:
    with written(kind, str(name), keep=False, create=True, mode=0o640) as writer:
        put(writer, **values)
    return name.with_name(name.name + INDEX_KINDS[kind].suffix)


def test_a_new_file(kind: str, tmp_path: Path) -> None:
    """It has the mode that was asked for, and nothing else is left in the directory."""
    file = make(kind, tmp_path / "map", a="1", b="2" * 9000)
    assert entries(kind, tmp_path / "map") == {b"a\0": b"1\0", b"b\0": b"2" * 9000 + b"\0"}
    assert (file.stat().st_mode & 0o777, list(tmp_path.iterdir())) == (0o640, [file])


def test_entries_are_kept_or_not(kind: str, tmp_path: Path) -> None:
    """`keep` begins with the old entries; the file keeps its mode."""
    file = make(kind, tmp_path / "map", a="1", b="2")
    file.chmod(0o604)
    with written(kind, str(tmp_path / "map"), keep=True, create=False) as writer:
        assert writer.put(b"a\0", b"x\0", replace=False) is False
        assert writer.put(b"c\0", b"3\0", replace=False) is True
        assert (writer.delete(b"b\0"), writer.delete(b"b\0")) == (True, False)
    assert entries(kind, tmp_path / "map") == {b"a\0": b"1\0", b"c\0": b"3\0"}
    assert file.stat().st_mode & 0o777 == 0o604
    make(kind, tmp_path / "map", d="4")
    assert entries(kind, tmp_path / "map") == {b"d\0": b"4\0"}


def test_nothing_changes_after_a_fault(kind: str, tmp_path: Path) -> None:
    """A source that cannot be read to its end leaves the old table, and no copy."""
    file = make(kind, tmp_path / "map", a="1")

    def interrupted() -> None:
        with written(kind, str(tmp_path / "map"), keep=False, create=True) as writer:
            put(writer, b="2")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (entries(kind, tmp_path / "map"), list(tmp_path.iterdir())) == ({b"a\0": b"1\0"}, [file])


def test_a_link_stays_a_link(kind: str, tmp_path: Path) -> None:
    """The file that it leads to is written."""
    folder = tmp_path / "real"
    folder.mkdir()
    real = make(kind, folder / "map", a="1")
    link = tmp_path / real.name
    link.symlink_to(real)
    make(kind, tmp_path / "map", b="2")
    assert link.is_symlink()
    assert entries(kind, folder / "map") == {b"b\0": b"2\0"}


def test_no_file_to_change(kind: str, tmp_path: Path) -> None:
    """`postmap -d` makes none."""
    with (
        pytest.raises(FileNotFoundError),
        written(kind, str(tmp_path / "map"), keep=True, create=False),
    ):
        pytest.fail("there is nothing to write to")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_not_given_to_the_library(kind: str, tmp_path: Path) -> None:
    """The library may end the process."""
    file = make(kind, tmp_path / "map", a="1")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with (
        pytest.raises(OSError, match="Invalid argument"),
        written(kind, str(tmp_path / "map"), keep=True, create=False),
    ):
        pytest.fail("the file is damaged")
    assert file.read_bytes() == content[: len(content) // 2]


def test_a_key_too_long_for_lmdb(tmp_path: Path) -> None:
    """511 octets is LMDB's limit; the old table stays."""
    make("lmdb", tmp_path / "map", a="1")
    with (
        pytest.raises(WriteFault, match="BAD_VALSIZE"),
        written("lmdb", str(tmp_path / "map"), keep=False, create=True) as writer,
    ):
        writer.put(b"k" * 512, b"v", replace=True)
    assert entries("lmdb", tmp_path / "map") == {b"a\0": b"1\0"}
    assert len(os.listdir(tmp_path)) == 1
