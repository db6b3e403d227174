"""Counts of what clients do, over a span of time."""

from ipaddress import ip_address

from fakes.time_zone import time_zone
from pillarbox.access.client_peaks import ClientPeaks
from pillarbox.access.client_rates import ClientRates, Event, RateLimits
from pillarbox.vocabulary.clock import ManualClock

LIMITS = RateLimits(
    service="smtp", limits={Event.MESSAGE: 2, Event.AUTH: 0}, unit=60.0, ipv4_prefix=24, ipv6_prefix=64
)


def _rates(clock: ManualClock) -> tuple[ClientRates, ClientPeaks]:
    peaks = ClientPeaks(clock)
    return ClientRates(clock, peaks), peaks


def test_a_limit_and_a_new_span() -> None:
    """The third is too many until the time is over."""
    clock = ManualClock()
    rate = _rates(clock)[0].of(ip_address("192.0.2.1"), LIMITS)
    assert [rate.exceeded(Event.MESSAGE) for _ in range(4)] == [0, 0, 3, 4]
    assert [rate.exceeded(Event.AUTH) for _ in range(4)] == [0] * 4
    clock.advance(60)
    assert rate.exceeded(Event.MESSAGE) == 0
    assert rate.warning(Event.MESSAGE, 3, "x[192.0.2.1]") == (
        "Message delivery request rate limit exceeded: 3 from x[192.0.2.1] for service smtp"
    )


def test_neighbours_are_one_client() -> None:
    """smtpd_client_ipv4_prefix_length; other networks and other services count for themselves."""
    rates, _ = _rates(ManualClock())
    for last in (1, 2):
        assert not rates.of(ip_address(f"192.0.2.{last}"), LIMITS).exceeded(Event.MESSAGE)
    assert rates.of(ip_address("192.0.2.3"), LIMITS).exceeded(Event.MESSAGE) == 3
    assert not rates.of(ip_address("192.0.3.3"), LIMITS).exceeded(Event.MESSAGE)
    for last in (1, 2):
        assert not rates.of(ip_address(f"2001:db8::{last}"), LIMITS).exceeded(Event.MESSAGE)
    assert rates.of(ip_address("2001:db8::3"), LIMITS).exceeded(Event.MESSAGE) == 3


def test_connections_at_once() -> None:
    """Those of a network at one service; who has gone leaves room.  The refused one counts while it is there."""
    limits = RateLimits(service="smtp", limits={}, unit=60.0, connections=2, ipv4_prefix=24)
    rates, _ = _rates(ManualClock())
    one, other = (rates.of(ip_address(f"192.0.2.{last}"), limits) for last in (1, 2))
    assert [one.connect("a"), other.connect("b")] == ["", ""]
    assert other.connect("b") == "Connection concurrency limit exceeded: 3 from b for service smtp"
    other.disconnect()
    one.disconnect()
    assert other.connect("b") == ""
    elsewhere = RateLimits(service="submission", limits={}, unit=60.0, connections=2, ipv4_prefix=24)
    assert rates.of(ip_address("192.0.2.1"), elsewhere).connect("a") == ""


def test_connections_in_a_span() -> None:
    """Each connection counts, whether anybody is there or not."""
    clock = ManualClock()
    limits = RateLimits(service="smtp", limits={Event.CONNECTION: 1}, unit=60.0)
    rate = _rates(clock)[0].of(ip_address("192.0.2.1"), limits)
    assert rate.connect("a") == ""
    rate.disconnect()
    assert rate.connect("a") == "Connection rate limit exceeded: 2 from a for service smtp"
    rate.disconnect()
    clock.advance(60)
    assert rate.connect("a") == ""


def test_statistics() -> None:
    """The most of each kind, who it was and when it was reached first; then anew.  Forgotten clients do not count."""
    clock = ManualClock(1_800_000_000.0)
    rates, peaks = _rates(clock)
    limits = RateLimits(service="smtp", limits=dict.fromkeys(Event, 100), unit=60.0)
    one, other = (rates.of(ip_address(text), limits) for text in ("192.0.2.1", "2001:db8::1"))
    with time_zone("UTC"):
        assert peaks.lines() == []
        one.connect("a")
        clock.advance(1)
        for _ in range(2):
            other.connect("b")
        for event in (Event.MESSAGE, Event.RECIPIENT, Event.NEW_TLS, Event.AUTH):
            clock.advance(1)
            one.exceeded(event)
            other.exceeded(event)
        for who in (one, other, other):
            who.disconnect()
        network = "smtp:2001:db8::/84"
        assert peaks.lines() == [
            f"statistics: max connection rate 2/60s for ({network}) at Jan 15 08:00:01",
            f"statistics: max connection count 2 for ({network}) at Jan 15 08:00:01",
            "statistics: max message rate 1/60s for (smtp:192.0.2.1) at Jan 15 08:00:02",
            "statistics: max recipient rate 1/60s for (smtp:192.0.2.1) at Jan 15 08:00:03",
            "statistics: max newtls rate 1/60s for (smtp:192.0.2.1) at Jan 15 08:00:04",
            "statistics: max auth rate 1/60s for (smtp:192.0.2.1) at Jan 15 08:00:05",
            "statistics: max cache size 2 at Jan 15 08:00:01",
        ]
        assert peaks.lines() == []
        clock.advance(60)
        one.connect("a")
        assert peaks.lines() == [
            "statistics: max connection rate 1/60s for (smtp:192.0.2.1) at Jan 15 08:01:05",
            "statistics: max connection count 1 for (smtp:192.0.2.1) at Jan 15 08:01:05",
            "statistics: max cache size 1 at Jan 15 08:01:05",
        ]
