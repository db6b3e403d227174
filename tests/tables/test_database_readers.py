"""The readers of Berkeley DB and LMDB files: what Debian's postmap wrote is read, whatever else is a fault."""

import random

import pytest

from fakes.database_files import FEW, MANY, MANY_USERS
from pillarbox.tables.berkeley_hash import hash_of
from pillarbox.tables.indexed_table import INDEX_KINDS
from pillarbox.tables.page_reading import DamagedDatabase, DatabaseReader, FileInMemory, no_more_than

KINDS = sorted(FEW)
ENTRIES = {**{key: value for key, value in MANY_USERS.items()}, "long": "y" * 6000}


def reader(kind: str, content: bytes) -> DatabaseReader:
    return INDEX_KINDS[kind].reader(FileInMemory(content))


def terminated(text: str) -> bytes:
    return text.encode() + b"\0"


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_found(kind: str) -> None:
    """By its key, and in the list of all; a value on pages of its own too."""
    many = reader(kind, MANY[kind])
    for key, value in ENTRIES.items():
        assert many.get(terminated(key)) == terminated(value), key
    assert dict(many.items()) == {terminated(key): terminated(value) for key, value in ENTRIES.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", ["user17@example.com", "user", "", "zzz", "user150@example.com", "long "])
def test_a_key_that_is_not_there(kind: str, key: str) -> None:
    """None, for one that was taken out as for one that never was there."""
    assert reader(kind, MANY[kind]).get(terminated(key)) is None


def test_the_hash_is_the_librarys() -> None:
    """What the library keeps in each file to see whether the hash function is the same."""
    assert hash_of(b"%$sniglet^&\0") == 0x5E688DD1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", [b"", b"no database " * 50, bytes(8192)])
def test_no_database(kind: str, content: bytes) -> None:
    """Text, zeros, nothing."""
    with pytest.raises(DamagedDatabase):
        reader(kind, content)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_a_file_of_another_type(kind: str, other: str) -> None:
    """A btree file is no hash file, although both are called .db."""
    if kind != other:
        with pytest.raises(DamagedDatabase):
            reader(kind, FEW[other])


@pytest.mark.parametrize("kind", KINDS)
def test_every_cut_is_a_fault_or_the_truth(kind: str) -> None:
    """A file that is cut short anywhere answers as the whole one, or not at all."""
    whole = MANY[kind]
    for size in range(0, len(whole), 509):
        try:
            found = reader(kind, whole[:size])
            value = found.get(terminated("user42@example.com"))
            list(found.items())
        except DamagedDatabase:
            continue
        assert value == terminated("box42")


@pytest.mark.parametrize("kind", KINDS)
def test_damage_ends_in_a_fault(kind: str) -> None:
    """Octets changed at random, a hundred files of each type: answers or DamagedDatabase, and an end."""
    dice = random.Random(20261125)
    for _ in range(100):
        content = bytearray(MANY[kind])
        for _ in range(dice.randint(1, 40)):
            content[dice.randrange(len(content))] = dice.choice((0, 1, 255, dice.randrange(256)))
        try:
            found = reader(kind, bytes(content))
            found.get(terminated("user42@example.com"))
            assert sum(len(key) + len(value) for key, value in found.items()) <= len(content)
        except DamagedDatabase:
            pass


def test_items_take_no_more_room_than_the_file_has() -> None:
    """A damaged page may name one long item ten thousand times."""
    with pytest.raises(DamagedDatabase, match="upon each other"):
        list(no_more_than(1000, [(b"k" * 100, b"v" * 300)] * 10, smallest=2))
    assert len(list(no_more_than(4020, [(b"k" * 100, b"v" * 300)] * 10, smallest=2))) == 10
