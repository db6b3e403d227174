"""hash:, btree:, lmdb: as tables: keys, NULs, changed files, faults."""

import fcntl
import os
from pathlib import Path

import pytest

from fakes.database_files import FEW, MANY
from pillarbox.tables.indexed_table import INDEX_KINDS, IndexedTable, Nulls
from pillarbox.tables.opening import open_default_table, open_table
from pillarbox.tables.table import LookupFault, Opening
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.faults import ConfigurationFault

KINDS = sorted(FEW)
SIZES = {"in memory": 1 << 20, "by pages": 0}


class Place:
    """A table's file."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.path = folder / "map"
        self.file = folder / f"map{INDEX_KINDS[kind].suffix}"
        self.file.write_bytes(FEW[kind])
        self.warnings: list[str] = []

    def opening(self) -> Opening:
        return Opening(where="main.cf, line 3", clock=ManualClock(), warn=self.warnings.append)

    def table(self, *, in_memory: int = 1 << 20, nulls: Nulls = Nulls.EITHER) -> IndexedTable:
        return IndexedTable(
            self.kind, str(self.path), opening=self.opening(), in_memory=in_memory, nulls=nulls
        )


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(request.param, tmp_path)


@pytest.fixture(params=list(SIZES.values()), ids=list(SIZES))
def in_memory(request: pytest.FixtureRequest) -> int:
    size: int = request.param
    return size


def test_answers(place: Place, in_memory: int) -> None:
    """Keys are folded; the NUL at the end is no part of the value."""
    table = place.table(in_memory=in_memory)
    assert (table.query("a"), table.query("ROOT"), table.query("x")) == ("b", "admin@example.com", None)
    assert sorted(table.items()) == [(b"a\0", b"b\0"), (b"root\0", b"admin@example.com\0")]
    assert table.owner_uid == os.getuid()


def test_keys_without_a_nul(place: Place) -> None:
    """Debian's files have one; a table that is to be without finds nothing in them."""
    assert place.table(nulls=Nulls.WITHOUT).query("a") is None
    assert place.table(nulls=Nulls.WITH).query("a") == "b"


def test_a_replaced_file_is_read_anew(place: Place, in_memory: int) -> None:
    """postmap of ours puts another file under the name."""
    table = place.table(in_memory=in_memory)
    new = place.file.with_name("new")
    new.write_bytes(MANY[place.kind])
    new.rename(place.file)
    assert (table.query("a"), table.query("user3@example.com")) == (None, "box3")


def test_a_file_written_over_is_read_anew(place: Place, in_memory: int) -> None:
    """Postfix's postmap writes into the file that is open."""
    table = place.table(in_memory=in_memory)
    place.file.write_bytes(MANY[place.kind])
    assert (table.query("a"), table.query("user3@example.com")) == (None, "box3")


def test_while_the_file_is_locked(place: Place) -> None:
    """A query never waits for postmap: what is in memory answers, pages are a fault for the moment."""
    memory, pages = place.table(), place.table(in_memory=0)
    with open(place.file, "r+b") as writer:
        if place.kind == "lmdb":
            pytest.skip("fcntl locks do not exclude the process that has them")
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert memory.query("a") == "b"
        with pytest.raises(LookupFault) as fault:
            pages.query("a")
        assert fault.value.detail == "the database is being written"
    assert pages.query("a") == "b"


def test_a_file_that_became_damaged(place: Place, in_memory: int) -> None:
    """A fault, never a miss; and mended when the file is."""
    table = place.table(in_memory=in_memory)
    place.file.write_bytes(b"damaged" * 100)
    with pytest.raises(LookupFault):
        table.query("a")
    place.file.write_bytes(FEW[place.kind])
    os.utime(place.file, (1, 1))
    assert table.query("a") == "b"


def test_a_file_that_went_away(place: Place, in_memory: int) -> None:
    """What was open goes on to answer, until there is another file."""
    table = place.table(in_memory=in_memory)
    place.file.unlink()
    assert table.query("a") == "b"
    place.file.write_bytes(MANY[place.kind])
    assert table.query("user3@example.com") == "box3"


def test_older_than_its_source(place: Place) -> None:
    """Someone has forgotten postmap; in the first seconds he may still be at it."""
    now = int(ManualClock().now())
    place.path.write_text("a b\n")
    os.utime(place.file, (now - 900, now - 900))
    os.utime(place.path, (now - 50, now - 50))
    place.table()
    assert place.warnings == []
    os.utime(place.path, (now - 500, now - 500))
    place.table()
    assert place.warnings == [f"database {place.file} is older than source file {place.path}"]


def test_no_file(place: Place) -> None:
    """The fault names the parameter's place and what makes the file."""
    place.path.write_text("a b\n")
    place.file.unlink()
    with pytest.raises(ConfigurationFault) as fault:
        open_table(f"{place.kind}:{place.path}", where="main.cf, line 3", clock=ManualClock())
    assert fault.value.where == "main.cf, line 3"
    assert fault.value.what == f"open database {place.file}: No such file or directory"
    assert fault.value.mend.startswith(f"make it: postmap {place.kind}:{place.path}")


def test_a_damaged_file(place: Place) -> None:
    """The same for one that cannot be read."""
    place.file.write_bytes(b"x" * 600)
    with pytest.raises(ConfigurationFault, match=r"open database .*: not a"):
        open_table(f"{place.kind}:{place.path}", where="main.cf, line 3", clock=ManualClock())


def test_a_default_that_is_not_there(place: Place) -> None:
    """/etc/aliases that nobody made is empty; one without its database defers mail."""
    name = f"{place.kind}:{place.path}"
    place.file.unlink()
    assert open_default_table(name, place.opening()).query("root") is None
    place.path.write_text("root: me\n")
    with pytest.raises(LookupFault):
        open_default_table(name, place.opening()).query("root")
    assert len(place.warnings) == 2
