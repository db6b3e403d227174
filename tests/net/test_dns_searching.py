"""Names looked for in resolv.conf's domains, and the probe for DNSSEC."""

import asyncio

import pytest

from fakes.zones import ZoneResolver, Zones
from pillarbox.net.dns.dnssec_probe import ProbedResolver
from pillarbox.net.dns.host_files import read_resolver_options
from pillarbox.net.dns.records import DnsFault, Outcome, RecordType
from pillarbox.net.dns.searching import SearchingResolver

ZONES: Zones = {
    "mx.first.test": {RecordType.A: ("192.0.2.1",)},
    "mx.second.test": {RecordType.A: ("192.0.2.2",)},
    "only.second.test": {RecordType.A: ("192.0.2.3",)},
    "a.b.second.test": {RecordType.A: ("192.0.2.4",)},
    "whole.test": {RecordType.A: ("192.0.2.5",)},
}
DOMAINS = ("first.test", "second.test")
NAMES = [
    ("mx", True, False, "mx.first.test", ["mx.first.test"]),
    ("only", True, False, None, ["only.first.test", "only"]),
    ("only", True, True, "only.second.test", ["only.first.test", "only.second.test"]),
    ("only", False, True, None, ["only"]),
    ("only.", True, True, None, ["only"]),
    ("a.b", True, False, None, ["a.b"]),
    ("a.b", False, True, "a.b.second.test", ["a.b", "a.b.first.test", "a.b.second.test"]),
    ("whole.test", True, True, "whole.test", ["whole.test"]),
]


@pytest.mark.parametrize(("name", "defnames", "dnsrch", "found", "asked"), NAMES)
def test_where_a_name_is_looked_for(
    name: str, defnames: bool, dnsrch: bool, found: str | None, asked: list[str]
) -> None:
    """res_defnames for names without a dot, res_dnsrch for others and for all domains."""
    zones = ZoneResolver(ZONES)
    resolver = SearchingResolver(zones, lambda: DOMAINS, defnames=defnames, dnsrch=dnsrch)
    answer = asyncio.run(resolver.resolve(name, RecordType.A))
    assert answer.outcome is (Outcome.FOUND if found else Outcome.NO_NAME)
    assert answer.name == (found or asked[0])
    assert [one for one, _ in zones.asked] == asked


def test_a_fault_is_no_miss() -> None:
    """Of the name itself; in the other domains it ends the search."""
    zones = ZoneResolver(ZONES, failing=["x.test", "y.test.first.test"])
    resolver = SearchingResolver(zones, lambda: DOMAINS, defnames=True, dnsrch=True)
    with pytest.raises(DnsFault):
        asyncio.run(resolver.resolve("x.test", RecordType.A))
    assert asyncio.run(resolver.resolve("y.test", RecordType.A)).outcome is Outcome.NO_NAME


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("search A.test b.test.\n", ("a.test", "b.test")),
        ("domain a.test b.test\n", ("a.test",)),
        ("search a.test\ndomain b.test\n", ("b.test",)),
        ("search\n", ()),
    ],
)
def test_the_search_list(text: str, search: tuple[str, ...]) -> None:
    """The last of search and domain counts."""
    assert read_resolver_options(text).search == search


@pytest.mark.parametrize(
    ("signed", "failing", "reason"),
    [
        ([], [], "received a response that is not DNSSEC validated"),
        (["probe.test"], [], None),
        (["whole.test"], [], None),
        (
            [],
            ["probe.test"],
            "received no response: Host or domain name not found. Name service error for name=probe.test type=NS: "
            "Host not found, try again",
        ),
    ],
)
def test_the_probe(signed: list[str], failing: list[str], reason: str | None) -> None:
    """It is asked for once, after an answer without a proof."""
    zones = ZoneResolver(ZONES, signed=signed, failing=failing)
    resolver = ProbedResolver(zones, "NS:probe.test")
    warnings: list[str] = []
    resolver.warn = warnings.append

    async def ask() -> None:
        await resolver.resolve("whole.test", RecordType.A)
        await resolver.resolve("mx.first.test", RecordType.A)

    asyncio.run(ask())
    assert zones.asked.count(("probe.test", RecordType.NS)) == (0 if signed == ["whole.test"] else 1)
    expected = ["DNSSEC validation may be unavailable", f"reason: dnssec_probe 'NS:probe.test' {reason}"]
    assert warnings == (expected if reason else [])


def test_no_probe() -> None:
    """An empty parameter asks for nothing; one that is no type and name is refused."""
    zones = ZoneResolver(ZONES)
    asyncio.run(ProbedResolver(zones, "").resolve("whole.test", RecordType.A))
    assert zones.asked == [("whole.test", RecordType.A)]
    for probe in ("ns", "ns:", "nosuch:."):
        with pytest.raises(ValueError, match="malformed DNSSEC probe"):
            ProbedResolver(zones, probe)
