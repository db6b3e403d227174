"""An index of words that answers for substrings: which of a few hundred messages may hold a text.

DESCRIPTION
    A word is a run of letters and digits of ASCII and of whatever is not ASCII; all other characters stand between
    words, without regard to what is around them, so that the words of a piece of a text are words of the text, but
    for the first and the last, which may be the end and the beginning of one.

    A `Segment` holds the words of up to `MAX_DOCUMENTS` messages one below the other, and of each word the
    messages that have it.  Whoever looks for `ick brow` looks for words that end in `ick` and for words that begin
    with `brow`, with `bytes.find` over all words at once: 10,000 messages take a few milliseconds.  What is found
    may hold the text and has to be looked at; what is not found does not hold it.

    Texts are folded by whoever indexes and whoever searches (message/text_matching.py).

    Measured, messages of 3.7 KiB of English: 0.22 ms to read and index one, 0.5 KB a message, 1 to 10 ms to search
    5,000.  The trigrams of SQLite's FTS5 took 0.8 ms more and 1.6 KB.

FAULTS
    ValueError  a segment that is damaged
"""

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from pillarbox.message.header_fields import header_end
from pillarbox.message.text_matching import ADDRESS_FIELDS, folded_addresses, header_texts, part_texts

MAX_DOCUMENTS: Final = 255
"""Messages of a segment: the number of one is an octet, and one is left to stand between words."""
MIN_LENGTH: Final = 3
"""Octets of a word below which it is not looked for: nearly all messages may hold it."""
MAX_PATTERNS: Final = 4
"""Words of a text that are looked for; the longest."""
MAX_TEXT: Final = 1 << 20
"""Characters of a message that are indexed; a longer one may hold any text."""
MAX_WORD: Final = 1024
"""Octets of a word up to which it is one; a message with a longer one may hold any text."""

_SEPARATORS: Final = bytes(octet if octet >= 0x80 or chr(octet).isalnum() else 0x20 for octet in range(256))
_END: Final = b"\xff"


class Words(msgspec.Struct, frozen=True, array_like=True):
    """The words of a message."""

    header: frozenset[bytes]
    body: frozenset[bytes]
    is_partial: bool
    """Whether there are more than were taken."""


ANY_WORDS: Final = Words(frozenset(), frozenset(), is_partial=True)
"""Of a message that is not looked at."""


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """Words of some messages, which have the numbers from 0."""

    words: bytes
    """Each after a line end, and one after the last."""
    postings: bytes
    """Of each word the numbers of the messages that have it, then 255."""


def words_of_message(content: bytes) -> Words:
    """The words of a message with CRLF line ends."""
    header = content[: header_end(content)]
    texts = list(header_texts(header))
    for name in ADDRESS_FIELDS:
        texts += folded_addresses(header, name)
    left = MAX_TEXT - sum(map(len, texts))
    body: list[str] = []
    for text in part_texts(content):
        left -= len(text)
        if left < 0:
            return Words(_words("\n".join(texts)), _words("\n".join(body)), is_partial=True)
        body.append(text)
    found = Words(_words("\n".join(texts)), _words("\n".join(body)), is_partial=False)
    if max(map(len, found.header | found.body), default=0) <= MAX_WORD:
        return found
    return Words(_short(found.header), _short(found.body), is_partial=True)


def patterns_of(wanted: str) -> list[bytes]:
    """What to look for among words for a folded text; nothing if the index cannot help."""
    text = _separated(wanted)
    words = text.split()
    patterns = [b"\n%b\n" % word for word in words]
    if words and text[:1] != b" ":
        patterns[0] = patterns[0][1:]
    if words and text[-1:] != b" ":
        patterns[-1] = patterns[-1][:-1]
    long = [pattern for pattern, word in zip(patterns, words, strict=True) if len(word) >= MIN_LENGTH]
    return sorted(long, key=len, reverse=True)[:MAX_PATTERNS]


def segment_of(documents: Sequence[Collection[bytes]]) -> Segment:
    """The segment of messages with these words, at most `MAX_DOCUMENTS`."""
    having: dict[bytes, bytearray] = {}
    for number, words in enumerate(documents):
        for word in words:
            numbers = having.get(word)
            if numbers is None:
                having[word] = bytearray((number,))
            else:
                numbers.append(number)
    if not having:
        return Segment(b"\n", b"")
    return Segment(b"\n%b\n" % b"\n".join(having), _END.join(having.values()) + _END)


def documents_of(segment: Segment, count: int) -> list[set[bytes]]:
    """The words of each of the `count` messages of a segment."""
    documents: list[set[bytes]] = [set() for _ in range(count)]
    words, postings = segment.words.split(b"\n")[1:-1], segment.postings.split(_END)[:-1]
    if len(words) != len(postings) or max(map(max, postings), default=0) >= max(count, 1):
        raise ValueError("damaged segment")
    for word, numbers in zip(words, postings, strict=True):
        for number in numbers:
            documents[number].add(word)
    return documents


def may_hold_any(words: bytes, patterns: Sequence[bytes]) -> bool:
    """Whether the segment of these words has all patterns, without looking who."""
    return all(pattern in words for pattern in patterns)


def holding(segment: Segment, patterns: Sequence[bytes]) -> set[int]:
    """The numbers of the messages that have a word for each of the patterns."""
    postings = segment.postings.split(_END)
    found: set[int] | None = None
    for pattern in patterns:
        numbers = set(b"".join([postings[at] for at in _matching(segment.words, pattern)]))
        found = numbers if found is None else found & numbers
        if not found:
            return set()
    return found or set()


def _matching(words: bytes, pattern: bytes) -> list[int]:
    """Which words, by their place, match a pattern."""
    found = []
    ordinal, counted = -1, 0
    at = words.find(pattern)
    while at >= 0:
        inside = at + 1 if pattern[0] == 0x0A else at
        ordinal += words.count(b"\n", counted, inside)
        found.append(ordinal)
        counted = words.index(b"\n", inside)
        at = words.find(pattern, counted)
    return found


def _separated(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass").translate(_SEPARATORS)


def _short(words: frozenset[bytes]) -> frozenset[bytes]:
    return frozenset(word for word in words if len(word) <= MAX_WORD)


def _words(text: str) -> frozenset[bytes]:
    return frozenset(_separated(text).split())
