"""Counts of what clients do, over a span of time."""

from ipaddress import ip_address

from pillarbox.access.client_rates import ClientRates, Event, RateLimits
from pillarbox.vocabulary.clock import ManualClock

LIMITS = RateLimits(
    service="smtp", limits={Event.MESSAGE: 2, Event.AUTH: 0}, unit=60.0, ipv4_prefix=24, ipv6_prefix=64
)


def test_a_limit_and_a_new_span() -> None:
    """The third is too many until the time is over."""
    clock = ManualClock()
    rate = ClientRates(clock).of(ip_address("192.0.2.1"), LIMITS)
    assert [rate.exceeded(Event.MESSAGE) for _ in range(4)] == [0, 0, 3, 4]
    assert [rate.exceeded(Event.AUTH) for _ in range(4)] == [0] * 4
    clock.advance(60)
    assert rate.exceeded(Event.MESSAGE) == 0
    assert rate.warning(Event.MESSAGE, 3, "x[192.0.2.1]") == (
        "Message delivery request rate limit exceeded: 3 from x[192.0.2.1] for service smtp"
    )


def test_neighbours_are_one_client() -> None:
    """smtpd_client_ipv4_prefix_length; other networks and other services count for themselves."""
    rates = ClientRates(ManualClock())
    for last in (1, 2):
        assert not rates.of(ip_address(f"192.0.2.{last}"), LIMITS).exceeded(Event.MESSAGE)
    assert rates.of(ip_address("192.0.2.3"), LIMITS).exceeded(Event.MESSAGE) == 3
    assert not rates.of(ip_address("192.0.3.3"), LIMITS).exceeded(Event.MESSAGE)
    for last in (1, 2):
        assert not rates.of(ip_address(f"2001:db8::{last}"), LIMITS).exceeded(Event.MESSAGE)
    assert rates.of(ip_address("2001:db8::3"), LIMITS).exceeded(Event.MESSAGE) == 3
