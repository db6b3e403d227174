"""Servers behind a firewall that covers their greeting with stars."""

import pytest

from pillarbox.delivery.smtp.workarounds import Measures, Workarounds
from pillarbox.observability.events import Event, Warned
from pillarbox.tables.opening import open_tables
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.faults import ConfigurationFault


def ignore(event: Event) -> None:
    """Nobody reads the log."""


BOTH = Measures(disable_esmtp=True, delay_dotcrlf=True)
GREETINGS = [
    (b"220 ***********************0*2****", BOTH),
    (b"220 ", BOTH),
    (b"220-***\n220 **", None),  # as Postfix: a hyphen is no star
    (b"220 mx.example.org ESMTP", None),
    (b"220 * ESMTP *", None),
]


@pytest.mark.parametrize(("greeting", "expected"), GREETINGS)
def test_who_is_behind_one(greeting: bytes, expected: Measures | None) -> None:
    """Nothing but stars, blanks, 0 and 2."""
    workarounds = Workarounds(["disable_esmtp", "DELAY_DOTCRLF"], [], threshold=500, where="x")
    assert workarounds.for_server("192.0.2.1", greeting, age=500, tell=ignore) == expected


def test_a_table_goes_first() -> None:
    """By the server's address; what it does not know is done as ever."""
    tables = open_tables(
        ["inline:{{192.0.2.1 = delay_dotcrlf}, {192.0.2.2 = nonsense}}"], where="x", clock=ManualClock()
    )
    workarounds = Workarounds(["disable_esmtp"], tables, threshold=500, where="x")
    known = {
        host: workarounds.for_server(f"192.0.2.{host}", b"220 *", age=500, tell=ignore) for host in (1, 9)
    }
    assert known == {1: Measures(delay_dotcrlf=True), 9: Measures(disable_esmtp=True)}
    with pytest.raises(ValueError, match="nonsense"):
        workarounds.for_server("192.0.2.2", b"220 *", age=500, tell=ignore)


def test_the_dot_of_a_message_that_is_new() -> None:
    """It comes as ever, until the message has waited long enough; the log tells that there was a greeting so."""
    workarounds = Workarounds(["disable_esmtp", "delay_dotcrlf"], [], threshold=500, where="x")
    assert workarounds.for_server("192.0.2.1", b"220 *", age=499, tell=ignore) == Measures(disable_esmtp=True)
    workarounds = Workarounds(["delay_dotcrlf"], [], threshold=500, where="x")
    assert workarounds.for_server("192.0.2.1", b"220 *", age=499, tell=ignore) == Measures()


def test_a_word_that_is_none() -> None:
    """At start."""
    with pytest.raises(ConfigurationFault, match="no workaround"):
        Workarounds(["disable_smtp"], [], threshold=500, where="x")


def test_a_table_that_cannot_answer() -> None:
    """The log tells, and all servers' measures are taken."""
    workarounds = Workarounds(
        ["disable_esmtp"], open_tables(["fail:x"], where="x", clock=ManualClock()), threshold=500, where="x"
    )
    told: list[Event] = []
    found = workarounds.for_server("192.0.2.1", b"220 *", age=0, tell=told.append)
    assert (found, told) == (Measures(disable_esmtp=True), [Warned('fail:x lookup error for "192.0.2.1"')])
