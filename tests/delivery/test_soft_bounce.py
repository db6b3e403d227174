"""soft_bounce: what would be returned to its sender is tried again."""

import msgspec

from pillarbox.delivery.request import Attempt, Outcome, softened

FAILED = Outcome("bounced", "5.1.1", "unknown user", relay="mx", diagnostic="smtp; 550 no")


def test_what_would_be_returned() -> None:
    """It is deferred, with all that is known of it; the log says what it is."""
    expected = msgspec.structs.replace(FAILED, status="deferred", dsn="4.1.1", shown="SOFTBOUNCE")
    assert softened(FAILED) == expected


def test_what_is_not_returned_stays() -> None:
    """Delivered, or deferred anyway."""
    for status, dsn in (("sent", "2.0.0"), ("deferred", "4.3.0")):
        outcome = Outcome(status, dsn, "x")
        assert softened(outcome) is outcome


def test_one_of_those_a_recipient_stands_for() -> None:
    """The whole recipient is tried again; what was delivered is told as that."""
    good = Attempt(b"a@here.test", b"list@here.test", "sent", "2.0.0", "delivered")
    bad = Attempt(b"b@here.test", b"list@here.test", "bounced", "5.1.1", "unknown user")
    soft = softened(Outcome("sent", "2.0.0", "", attempts=[good, bad]))
    assert soft.status == "deferred"
    assert soft.attempts is not None
    assert [(one.status, one.dsn, one.shown) for one in soft.attempts] == [
        ("sent", "2.0.0", ""),
        ("deferred", "4.1.1", "SOFTBOUNCE"),
    ]
