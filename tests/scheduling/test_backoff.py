"""When a message is tried again, and when never more."""

import pytest

from pillarbox.scheduling.backoff import is_expired, next_attempt

NEXT = [(0, 300), (299, 300), (300, 300), (1000, 1000), (4000, 4000), (100_000, 4000)]


@pytest.mark.parametrize(("age", "wait"), NEXT)
def test_the_wait_is_the_age_within_bounds(age: float, wait: float) -> None:
    """Postfix's arithmetic."""
    assert (
        next_attempt(now=5000 + age, created=5000, minimal_backoff=300, maximal_backoff=4000)
        == 5000 + age + wait
    )


EXPIRY = [(99, False, False), (100, False, True), (49, True, False), (50, True, True)]


@pytest.mark.parametrize(("age", "is_bounce", "expired"), EXPIRY)
def test_bounces_have_a_lifetime_of_their_own(age: float, is_bounce: bool, expired: bool) -> None:
    """maximal_queue_lifetime, bounce_queue_lifetime."""
    assert (
        is_expired(now=7 + age, created=7, is_bounce=is_bounce, queue_lifetime=100, bounce_lifetime=50)
        is expired
    )


def test_no_bounce_is_kept_longer_than_other_mail() -> None:
    """qmgr(8) adjusts bounce_queue_lifetime."""
    assert is_expired(now=50, created=0, is_bounce=True, queue_lifetime=50, bounce_lifetime=100)


def test_a_lifetime_of_zero_is_one_attempt() -> None:
    """After it, the message is expired at once."""
    assert is_expired(now=0, created=0, is_bounce=False, queue_lifetime=0, bounce_lifetime=0)
