"""Who tries wrong passwords waits longer each time."""

from pillarbox.auth.penalties import FORGOTTEN_SECONDS, Penalties
from pillarbox.vocabulary.clock import Clock


class SetClock(Clock):
    """A clock that stands where it is set."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        """Seconds since 1970."""
        return self.time

    def monotonic(self) -> float:
        """Seconds since some time."""
        return self.time


def test_each_wrong_password_doubles_the_wait() -> None:
    """4, 8, then 15 seconds."""
    penalties = Penalties(SetClock())
    waits = []
    for attempt in range(6):
        penalties.failed("192.0.2.1", "me", b"%d" % attempt)
        waits.append(penalties.seconds("192.0.2.1"))
    assert waits == [4, 8, 15, 15, 15, 15]
    assert penalties.seconds("192.0.2.2") == 0


def test_the_same_wrong_password_counts_once() -> None:
    """A mail program with an old password does not lock its network out."""
    penalties = Penalties(SetClock())
    for _ in range(5):
        penalties.failed("192.0.2.1", "me", b"old")
    assert penalties.seconds("192.0.2.1") == 4


def test_success_and_time_forgive() -> None:
    """The wait shrinks as time goes by; a right password ends it."""
    clock = SetClock()
    penalties = Penalties(clock)
    penalties.failed("192.0.2.1", "me", b"a")
    penalties.failed("192.0.2.1", "me", b"b")
    clock.time += 3
    assert penalties.seconds("192.0.2.1") == 5
    penalties.succeeded("192.0.2.1")
    assert penalties.seconds("192.0.2.1") == 0
    penalties.failed("192.0.2.1", "me", b"a")
    clock.time += FORGOTTEN_SECONDS + 1
    penalties.failed("192.0.2.1", "me", b"b")
    assert penalties.seconds("192.0.2.1") == 4


def test_networks_of_ipv6_count_as_one_client() -> None:
    """A /48 is what one customer has."""
    penalties = Penalties(SetClock())
    penalties.failed("2001:db8:1:2::3", "me", b"a")
    assert penalties.seconds("2001:db8:1:ffff::1") == 4
    assert penalties.seconds("2001:db8:2::1") == 0
    assert penalties.listing() == [("2001:db8:1::", 1, 0.0)]


def test_what_is_no_address_is_not_counted() -> None:
    """smtpd may not have told it."""
    penalties = Penalties(SetClock())
    penalties.failed("", "me", b"a")
    assert penalties.seconds("") == 0
