"""File names of messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.mailstore.maildir.file_names import (
    Letters,
    NameMaker,
    base,
    change_letters,
    delivery_order,
    parse_letters,
    short_guid,
    sizes,
    split,
    with_sizes,
    write_letters,
)
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.flags import Flag

NAMES = [
    ("new", b"1.M2P3.h,S=60,W=66", b"1.M2P3.h,S=60,W=66", b""),
    ("flags", b"1.M2P3.h:2,FS", b"1.M2P3.h", b"FS"),
    ("keywords", b"1.M2P3.h:2,Sab", b"1.M2P3.h", b"Sab"),
    ("foreign info", b"1.M2P3.h:1,x", b"1.M2P3.h", b""),
    ("two infos", b"1.h:2,F:2,S", b"1.h", b"S"),
]


@pytest.mark.parametrize(("name", "file", "identity", "letters"), NAMES, ids=[row[0] for row in NAMES])
def test_base_and_letters(name: str, file: bytes, identity: bytes, letters: bytes) -> None:
    """The identity ends at the first colon, the flags begin after the last `:2,`."""
    assert (identity, letters) == split(file)
    assert identity == base(file)


LETTERS = [
    ("none", b"", Letters(0, 0)),
    ("system", b"DFRST", Letters(0x1F, 0)),
    ("keywords", b"az", Letters(0, 1 | 1 << 25)),
    ("unknown", b"FQS", Letters(Flag.FLAGGED | Flag.SEEN, 0, b"Q")),
    ("tail", b"S,more", Letters(Flag.SEEN, 0, b"", b",more")),
]


@pytest.mark.parametrize(("name", "text", "expected"), LETTERS, ids=[row[0] for row in LETTERS])
def test_letters_both_ways(name: str, text: bytes, expected: Letters) -> None:
    """Letters in ASCII order; what is unknown is kept."""
    assert expected == parse_letters(text)
    assert text == write_letters(expected)


def test_changing_flags_keeps_what_is_unknown() -> None:
    """Foreign letters and data after a second comma survive a STORE."""
    assert b"QST,x" == change_letters(b"FQ,x", flags=Flag.SEEN | Flag.DELETED | Flag.RECENT, keywords=0)


@given(st.integers(0, 0x1F), st.integers(0, (1 << 26) - 1))
def test_letters_round_trip(flags: int, keywords: int) -> None:
    """Flags and keywords come back."""
    letters = Letters(flags, keywords)
    assert letters == parse_letters(write_letters(letters))


SIZES = [
    ("both", b"1.h,S=60,W=66", (60, 66)),
    ("none", b"1.h", (None, None)),
    ("S only", b"1.h,S=60", (60, None)),
    ("not a number", b"1.h,S=6x,W=", (None, None)),
    ("within the host", b"1.S=5,S=60", (60, None)),
]


@pytest.mark.parametrize(("name", "identity", "expected"), SIZES, ids=[row[0] for row in SIZES])
def test_sizes(name: str, identity: bytes, expected: tuple[int | None, int | None]) -> None:
    """A size counts only if a comma, a colon or the end follows."""
    assert expected == sizes(identity)


def test_new_names_grow() -> None:
    """Within one microsecond, too; and when the clock goes back."""
    clock = ManualClock(1_800_000_000.0)
    maker = NameMaker(clock, host=b"a/b:c")
    names = [maker.take() for _ in range(3)]
    assert names == sorted(names, key=delivery_order)
    assert 3 == len(set(names))
    assert names[0].endswith(b".a\\057b\\072c")
    assert with_sizes(b"1.h", 3, 4) == b"1.h,S=3,W=4"


def test_delivery_order_is_numeric() -> None:
    """UIDs go by seconds, microseconds, name, as Dovecot gives them."""
    names = [b"10.M1P1.h", b"9.M10P1.h", b"9.M9P1.h", b"9.M9P0.h", b"odd"]
    assert [b"odd", b"9.M9P0.h", b"9.M9P1.h", b"9.M10P1.h", b"10.M1P1.h"] == sorted(names, key=delivery_order)
    names = [b"9.M9P1.h", b"0009.M08P1.h", b"9.P1.h", b"9.M", b"9.M9" + 18 * b"0", b"8.M" + 18 * b"9"]
    assert [names[5], names[3], names[2], names[1], names[0], names[4]] == sorted(names, key=delivery_order)


GUIDS = [
    ("hex digits", b"0123456789abcdef" * 2, b"0123456789abcdef" * 2),
    ("a file's name", b"1.M2P3.h", b"508e255df290417cf54ebf5114eec167"),
    ("capitals", b"0123456789abcdef0123456789ABCDEF", b"b9934c8e2d67259b38b98d9bf7fb5f0e"),
    ("a digit less", b"0" * 31, b"8ec1d7bf4f34bb9567fa428d687b24b2"),
    ("a digit more", b"0" * 33, b"542f9abb17c71d8866b1b0543ce1726a"),
]


@pytest.mark.parametrize(("name", "guid", "expected"), GUIDS, ids=[row[0] for row in GUIDS])
def test_short_guids(name: str, guid: bytes, expected: bytes) -> None:
    """Of another form than 128 bits in small hex digits: the end of the SHA-1, by sha1sum(1)."""
    assert short_guid(guid) == expected
