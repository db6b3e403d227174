"""Servers behind a firewall that covers their greeting with stars."""

import pytest

from pillarbox.delivery.smtp.workarounds import Measures, Workarounds
from pillarbox.tables.opening import open_tables
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.faults import ConfigurationFault

BOTH, NONE = Measures(disable_esmtp=True, delay_dotcrlf=True), Measures()
GREETINGS = [
    (b"220 ***********************0*2****", BOTH),
    (b"220 ", BOTH),
    (b"220-***\n220 **", Measures()),  # as Postfix: a hyphen is no star
    (b"220 mx.example.org ESMTP", NONE),
    (b"220 * ESMTP *", NONE),
]


@pytest.mark.parametrize(("greeting", "expected"), GREETINGS)
def test_who_is_behind_one(greeting: bytes, expected: Measures) -> None:
    """Nothing but stars, blanks, 0 and 2."""
    workarounds = Workarounds(["disable_esmtp", "DELAY_DOTCRLF"], [], where="x")
    assert workarounds.for_server("192.0.2.1", greeting) == expected


def test_a_table_goes_first() -> None:
    """By the server's address; what it does not know is done as ever."""
    tables = open_tables(
        ["inline:{{192.0.2.1 = delay_dotcrlf}, {192.0.2.2 = nonsense}}"], where="x", clock=ManualClock()
    )
    workarounds = Workarounds(["disable_esmtp"], tables, where="x")
    assert workarounds.for_server("192.0.2.1", b"220 *").names == "delay_dotcrlf"
    assert workarounds.for_server("192.0.2.9", b"220 *").names == "disable_esmtp"
    with pytest.raises(ValueError, match="nonsense"):
        workarounds.for_server("192.0.2.2", b"220 *")


def test_a_word_that_is_none() -> None:
    """At start."""
    with pytest.raises(ConfigurationFault, match="no workaround"):
        Workarounds(["disable_smtp"], [], where="x")
