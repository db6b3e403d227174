"""Paths of messages side by side: a list of them in less room."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.mailstore.maildir import message_paths
from pillarbox.mailstore.maildir.message_paths import MessagePaths

PATHS = st.builds(
    lambda place, name: place + name, st.sampled_from([b"cur/", b"new/"]), st.binary(max_size=255)
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), PATHS),
        st.tuples(st.just("extend"), st.lists(PATHS, max_size=4)),
        st.tuples(st.just("set"), st.tuples(st.integers(0, 99), PATHS)),
        st.tuples(st.just("drop"), st.sets(st.integers(0, 99), max_size=3)),
        st.tuples(st.just("keep"), st.lists(st.booleans(), min_size=100, max_size=100)),
        st.tuples(st.just("pack"), st.none()),
    ),
    max_size=30,
)


@pytest.mark.parametrize("slack", [0, 1 << 16])
@given(first=st.lists(PATHS, max_size=20), steps=STEPS)
def test_it_is_a_list(slack: int, first: Sequence[bytes], steps: Sequence[tuple[str, object]]) -> None:
    """Whatever is done to it, and whenever it tidies up."""
    kept, message_paths.SLACK = message_paths.SLACK, slack  # type: ignore[misc]
    try:
        play(first, steps)
    finally:
        message_paths.SLACK = kept  # type: ignore[misc]


def play(first: Sequence[bytes], steps: Sequence[tuple[str, object]]) -> None:
    """The same to both."""
    paths, model = MessagePaths(first), list(first)
    for kind, what in steps:
        match kind, what:
            case "append", bytes(path):
                paths.append(path)
                model.append(path)
            case "extend", list(more):
                paths.extend(more)
                model.extend(more)
            case "set", (int(row), bytes(path)) if row < len(model):
                paths[row] = model[row] = path
            case "drop", set(rows):
                falling = sorted([row for row in rows if row < len(model)], reverse=True)
                paths.drop(falling)
                for row in falling:
                    del model[row]
            case "keep", list(stays):
                paths.keep(stays[: len(model)])
                model = [path for path, stays_here in zip(model, stays, strict=False) if stays_here]
            case "pack", _:
                paths = MessagePaths.of(*paths.packed())
        assert model == list(paths)
        assert model == [paths[row] for row in range(len(paths))]
        assert (model[-1:], model[::-1]) == (paths[-1:], list(reversed(paths)))
        assert [model[at : at + 3] for at in range(len(model))] == [
            paths[at : at + 3] for at in range(len(model))
        ]


def test_what_is_not_used_goes() -> None:
    """A path that changes for ever takes no more room than two of all."""
    paths = MessagePaths([b"cur/%d" % number for number in range(1000)])
    for number in range(100_000):
        paths[number % 1000] = b"cur/%d:2,%d" % (number % 1000, number)
    assert len(paths._old) + len(paths._recent) < 2 * message_paths.SLACK + 4 * sum(map(len, paths))
    assert b"cur/999:2,99999" == paths[999]
