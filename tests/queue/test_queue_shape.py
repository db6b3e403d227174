"""The table of qshape(1)."""

from hypothesis import given
from hypothesis import strategies as st

from pillarbox.queue.queue_shape import QueueShape, ShapeRules


def test_a_small_table() -> None:
    """Counts by domain and age, the largest first; the oldest bucket has no end."""
    shape = QueueShape(ShapeRules(buckets=4))
    shape.add(["a@Example.org", "b@example.org", "c@other.test"], age=20)
    shape.add(["d@example.org"], age=5 * 60)
    shape.add([""], age=100 * 60)
    assert [line.strip() for line in shape.table()] == [
        "T  5 10 20 20+",
        "TOTAL  5  3  1  0   1",
        "example.org  3  2  1  0   0",
        "other.test  1  1  0  0   0",
        "MAILER-DAEMON  1  0  0  0   1",
    ]


def test_parents_with_enough_below_them() -> None:
    """A parent counts what is below it; it is shown from `least_subdomains` on, top-level domains never."""
    shape = QueueShape(ShapeRules(buckets=2, parents=True, least_subdomains=2))
    shape.add(["x@a.sub.example.com", "x@b.sub.example.com", "x@c.only.example.com"], age=0)
    rows = [line.split() for line in shape.table()][2:]
    assert rows[:2] == [[".example.com", "3", "3", "0"], [".sub.example.com", "2", "2", "0"]]
    assert [".only.example.com"] not in [row[:1] for row in rows]


@given(
    messages=st.lists(st.tuples(st.text(max_size=20), st.floats(0, 1e9)), max_size=30),
    buckets=st.integers(1, 15),
    linear=st.booleans(),
)
def test_everything_is_counted_once(messages: list[tuple[str, float]], buckets: int, *, linear: bool) -> None:
    """Each row adds up, and so do the rows."""
    shape = QueueShape(ShapeRules(buckets=buckets, linear=linear, width=500))
    for address, age in messages:
        shape.add([address], age=age)
    rows = [[int(cell) for cell in line.rsplit(maxsplit=buckets + 1)[1:]] for line in list(shape.table())[1:]]
    assert all(row[0] == sum(row[1:]) for row in rows)
    assert sum(row[0] for row in rows) == 2 * len(messages)
