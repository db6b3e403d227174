"""When a directory is listed again."""

import pytest

from pillarbox.mailstore.maildir.directory_state import DirectoryState

T = 1_800_000_000_123_456_789
MS = 1_000_000

CASES = [
    ("never listed", None, T, T, True),
    ("listed long after it changed", ("listing", T, T + 500 * MS), T, T + 900 * MS, False),
    ("changed since", ("listing", T, T + 500 * MS), T + 1, T + 900 * MS, True),
    ("listed in the tick of the change", ("listing", T, T + 5 * MS), T, T + 900 * MS, True),
    ("clock a little behind the file system's", ("listing", T, T - 5 * MS), T, T, True),
    ("clock far behind", ("listing", T, T - 5000 * MS), T, T, False),
    ("whole seconds only, listed within it", ("listing", T // 10**9 * 10**9, T), T // 10**9 * 10**9, T, True),
    ("our own change, soon after", ("own", T, T), T, T + 500 * MS, False),
    ("our own change, a second later", ("own", T, T), T, T + 1000 * MS, True),
    ("somebody's after our own", ("own", T, T), T + 1, T + 1, True),
]


@pytest.mark.parametrize(("name", "noted", "mtime", "now", "stale"), CASES, ids=[row[0] for row in CASES])
def test_when_it_is_listed(
    name: str, noted: tuple[str, int, int] | None, mtime: int, now: int, stale: bool
) -> None:
    """Only if it may have changed; nothing stays hidden for longer than a second."""
    state = DirectoryState()
    if noted is not None:
        kind, seen, at = noted
        (state.note_listing if kind == "listing" else state.note_own_change)(seen, at)
    assert stale == state.is_stale(mtime, now)
    state.forget()
    assert state.is_stale(mtime, now)


def test_a_listing_settles_the_second_look() -> None:
    """After our own change one more listing, not one at every look."""
    state = DirectoryState()
    state.note_own_change(T, T)
    assert state.is_stale(T, T + 2000 * MS)
    state.note_listing(T, T + 2000 * MS)
    assert not state.is_stale(T, T + 9000 * MS)


def test_changes_of_our_own_one_after_the_other() -> None:
    """Messages that are stored every 5 ms: the directory is listed once a second, not at every message."""
    state = DirectoryState()
    state.note_listing(T, T + MS)
    listings = []
    for at in range(5, 3000, 5):
        mtime = T + at * MS
        if state.is_stale(mtime - 5 * MS, mtime):
            state.note_listing(mtime - 5 * MS, mtime)
            listings.append(at)
        state.note_own_change(mtime, mtime)
    assert [5, 1005, 2005] == listings


def test_where_we_changed_nothing() -> None:
    """A change elsewhere of ours hides nothing that may have come in the tick of the listing."""
    state = DirectoryState()
    state.note_listing(T, T + MS)
    state.note_own_change(T, T + 2 * MS)
    assert state.is_stale(T, T + 3 * MS)


def test_what_is_changed_anyway_need_not_be_listed_first() -> None:
    """What our own change has hidden is found by the listing to come; another change of ours hides nothing more."""
    state = DirectoryState()
    state.note_listing(T, T + 500 * MS)
    state.note_own_change(T + 600 * MS, T + 600 * MS)
    assert not state.has_changed(T + 600 * MS)
    assert state.has_changed(T + 601 * MS)
    state.note_own_change(T + 2000 * MS, T + 2000 * MS)
    assert not state.has_changed(T + 2000 * MS)
    assert state.is_stale(T + 2000 * MS, T + 2001 * MS)
