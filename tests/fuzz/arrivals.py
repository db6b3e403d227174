"""Notes of deliverers and rows of the index of texts: any octets are read, and nothing of them is made up."""

from fakes.crash_file_system import CrashFileSystem
from pillarbox.mailstore.cache.arrivals import FILE_NAME, MAGIC, Arrivals, note_of, parse_notes
from pillarbox.mailstore.deliver import Delivery, Stored
from pillarbox.message.word_index import (
    Segment,
    documents_of,
    holding,
    may_hold_any,
    patterns_of,
    words_of_message,
)

NOTE = note_of(Delivery("/m", (b"Subject: x\n\nbody\n",)), Stored(b"1.M1P1.host,S=17", 17, 20, 10**18))
SEEDS = [
    NOTE,
    NOTE * 2,
    NOTE[:-1],
    b"\nword\nother\n\x00\xff\x00\x01\xff",
    b"Subject: a b\r\n\r\nwords of a text",
]
DICTIONARY = [MAGIC, b"\n", b"\xff", b"\x00", b"Subject:", b"\r\n"]


def fuzz_one(data: bytes) -> None:
    """The same octets as a file of notes, as a segment, and as a message."""
    found, read = parse_notes(data)
    assert 0 <= read <= len(data)
    assert len(found) * len(NOTE) // 2 <= len(data)
    files = CrashFileSystem()
    files.make_directories("/m")
    files.make_file(f"/m/{FILE_NAME}", data)
    arrivals = Arrivals(b"/m", files)
    bases = arrivals.bases()
    assert set(bases) == {arrival.base for arrival in found}
    arrivals.forget(bases)
    assert arrivals.bases() == []
    check_segment(data)
    words = words_of_message(data)
    text = data.decode("utf-8", "replace")
    for pattern in patterns_of(text):
        assert b" " not in pattern
    assert all(word and b"\n" not in word for word in words.header | words.body)


def check_segment(data: bytes) -> None:
    """Octets that are no segment are told by ValueError or IndexError, and by nothing else."""
    at = data.rfind(b"\n") + 1
    segment = Segment(data[:at], data[at:])
    patterns = patterns_of("word other")
    try:
        documents_of(segment, 3)
        if may_hold_any(segment.words, patterns):
            holding(segment, patterns)
    except (ValueError, IndexError):
        return
