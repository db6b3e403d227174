"""The index of words never leaves out a message that holds a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.varied_messages import varied_messages
from pillarbox.message.header_fields import header_end
from pillarbox.message.text_matching import (
    ADDRESS_FIELDS,
    address_has,
    body_has,
    fold,
    folded_addresses,
    header_has,
    header_texts,
    message_has,
    part_texts,
    to_find,
)
from pillarbox.message.word_index import (
    MAX_DOCUMENTS,
    MAX_TEXT,
    MAX_WORD,
    Segment,
    Words,
    documents_of,
    holding,
    may_hold_any,
    patterns_of,
    segment_of,
    words_of_message,
)
from pillarbox.wire.imap.search_grammar import ADDRESS_KEYS

MESSAGES = varied_messages(200)[:200]
WORDS = [words_of_message(message) for message in MESSAGES]
HEADERS = segment_of([words.header for words in WORDS])
BODIES = segment_of([words.body for words in WORDS])
TEXT = st.text(st.sampled_from("abAB äÄßſıİ中文-_.@\t\n\x00\x80\udc80é1"), max_size=40)


def found(segment: Segment, patterns: list[bytes]) -> set[int]:
    """The messages that may hold a text; all if the index cannot help."""
    if not patterns:
        return set(range(len(MESSAGES)))
    return holding(segment, patterns) if may_hold_any(segment.words, patterns) else set()


@given(st.data())
def test_whoever_holds_a_text_is_found(data: st.DataObject) -> None:
    """Any piece of what SEARCH looks at, in header and body, of messages of every kind."""
    number = data.draw(st.integers(0, len(MESSAGES) - 1))
    message = MESSAGES[number]
    header = message[: header_end(message)]
    addresses = [text for name in ADDRESS_FIELDS for text in folded_addresses(header, name)]
    texts = [text for text in [*header_texts(header), *addresses, *part_texts(message)] if text]
    if not texts:
        return
    text = data.draw(st.sampled_from(texts))
    start = data.draw(st.integers(0, len(text) - 1))
    piece = to_find(text[start : start + data.draw(st.integers(1, 30))])
    wanted = piece.folded
    patterns = patterns_of(wanted)
    partial = {at for at, words in enumerate(WORDS) if words.is_partial}
    in_header = found(HEADERS, patterns) | partial
    in_body = found(BODIES, patterns) | partial
    for at, other in enumerate(MESSAGES):
        its_header = other[: header_end(other)]
        assert at in in_body or not body_has(other, piece)
        assert at in in_body | in_header or not message_has(other, piece)
        assert at in in_header or not any(address_has(its_header, name, wanted) for name in ADDRESS_FIELDS)
        assert at in in_header or not header_has(its_header, b"subject", wanted)


@given(st.lists(TEXT, min_size=1, max_size=6), st.data())
def test_pieces_of_texts_match_their_words(texts: list[str], data: st.DataObject) -> None:
    """Whatever the characters are, and wherever the piece begins and ends."""
    folded = [fold(text) for text in texts]
    documents = [words_of_message(b"X: y\r\n\r\n" + text.encode("utf-8", "replace")).body for text in texts]
    segment = segment_of(documents)
    text = data.draw(st.sampled_from([*texts, *map(fold, folded)]))
    start = data.draw(st.integers(0, max(0, len(text) - 1)))
    wanted = to_find(text[start : start + data.draw(st.integers(0, 20))])
    patterns = patterns_of(wanted.folded)
    if not patterns:
        return
    expected = {
        at
        for at, one in enumerate(texts)
        if body_has(b"X: y\r\n\r\n" + one.encode("utf-8", "replace"), wanted)
    }
    assert expected <= holding(segment, patterns)
    assert bool(expected) <= may_hold_any(segment.words, patterns)


@given(
    st.lists(st.frozensets(st.binary(min_size=1).map(lambda word: word.replace(b"\n", b"x"))), max_size=20)
)
def test_a_segment_gives_back_its_words(documents: list[frozenset[bytes]]) -> None:
    """Segments are made one of their words, without reading messages."""
    assert [set(words) for words in documents] == documents_of(segment_of(documents), len(documents))


def test_a_segment_is_of_so_many_messages() -> None:
    """The numbers of messages and the mark between words are octets."""
    documents = [{b"all", b"n%d" % number} for number in range(MAX_DOCUMENTS)]
    segment = segment_of(documents)
    assert holding(segment, [b"\nall\n"]) == set(range(MAX_DOCUMENTS))
    assert holding(segment, [b"n254"]) == {254}
    assert holding(segment, [b"\nall", b"n25\n"]) == {25}


@pytest.mark.parametrize(
    ("wanted", "patterns"),
    [
        ("brown", [b"brown"]),
        ("ick brow", [b"\nbrow", b"ick\n"]),
        (" quick", [b"\nquick"]),
        ("quick.", [b"quick\n"]),
        ("the quick-brown fox", [b"\nquick\n", b"\nbrown\n", b"the\n", b"\nfox"]),
        ("at", []),
        ("needle in a haystack of it", [b"\nhaystack\n", b"needle\n"]),
        ("a b c d", []),
        ("@", []),
        ("", []),
        ("é", []),
        ("né", [b"n\xc3\xa9"]),
    ],
)
def test_patterns(wanted: str, patterns: list[bytes]) -> None:
    """The first word may be the end of one, the last the beginning; short texts are for who reads."""
    assert patterns_of(wanted) == patterns


@pytest.mark.parametrize(
    "content",
    [b"X: y\r\n\r\n" + b"word " * (MAX_TEXT // 5 + 1), b"X: y\r\n\r\n" + b"w" * (MAX_WORD + 1)],
    ids=["text", "word"],
)
def test_what_is_too_long_may_hold_anything(content: bytes) -> None:
    """It is not indexed in part as if it were whole."""
    words = words_of_message(content)
    assert words.is_partial
    assert max(map(len, words.body), default=0) <= MAX_WORD


@pytest.mark.parametrize(
    "segment",
    [
        Segment(b"\na\nb\n", b"\0\xff"),
        Segment(b"\na\n", b"\x09\xff"),
        Segment(b"\na\n", b"\xff"),
    ],
)
def test_a_damaged_segment_is_told(segment: Segment) -> None:
    """It is thrown away with its file."""
    with pytest.raises(ValueError, match=r"damaged|empty"):
        documents_of(segment, 2)


def test_the_fields_of_addresses_are_those_of_search() -> None:
    """What is compared as addresses is indexed as such."""
    assert sorted(ADDRESS_FIELDS) == sorted(key.lower() for key in ADDRESS_KEYS)
    assert words_of_message(b"") == Words(frozenset(), frozenset(), is_partial=False)
