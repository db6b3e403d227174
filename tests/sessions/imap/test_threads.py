"""THREAD's algorithms, and that nobody's mail breaks them."""

import re

from hypothesis import given
from hypothesis import strategies as st

from pillarbox.sessions.imap.threads import Threaded, thread_words
from pillarbox.wire.imap.commands import ThreadAlgorithm


def thread(messages: list[Threaded], algorithm: ThreadAlgorithm) -> bytes:
    """The answer."""
    words = thread_words(messages, algorithm)
    return b"".join(b"%d" % word if isinstance(word, int) else word for word in words)


def message(number: int, subject: str = "", references: bytes = b"", *, reply: bool = False) -> Threaded:
    """Sent in the order of the numbers; its id is its number."""
    return Threaded(number, number, subject, reply, b"%d" % number, references)


def test_ordered_subject() -> None:
    """RFC 5256 §3: the first of a subject is the parent of all others."""
    messages = [message(1, "a"), message(2, "b"), message(3, "a"), message(4, "a"), message(5, "b")]
    assert b"(1 (3)(4))(2 5)" == thread(messages, ThreadAlgorithm.ORDEREDSUBJECT)


def test_references() -> None:
    """A chain, a fork, and a place for a message that two others refer to."""
    messages = [
        message(1),
        message(2, references=b"1"),
        message(3, references=b"1 2"),
        message(4, references=b"1"),
    ]
    assert b"(1 (2 3)(4))" == thread(messages, ThreadAlgorithm.REFERENCES)
    messages = [message(2, "x", b"1"), message(3, "x", b"1")]
    assert b"((2)(3))" == thread(messages, ThreadAlgorithm.REFERENCES)


def test_subjects_gather_threads() -> None:
    """RFC 5256 §3 (5): a reply goes under what it seems to answer; two alike go side by side."""
    reply = message(2, "x", reply=True)
    assert b"(1 2)" == thread([message(1, "x"), reply], ThreadAlgorithm.REFERENCES)
    assert b"((1)(2))" == thread([message(1, "x"), message(2, "x")], ThreadAlgorithm.REFERENCES)
    assert b"(1)(2)" == thread([message(1, "x"), reply], ThreadAlgorithm.REFS)


def test_refs_puts_the_latest_last() -> None:
    """draft-ietf-morg-inthread: threads by their latest message."""
    messages = [message(1), message(2), message(3, references=b"1")]
    assert b"(2)(1 3)" == thread(messages, ThreadAlgorithm.REFS)


def test_a_message_says_itself_what_it_answers() -> None:
    """RFC 5256 §3 (1)(B): what the references of others made of it is undone, even if it answers nothing."""
    messages = [message(2, references=b"3"), message(4, references=b"3 1"), message(1)]
    assert b"(2)(1 4)" == thread(messages, ThreadAlgorithm.REFS)
    messages = [message(5), message(6, references=b"5 6")]
    assert b"(5)(6)" == thread(messages, ThreadAlgorithm.REFERENCES)


def test_loops_are_not_followed() -> None:
    """Two messages that claim to answer each other."""
    messages = [message(1, references=b"2"), message(2, references=b"1"), message(3, references=b"3")]
    numbers = re.findall(rb"\d+", thread(messages, ThreadAlgorithm.REFERENCES))
    assert [b"1", b"2", b"3"] == sorted(numbers)


def test_a_deep_thread() -> None:
    """Ten thousand answers to answers; nothing calls itself."""
    messages = [message(number, references=b"%d" % (number - 1)) for number in range(1, 10_001)]
    written = thread(messages, ThreadAlgorithm.REFERENCES)
    assert written.startswith(b"(1 2 3 ")
    assert written.endswith(b" 10000)")


MESSAGES = st.lists(
    st.tuples(
        st.integers(0, 5), st.sampled_from(["", "a", "b"]), st.booleans(), st.integers(0, 12),
        st.lists(st.integers(0, 12), max_size=4),
    ),
    max_size=12,
)  # fmt: skip


@given(MESSAGES, st.sampled_from(ThreadAlgorithm))
def test_every_message_is_in_one_thread(
    rows: list[tuple[int, str, bool, int, list[int]]], algorithm: ThreadAlgorithm
) -> None:
    """Whatever the ids and subjects: each number once, brackets that match."""
    messages = [
        Threaded(number, sent, subject, reply, b"%d" % own, b" ".join(b"%d" % one for one in references))
        for number, (sent, subject, reply, own, references) in enumerate(rows, 1)
    ]
    written = thread(messages, algorithm)
    assert sorted(map(int, re.findall(rb"\d+", written))) == list(range(1, len(rows) + 1))
    depth = 0
    for octet in written:
        depth += (octet == 0x28) - (octet == 0x29)
        assert depth >= 0
    assert depth == 0
