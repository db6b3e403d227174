"""The window of a destination: feedback by hand, and what always holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.scheduling.concurrency import ConcurrencyRules, Feedback, Window, read_feedback

FEEDBACK = [
    ("1", Feedback(1.0)),
    ("0.25", Feedback(0.25)),
    ("1/concurrency", Feedback(1.0, "concurrency")),
    ("0.5 / sqrt_concurrency", Feedback(0.5, "sqrt_concurrency")),
    ("1 /Concurrency", Feedback(1.0, "concurrency")),
    (" 1/5", Feedback(0.2)),
    (".5", Feedback(0.5)),
    ("1e-1", Feedback(0.1)),
    ("0", Feedback(0.0)),
]


@pytest.mark.parametrize(("text", "expected"), FEEDBACK)
def test_feedback(text: str, expected: Feedback) -> None:
    """postconf(5), default_destination_concurrency_positive_feedback."""
    assert expected == read_feedback(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "2",
        "-1",
        "1/x",
        "1_0",
        "1/concurrency/2",
        "٣",
        "2/1",
        "1/0",
        "1/concurrency x",
        "1 2",
        "1/",
        "1e9",
    ],
)
def test_no_feedback(text: str) -> None:
    """The text says what is wrong."""
    with pytest.raises(ValueError, match="feedback"):
        read_feedback(text)


def test_each_success_adds_one_up_to_the_limit() -> None:
    """Positive feedback 1: 5, 6, 7, and no further than 8."""
    window = Window(ConcurrencyRules(initial=5, limit=8))
    sizes = []
    for _ in range(5):
        window.succeeded(window.size)
        sizes.append(window.size)
    assert [6, 7, 8, 8, 8] == sizes


def test_no_growth_without_use() -> None:
    """Who does not use the window does not get a larger one: size < busy + initial."""
    window = Window(ConcurrencyRules(initial=2, limit=20))
    for _ in range(10):
        window.succeeded(1)
    assert 3 == window.size


def test_a_pseudo_cohort_of_failures_is_death() -> None:
    """5 deliveries at once: 1/5 + 1/3 + 1/2 is more than one cohort."""
    window = Window(ConcurrencyRules(initial=5))
    sizes = []
    for _ in range(3):
        window.failed()
        sizes.append(window.size)
    assert [3, 2, 0] == sizes
    assert window.is_dead


def test_the_first_failure_counts_at_once() -> None:
    """Two steps down, then one each; after a step up the first one counts at once again."""
    window = Window(ConcurrencyRules(initial=10, failed_cohort_limit=0))
    sizes = []
    for good in (False, False, False, True, False, False):
        if good:
            window.succeeded(window.size)
        else:
            window.failed()
        sizes.append(window.size)
    assert [8, 7, 6, 7, 5, 4] == sizes


def test_half_a_feedback_may_be_missing() -> None:
    """1/sqrt_concurrency at 5: 0.45 and 0.45 are enough for a step."""
    window = Window(ConcurrencyRules(initial=5, positive=Feedback(1, "sqrt_concurrency")))
    window.succeeded(5)
    assert 5 == window.size
    window.succeeded(5)
    assert 6 == window.size


def test_fractions_add_up() -> None:
    """1/concurrency: as many successes as the window is wide make it one wider."""
    window = Window(ConcurrencyRules(initial=4, limit=20, positive=Feedback(1, "concurrency")))
    for _ in range(3):
        window.succeeded(4)
    assert 4 == window.size
    window.succeeded(4)
    assert 5 == window.size


def test_a_success_forgives_failures_and_revives_the_dead() -> None:
    """Cohorts are counted without a break; a dead destination begins anew."""
    window = Window(ConcurrencyRules(initial=1, limit=1, failed_cohort_limit=2))
    sizes = []
    for good in (False, True, False, False, True):
        if good:
            window.succeeded(1)
        else:
            window.failed()
        sizes.append(window.size)
    assert [1, 1, 1, 0, 1] == sizes


def test_each_step_is_told() -> None:
    """destination_concurrency_feedback_debug: what was counted, then where the window is; death and revival, too."""
    told: list[str] = []
    window = Window(ConcurrencyRules(initial=2, limit=3), name="site", tell=told.append)
    for good in (True, True, False, False, True):
        if good:
            window.succeeded(3)
        else:
            window.failed()
    queue = "queue site: limit 3 window"
    assert told == [
        "qmgr_queue_unthrottle: feedback 1",
        f"qmgr_queue_unthrottle: {queue} 3 success 0 failure 0 fail_cohorts 0",
        f"qmgr_queue_unthrottle: {queue} 3 success 0 failure 0 fail_cohorts 0",
        "qmgr_queue_throttle: feedback 1",
        f"qmgr_queue_throttle: {queue} 1 success 0 failure 1 fail_cohorts 0.333333",
        f"qmgr_queue_throttle: {queue} 0 success 0 failure 1 fail_cohorts 1.33333",
        f"qmgr_queue_unthrottle: {queue} 2 success 0 failure 0 fail_cohorts 0",
    ]


rules = st.builds(
    ConcurrencyRules,
    initial=st.integers(1, 10),
    limit=st.integers(0, 20),
    positive=st.builds(Feedback, st.floats(0, 1), st.sampled_from(["", "concurrency", "sqrt_concurrency"])),
    negative=st.builds(Feedback, st.floats(0, 1), st.sampled_from(["", "concurrency", "sqrt_concurrency"])),
    failed_cohort_limit=st.integers(0, 3),
)


@given(rules, st.lists(st.tuples(st.booleans(), st.integers(1, 30)), max_size=60))
def test_the_window_stays_in_its_bounds(chosen: ConcurrencyRules, events: list[tuple[bool, int]]) -> None:
    """0 only when dead, never above the limit, never dead if that is switched off."""
    window = Window(chosen)
    for good, busy in events:
        if good:
            window.succeeded(busy)
        else:
            window.failed()
        assert window.size >= 0
        assert not chosen.limit or window.size <= chosen.limit
        assert chosen.failed_cohort_limit or not window.is_dead
