"""Delivery status filters: what may be said otherwise, and what may not."""

import pytest

from pillarbox.delivery.request import Attempt, Outcome
from pillarbox.delivery.status_filter import StatusFilter
from pillarbox.tables.table import LookupFault


class Table:
    """A table in memory; None stands for one that cannot answer."""

    name = "memory:x"
    partial_keys = False
    owner_uid = 0

    def __init__(self, values: dict[str, str | None]) -> None:
        self._values = values

    def query(self, key: str) -> str | None:
        """The value."""
        if key in self._values and self._values[key] is None:
            raise LookupFault(self.name, "gone")
        return self._values.get(key)


CASES = [
    ("final to passing", "5.1.1 no", "4.1.1 wait", ("deferred", "4.1.1", "wait"), 0),
    ("passing to final", "4.2.2 full", "5.2.2 full for good", ("bounced", "5.2.2", "full for good"), 0),
    ("success otherwise", "2.0.0 ok", "2.0.1 fine", ("sent", "2.0.1", "fine"), 0),
    ("failure to success", "5.1.1 no", "2.0.0 ok", ("bounced", "5.1.1", "no"), 1),
    ("success to failure", "2.0.0 ok", "5.0.0 no", ("sent", "2.0.0", "ok"), 1),
    ("no status", "5.1.1 no", "later", ("bounced", "5.1.1", "no"), 1),
    ("no text", "5.1.1 no", "4.1.1", ("bounced", "5.1.1", "no"), 1),
    ("no answer", "5.1.1 no", None, ("bounced", "5.1.1", "no"), 1),
]


@pytest.mark.parametrize(
    ("key", "value", "expected", "warnings"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_filter(key: str, value: str | None, expected: tuple[str, str, str], warnings: int) -> None:
    """An outcome, and the same as one of several attempts."""
    told: list[str] = []
    status_filter = StatusFilter([Table({key: value})], parameter="x", warn=told.append)
    dsn, _, text = key.partition(" ")
    status = {"2": "sent", "4": "deferred", "5": "bounced"}[dsn[0]]
    found = status_filter.outcome(Outcome(status, dsn, text))
    assert (found.status, found.dsn, found.text) == expected
    assert len(told) == warnings
    attempts = [Attempt(b"a@b", b"", status, dsn, text), Attempt(b"c@d", b"", "sent", "2.0.0", "other")]
    both = status_filter.outcome(Outcome("sent", "2.0.0", "", attempts=attempts))
    assert both.attempts is not None
    assert (both.attempts[0].status, both.attempts[0].dsn, both.attempts[0].text) == expected
    assert both.attempts[1] == attempts[1]
    assert both.status == ("deferred" if expected[0] == "deferred" else "sent")


def test_mail_that_is_passed_on_is_no_result_yet() -> None:
    """Whoever takes it has a filter of its own."""
    attempt = Attempt(b"a@b", b"", "passed", "2.0.0", "lmtp:x")
    outcome = Outcome("sent", "2.0.0", "", attempts=[attempt])
    status_filter = StatusFilter([Table({"2.0.0 lmtp:x": "5.0.0 no"})], parameter="x", warn=lambda text: None)
    assert status_filter.outcome(outcome) == outcome
