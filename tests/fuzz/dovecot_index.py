"""Dovecot's index and logs: any octets are an index, a log, or neither."""

from fakes import dovecot_index_files as made
from pillarbox.mailstore.dovecot_files.dovecot_index import NotAnIndex, read_state

SEEDS = [
    made.index(7, [(1, 8, 1, 3), (2, 0, 6, 5)], keywords=[b"a", b"bc", b"d"], highest_modseq=9),
    made.log(
        1, made.appended((1, 0), (2, 8)), made.introduced(b"modseq"), made.keyword(b"x", 1, 2), modseq=3
    ),
    made.log(2, made.flagged(1, 9, 1, 2), made.expunged(3, 4), made.header(24, 5)),
]
DICTIONARY = [
    b"modseq",
    b"keywords",
    b"\x80\x80\x80\x84",
    b"\x91\xcd\0\x10",
    b"\xff\xff\xff\xff",
    b"\x07\x03\x78\0",
]


def fuzz_one(data: bytes) -> None:
    """The same octets as an index, as a log, and as one behind the other."""
    half = len(data) // 2
    for index, log, older in ((data, None, None), (None, data, None), (data[:half], data[half:], data)):
        try:
            state = read_state(index, log, older)
        except NotAnIndex:
            continue
        assert set(state.masks) <= set(state.flags)
        assert all(mask >> len(state.keywords) == 0 for mask in state.masks.values())
