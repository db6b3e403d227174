"""New and deferred mail take turns."""

from hypothesis import given
from hypothesis import strategies as st

from pillarbox.scheduling.intake import MOST_WAITING, Intake
from pillarbox.vocabulary.identifiers import QueueId


def ids(prefix: str, count: int) -> list[QueueId]:
    return [QueueId(f"{prefix}{number}") for number in range(count)]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 12), st.integers(1, 20))
def test_neither_queue_keeps_the_other_out(new: int, old: int, most: int, limit: int) -> None:
    """As long as both have mail, shares differ by one at most in each turn; order within a queue is kept."""
    intake = Intake(active_limit=limit)
    intake.add_incoming(ids("N", new))
    intake.add_deferred(ids("D", old))
    taken: list[QueueId] = []
    left = {"incoming": new, "deferred": old}
    while turn := intake.take(most):
        assert len(turn) <= min(most, limit)
        assert intake.active_count <= limit
        count = {queue: sum(where == queue for _, where in turn) for queue in left}
        if all(left[queue] > count[queue] for queue in left):
            assert abs(count["incoming"] - count["deferred"]) <= 1
        for queue_id, queue in turn:
            left[queue] -= 1
            taken.append(queue_id)
            intake.done(queue_id)
    assert [one for one in taken if one.startswith("N")] == ids("N", new)
    assert [one for one in taken if one.startswith("D")] == ids("D", old)
    assert intake.is_idle


def test_no_message_is_taken_twice() -> None:
    """A hint and a scan name the same message; nor is one taken that is active."""
    intake = Intake(active_limit=9)
    intake.add_incoming(ids("N", 2))
    intake.add_incoming(ids("N", 2))
    assert len(intake.take(9)) == 2
    intake.add_deferred(ids("N", 2))
    assert intake.take(9) == []
    intake.done(QueueId("N0"))
    intake.add_deferred(ids("N", 2))
    assert intake.take(9) == [(QueueId("N0"), "deferred")]


def test_only_so_many_wait() -> None:
    """Hints of a flood of mail: what has no room is left for a scan, and told so."""
    intake = Intake(active_limit=9)
    flood = ids("N", MOST_WAITING + 5)
    assert intake.add_incoming(flood[:MOST_WAITING])
    assert not intake.add_incoming(flood[MOST_WAITING - 3 :])
    assert intake.waiting_incoming == MOST_WAITING
    assert intake.add_incoming(flood[:20])  # known ones need no room
    assert intake.add_deferred(ids("D", 2))
    assert intake.waiting_deferred == 2
    taken = [queue_id for queue_id, queue in intake.take(9) if queue == "incoming"]
    assert intake.add_incoming(flood[MOST_WAITING : MOST_WAITING + len(taken)])
    assert not intake.add_incoming(flood[-1:]) or len(taken) > 5
