"""THREAD's algorithms, and that nobody's mail breaks them."""

import re
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.line_count import lines_run
from pillarbox.sessions.imap import thread_forest
from pillarbox.sessions.imap.thread_forest import Threaded
from pillarbox.sessions.imap.threads import thread_words
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


class Place:
    """A node of `plain_threads`."""

    def __init__(self, name: bytes) -> None:
        self.names, self.parent, self.children = [name], None, []  # type: list[bytes], Place | None, list[Place]
        self.number: int | None = None

    def way_up(self) -> list["Place"]:
        """The node, and all over it."""
        return [self, *(self.parent.way_up() if self.parent is not None else [])]

    def hang_under(self, parent: "Place | None") -> None:
        """Unless it hangs already, or would hang under itself."""
        if parent is not None and self.parent is None and self not in parent.way_up():
            self.parent = parent
            parent.children.append(self)

    def messages(self, date_of: dict[int, tuple[int, int]]) -> list[tuple[int, Any]]:
        """The subtree without places, siblings by date: number and the same of those under it."""
        below = [one for child in self.children for one in child.messages(date_of)]
        below.sort(key=lambda one: date_of[one[0]])
        return below if self.number is None else [(self.number, below)]


def plain_threads(messages: list[Threaded]) -> list[list[tuple[int, Any]]]:
    """RFC 5256 §3, REFERENCES, (1) to (4), word for word: for each thread the messages at its top."""
    places: dict[bytes, Place] = {}
    every: list[Place] = []
    for message in messages:
        previous = None
        for reference in message.references.split():
            if reference not in places:
                every.append(places.setdefault(reference, Place(reference)))
            places[reference].hang_under(previous)
            previous = places[reference]
        own = places.get(message.message_id)
        if own is None or own.number is not None:
            every.append(own := Place(message.message_id))
            places.setdefault(message.message_id, own)
        own.number = message.number
        if own.parent is not None and own.parent is not previous:
            own.parent.children.remove(own)
            own.parent = None
        own.hang_under(previous)
    date_of = {message.number: (message.sent, message.number) for message in messages}
    threads = [thread for place in every if place.parent is None and (thread := place.messages(date_of))]
    return sorted(threads, key=lambda thread: date_of[thread[0][0]])


def written(thread: list[tuple[int, Any]]) -> bytes:
    """As the answer has it, without the outer brackets."""
    if len(thread) > 1:
        return b"".join(b"(%b)" % written([one]) for one in thread)
    number, below = thread[0]
    return b"%d" % number + (b" " + written(below) if below else b"")


LINKS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 16), st.lists(st.integers(0, 16), max_size=8)), max_size=24
)


@pytest.mark.parametrize("walked", [0, 1, thread_forest.WALKED])
@given(rows=LINKS)
def test_threads_are_those_of_the_plain_algorithm(
    walked: int, rows: list[tuple[int, int, list[int]]]
) -> None:
    """However a root is found: each message refers to what it likes, ids are used twice, loops are many."""
    messages = [
        Threaded(number, sent, f"s{number}", False, b"%d" % own, b" ".join(b"%d" % one for one in others))
        for number, (sent, own, others) in enumerate(rows, 1)
    ]
    expected = b"".join(b"(%b)" % written(one) for one in plain_threads(messages))
    with mock.patch.object(thread_forest, "WALKED", walked):
        assert thread(messages, ThreadAlgorithm.REFERENCES) == expected


def answers_to_places(count: int) -> list[Threaded]:
    """Each answers a message that is not there, which answers another such."""
    return [message(number, references=b"x%d x%d" % (number - 1, number)) for number in range(1, count)]


def hung_up_far_below(count: int) -> list[Threaded]:
    """A deep thread, threads of two, and messages that say that the latter are answers to the deepest of the first."""
    third = count // 3
    return [
        *(message(number, references=b"%d" % (number - 1)) for number in range(1, third)),
        *(message(number, references=b"x%d" % number) for number in range(third, 2 * third)),
        *(
            message(third + number, references=b"%d x%d" % (third - 1, number))
            for number in range(third, 2 * third)
        ),
    ]


def deep_loops(count: int) -> list[Threaded]:
    """A deep thread, and messages that say that its first answers its last."""
    half = count // 2
    return [message(number, references=b"%d" % (number - 1)) for number in range(1, half)] + [
        message(number, references=b"%d 0" % (half - 1)) for number in range(half, count)
    ]


@pytest.mark.parametrize("crafted", [answers_to_places, hung_up_far_below, deep_loops])
def test_crafted_references_cost_no_more_than_others(crafted: Callable[[int], list[Threaded]]) -> None:
    """Twice as many messages are about twice the work (four times it was, 5 s for 10,000)."""
    few, many = crafted(400), crafted(800)
    once = lines_run(lambda: thread(few, ThreadAlgorithm.REFERENCES))
    twice = lines_run(lambda: thread(many, ThreadAlgorithm.REFERENCES))
    assert twice < 2.5 * once
