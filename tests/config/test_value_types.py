"""From text to values: what each type takes, and what it refuses."""

import re
from ipaddress import ip_address

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.config.value_types import (
    MatchList,
    NetworkTable,
    Pattern,
    boolean,
    items,
    match_list,
    network_list,
    number,
    octal_mode,
    pattern_file_names,
    time_span,
    words,
)


def test_booleans() -> None:
    """yes and no in any case, and nothing else."""
    assert [True, True, False] == [boolean(text) for text in ("yes", "YES", "No")]
    for text in ("", "true", "1", "on", "y", " yes"):
        with pytest.raises(ValueError, match="neither yes nor no"):
            boolean(text)


def test_numbers() -> None:
    """ASCII digits only."""
    assert [0, 7, 7, 2**31 - 1] == [number(text) for text in ("0", "007", "+7", str(2**31 - 1))]
    assert number(str(2**63 - 1), bits=64) == 2**63 - 1
    for text in ("", "1_0", " 1", "++1", "-1", "1k", "\u0661", "9" * 30):
        with pytest.raises(ValueError, match="is not a number of digits only"):
            number(text)
    for bits in (32, 64):
        with pytest.raises(ValueError, match=f"too large: the largest number is {2 ** (bits - 1) - 1}"):
            number(str(2 ** (bits - 1)), bits=bits)


TIMES = [("30", "s", 30), ("30", "d", 2592000), ("30s", "d", 30), ("5m", "s", 300), ("1h", "s", 3600),
         ("+2d", "s", 172800), ("1w", "s", 604800), ("0", "h", 0)]  # fmt: skip


@pytest.mark.parametrize(("text", "unit", "expected"), TIMES)
def test_times(text: str, unit: str, expected: int) -> None:
    """A number has its own unit or the parameter's."""
    assert float(expected) == float(time_span(text, unit=unit))


@pytest.mark.parametrize("text", ["", "s", "5x", "5W", "1.5h", "-1s", "1h30m", "5 m", "\u0665m", "1" * 30])
def test_bad_times(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="is not a time such as"):
        time_span(text)


@pytest.mark.parametrize(("text", "unit"), [("2147483648", "s"), ("100000", "d"), ("3551w", "s")])
def test_times_that_are_too_long(text: str, unit: str) -> None:
    """Seconds are counted with 32 bits, as in Postfix."""
    with pytest.raises(ValueError, match=f'"{text}" is too long a time: the longest is 2147483647s'):
        time_span(text, unit=unit)


def test_modes() -> None:
    """Octal digits, with or without a leading zero."""
    assert [0o600, 0o644] == [octal_mode("0600"), octal_mode("644")]
    for text in ("", "0o600", "8", "-1", "rw-"):
        with pytest.raises(ValueError, match="octal"):
            octal_mode(text)


LISTS = [
    ("commas and blanks", "a, b\tc,,d\n e", ("a", "b", "c", "d", "e")),
    ("empty", " , ", ()),
    ("braces", "check_policy_service { inet:h:1, t=5 } x", ("check_policy_service", "inet:h:1, t=5", "x")),
    ("braces inside an item", "CONNECT regexp:{{/^[^A-Z]/ Bogus}}", ("CONNECT", "regexp:{{/^[^A-Z]/ Bogus}}")),
    ("nested braces", "{{a, b} c}", ("{a, b} c",)),
    ("closing brace alone", "a} b", ("a}", "b")),
    ("empty braces", "{} {  }", ("", "")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [pytest.param(*case[1:], id=str(case[0])) for case in LISTS])
def test_lists(text: str, expected: tuple[str, ...]) -> None:
    """Items are separated by commas and blanks, but not inside braces."""
    assert expected == items(text)


@pytest.mark.parametrize(
    ("text", "message"), [("{a", "missing '}' in"), ("{a}b", "syntax error after '}' in")]
)
def test_bad_lists(text: str, message: str) -> None:
    """Braces around an item must match and end it."""
    with pytest.raises(ValueError, match=message):
        items(text)


@given(st.lists(st.text("abc:/!$", min_size=1)), st.sampled_from([" ", ", ", "\t", ",,\n "]))
def test_lists_round_trip(parts: list[str], separator: str) -> None:
    """Items without braces and blanks survive any separator."""
    assert tuple(parts) == items(separator.join(parts))


def test_words_with_a_limit_leave_the_rest() -> None:
    """The last word of a limited split is all that is left."""
    assert ("a", "b", "c  d") == words(" a b  c  d ", limit=3)


NETWORKS = [  # networks, inside, outside
    ("192.0.2.0/24", ["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.9"], ["192.0.3.0", "2001:db8::1"]),
    ("192.0.2.1", ["192.0.2.1"], ["192.0.2.2"]),
    ("[2001:db8::]/32 127.0.0.0/8", ["2001:db8:1::", "127.9.9.9"], ["2001:db9::", "128.0.0.1"]),
    ("[2001:db8::/32] [::1/128]", ["2001:db8:1::", "::1"], ["2001:db9::", "::2"]),
    ("!192.0.2.9, 192.0.2.0/24", ["192.0.2.8"], ["192.0.2.9"]),
    ("192.0.2.0/24 !192.0.2.9", ["192.0.2.9"], []),
    ("!!192.0.2.9", ["192.0.2.9"], []),
    ("!0.0.0.0/0 192.0.2.9", [], ["192.0.2.9"]),
    ("0.0.0.0/0 [::]/0", ["192.0.2.9", "::1"], []),
    ("", [], ["127.0.0.1"]),
]


@pytest.mark.parametrize(("text", "inside", "outside"), NETWORKS)
def test_networks(text: str, inside: list[str], outside: list[str]) -> None:
    """The first block that holds an address decides."""
    networks = network_list(text)
    assert [True] * len(inside) == [networks.contains(ip_address(address)) for address in inside]
    assert [False] * len(outside) == [networks.contains(ip_address(address)) for address in outside]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("192.0.2.1/24", '"192.0.2.1/24", perhaps you should use "192.0.2.0/24" instead'),
        ("[2001:db8::1]/32", 'perhaps you should use "[2001:db8::]/32" instead'),
        ("192.0.2.0/33", "bad net/mask pattern"),
        ("192.0.2.0/+8", "bad net/mask pattern"),
        ("192.0.2.0/255.255.255.0", "bad net/mask pattern"),
        ("192.0.2", "bad address or network"),
        ("192.0.2.x", "bad address or network"),
        ("*", "bad address or network"),
        ("2001:db8::/32", "in brackets"),
        ("[2001:db8::]/129", "bad net/mask pattern"),
    ],
)
def test_bad_networks(text: str, message: str) -> None:
    """What is no network lets nobody in, and of a block nobody is told that he is not in it."""
    networks = network_list(f"198.51.100.1 {text}")
    assert message in "".join(networks.mistakes)
    asked: list[str] = []

    def table_has(name: str, key: str, whole: bool) -> bool:
        asked.append(name)
        return False

    opened = msgspec.structs.replace(networks, table_has=table_has)
    assert opened.holds(ip_address("198.51.100.1"))
    assert not opened.holds(ip_address("192.0.2.1"), "192.0.2.1")
    assert set(asked) == (set(networks.mistakes) if "/" in text else set())


@pytest.mark.parametrize(
    ("text", "message"),
    [("! 192.0.2.1", '"!" with nothing after it'), ("/no/such/file", "cannot read this file")],
)
def test_bad_lists_of_networks(text: str, message: str) -> None:
    """What is no list is refused."""
    with pytest.raises(ValueError, match=re.escape(message)):
        network_list(text)


@pytest.mark.parametrize(
    ("text", "names", "subdomains_too"),
    [
        ("Example.ORG", "example.org EXAMPLE.org", "a.example.org"),
        (".example.org", "a.example.org a.b.example.org", ""),
        ("!a.example.org .example.org", "b.example.org x.a.example.org", ""),
        ("192.0.2.9 localhost", "localhost", "a.localhost"),
    ],
)
def test_hosts_in_networks(text: str, names: str, subdomains_too: str) -> None:
    """A client's name counts, too; what is below it, if that is asked for."""
    networks = network_list(text)
    wider = msgspec.structs.replace(networks, subdomains=True)
    address = ip_address("192.0.2.1")
    for name in names.split():
        assert networks.contains(address, name)
    for name in ("xexample.org", "a.example.org.test", "unknown", "", *subdomains_too.split()):
        assert not networks.contains(address, name)
    for name in subdomains_too.split():
        assert wider.contains(address, name)


def test_tables_in_networks() -> None:
    """A table keeps its place and its negation, for a caller that can ask it."""
    networks = network_list("!cidr:/etc/exceptions, 192.0.2.0/24, hash:/etc/network")
    assert ("cidr:/etc/exceptions", "hash:/etc/network") == networks.tables
    assert NetworkTable("cidr:/etc/exceptions", negated=True) == networks.entries[0]
    with pytest.raises(AssertionError, match="is not open"):  # to pass it over could let somebody in
        networks.contains(ip_address("192.0.2.1"))


def test_match_lists() -> None:
    """Names, tables and negations in order; file items are replaced by their lines."""
    text = "Example.org, !/etc/names hash:/etc/domains !.sub.example.org"
    files = {"/etc/names": ("a.example, !b.example", "/etc/more"), "/etc/more": ("c.example",)}
    found = match_list(text, files=files)
    assert MatchList((
        Pattern("Example.org"),
        Pattern("a.example", negated=True),
        Pattern("b.example"),
        Pattern("c.example", negated=True),
        Pattern("hash:/etc/domains", is_table=True),
        Pattern(".sub.example.org", negated=True),
    )) == found  # fmt: skip
    assert ("example.org", "b.example") == found.names
    assert ("hash:/etc/domains",) == found.tables
    assert ("/etc/names",) == pattern_file_names(text)


def test_a_file_of_patterns_that_holds_itself_is_refused() -> None:
    """Files of patterns may name others, but not without end."""
    with pytest.raises(ValueError, match="cannot read"):
        match_list("/a", files={"/a": ("/a",)})


def test_names_outside_ascii_are_not_folded() -> None:
    """Lower case of other scripts is IDNA's business."""
    assert ("a.example", "BÜCHER.example") == match_list("A.example BÜCHER.example").names
