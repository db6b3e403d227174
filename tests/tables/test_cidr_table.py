"""cidr: tables: blocks in order, both families, what is no address."""

import pytest

from pillarbox.tables.opening import open_with
from pillarbox.tables.table import Opening
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.faults import ConfigurationFault

TABLE = """{
  {192.0.2.1 one}, {192.0.2.0/24 net}, {!10.0.0.0/8 outside}, {10.1.0.0/16 inside},
  {if 10.2.0.0/15} {10.2.0.1 first} {!10.2.0.2 not second} {endif}
  {::1 six} {[2001:db8::]/32 documentation} {0.0.0.0/0 four} {::/0 any six}
}""".replace("\n", " ")
CASES = [
    ("192.0.2.1", "one"),
    ("192.0.2.77", "net"),
    ("198.51.100.1", "outside"),
    ("10.1.2.3", "inside"),
    ("10.2.0.1", "first"),
    ("10.2.0.2", "four"),
    ("10.3.0.2", "not second"),
    ("10.200.0.1", "four"),
    ("::1", "six"),
    ("2001:DB8::5", "documentation"),
    ("fe80::1", "any six"),
    ("name.example", None),
    ("10.1", None),
    ("", None),
    ("::ffff:192.0.2.1", "any six"),
]


@pytest.mark.parametrize(("key", "answer"), CASES)
def test_the_first_block_decides(key: str, answer: str | None) -> None:
    """A negated block holds what is not in it, of its own family."""
    table = open_with(f"cidr:{TABLE}", Opening(where="", clock=ManualClock()))
    assert (table.query(key), table.partial_keys) == (answer, False)


def test_blanks_between_negations() -> None:
    """`! ! 192.0.2.1` is two negations and an address, as Postfix reads it."""
    rules = "{! ! 192.0.2.1 even} {! 192.0.2.2 odd}"
    table = open_with(f"cidr:{{ {rules} }}", Opening(where="", clock=ManualClock()))
    assert ["even", None, "odd"] == [table.query(f"192.0.2.{number}") for number in (1, 2, 3)]


WRONG = [
    ("192.0.2.5/24 x", 'non-null host address bits in "192.0.2.5/24", perhaps you should use "192.0.2.0/24"'),
    ("192.0.2.0/33 x", 'bad mask length in "192.0.2.0/33"'),
    ("192.0.2.0/x x", 'bad mask value in "192.0.2.0/x"'),
    ("192.0.2/24 x", 'bad network value in "192.0.2/24"'),
    ("host x", 'bad address pattern: "host"'),
    ("192.0.2.0/24", "no lookup result"),
    ("! x y", 'bad address pattern: "x"'),
    ("!!", "no address pattern"),
    ("if !", "no address pattern"),
    ("endif", "ENDIF without IF"),
]


@pytest.mark.parametrize(("rule", "reason"), WRONG)
def test_a_wrong_rule_is_told_and_left_out(rule: str, reason: str) -> None:
    """The rest counts."""
    told: list[str] = []
    table = open_with(
        f"cidr:{{ {{{rule}}} {{192.0.2.9 kept}} }}", Opening(where="", clock=ManualClock(), warn=told.append)
    )
    assert [reason in text for text in told] == [True]
    assert table.query("192.0.2.9") == "kept"


def test_no_file() -> None:
    """At the parameter's place."""
    with pytest.raises(ConfigurationFault, match="open /nonexistent: No such file or directory"):
        open_with("cidr:/nonexistent", Opening(where="main.cf, line 9", clock=ManualClock()))
