"""From nexthops to addresses: order, loops, limits, and what the DNS may say."""

import asyncio
import random
import re
from typing import Any

import pytest

from fakes.zones import ZoneResolver, Zones
from pillarbox.delivery.smtp.destination import Destination, known_ports, read_destinations
from pillarbox.delivery.smtp.mail_exchangers import (
    MailExchangers,
    Route,
    Rules,
    Target,
    Unreachable,
    drawn_by_weight,
)
from pillarbox.net.dns.host_lookup import HostLookup
from pillarbox.net.dns.records import Mx, RecordType, Srv
from pillarbox.vocabulary.clock import ManualClock

ZONES: Zones = {
    "two.test": {RecordType.MX: [Mx(20, "b.test"), Mx(10, "a.test")]},
    "equal.test": {RecordType.MX: [Mx(10, "a.test"), Mx(10, "b.test")]},
    "null.test": {RecordType.MX: [Mx(0, "")]},
    "own.test": {RecordType.MX: [Mx(10, "us.test"), Mx(20, "b.test")]},
    "backup.test": {RecordType.MX: [Mx(10, "a.test"), Mx(20, "us.test"), Mx(30, "b.test")]},
    "gone.test": {RecordType.MX: [Mx(10, "nowhere.test")]},
    "partly.test": {RecordType.MX: [Mx(10, "broken.test"), Mx(20, "b.test")]},
    "unsure.test": {RecordType.MX: [Mx(10, "nowhere.test"), Mx(20, "broken.test")]},
    "primary.test": {RecordType.MX: [Mx(10, "broken.test"), Mx(20, "us.test")]},
    "noprimary.test": {RecordType.MX: [Mx(10, "nowhere.test"), Mx(20, "us.test")]},
    "_submission._tcp.srv.test": {
        RecordType.SRV: [
            Srv(20, 0, 2587, "b.test"),
            Srv(10, 1, 587, "a.test"),
            Srv(10, 3, 588, "plain.test"),
            Srv(10, 0, 589, "nowhere.test"),
        ]
    },
    "srv.test": {RecordType.MX: [Mx(10, "b.test")]},
    "_submission._tcp.nullsrv.test": {RecordType.SRV: [Srv(0, 0, 0, "")]},
    "_submission._tcp.gonesrv.test": {RecordType.SRV: [Srv(0, 0, 587, "nowhere.test")]},
    "nullsrv.test": {RecordType.A: ["192.0.2.5"]},
    "gonesrv.test": {RecordType.A: ["192.0.2.6"]},
    "nosrv.test": {RecordType.MX: [Mx(10, "b.test")]},
    "brokensrv.test": {RecordType.A: ["192.0.2.7"]},
    "_smtp._tcp.plain.test": {RecordType.SRV: [Srv(0, 0, 2525, "b.test")]},
    "_smtp._tcp.oursrv.test": {RecordType.SRV: [Srv(0, 0, 25, "us.test")]},
    "alias.test": {RecordType.CNAME: ["b.test"]},
    "a.test": {RecordType.A: ["192.0.2.1"], RecordType.AAAA: ["2001:db8::1"]},
    "b.test": {RecordType.A: ["192.0.2.2"]},
    "us.test": {RecordType.A: ["192.0.2.10"]},
    "plain.test": {RecordType.A: ["192.0.2.3"]},
    "text.test": {RecordType.TXT: [b"x"]},
    "many.test": {
        RecordType.A: [f"192.0.2.{number}" for number in range(20, 28)],
        RecordType.AAAA: [f"2001:db8::{number}" for number in range(20, 28)],
    },
}
PORTS = known_ports(["smtp=25", "submission=587", "smtps=submissions=465"])


def targets(nexthop: str, rules: dict[str, Any]) -> list[Target]:
    """What is tried, lots drawn by turning the list round."""
    return route(nexthop, rules).targets


def route(nexthop: str, rules: dict[str, Any]) -> Route:
    """The same, and whether we are among the mail exchangers."""
    resolver = ZoneResolver(ZONES, failing={"broken.test", "failing.test", "_submission._tcp.brokensrv.test"})
    exchangers = MailExchangers(
        resolver,
        HostLookup(resolver, clock=ManualClock()),
        rules=Rules(own_addresses=frozenset({"192.0.2.10"}), myhostname="me.test", **rules),
        shuffle=list.reverse,
        draw=lambda below: below - 1,
    )
    services = ("submission", "smtp") if "srv" in nexthop or nexthop == "plain.test:smtp" else ("submission",)
    (destination,) = read_destinations(nexthop, port="smtp", ports=PORTS, lmtp=False, services=services)
    return asyncio.run(exchangers.route(destination))


ORDERS: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "two.test",
        {"preference": "ipv4"},
        ["a.test[192.0.2.1]:25", "a.test[2001:db8::1]:25", "b.test[192.0.2.2]:25"],
    ),
    (
        "two.test",
        {"preference": "ipv6"},
        ["a.test[2001:db8::1]:25", "a.test[192.0.2.1]:25", "b.test[192.0.2.2]:25"],
    ),
    (
        "equal.test",
        {"preference": "ipv4"},
        ["b.test[192.0.2.2]:25", "a.test[192.0.2.1]:25", "a.test[2001:db8::1]:25"],
    ),
    (
        "equal.test",
        {"randomize": False},
        ["a.test[192.0.2.1]:25", "a.test[2001:db8::1]:25", "b.test[192.0.2.2]:25"],
    ),
    ("plain.test", {}, ["plain.test[192.0.2.3]:25"]),
    ("[two.test.a]", {}, []),
    ("[b.test]:587", {}, ["b.test[192.0.2.2]:587"]),
    ("[b.test]:submissions", {}, ["b.test[192.0.2.2]:465"]),
    ("[192.0.2.9]", {}, ["192.0.2.9[192.0.2.9]:25"]),
    ("[ipv6:2001:db8::9]:26", {}, ["2001:db8::9[2001:db8::9]:26"]),
    ("backup.test", {"preference": "ipv4"}, ["a.test[192.0.2.1]:25", "a.test[2001:db8::1]:25"]),
    ("[us.test]:2525", {}, ["us.test[192.0.2.10]:2525"]),
    ("partly.test", {}, ["b.test[192.0.2.2]:25"]),
    (
        "srv.test:submission",
        {"preference": "ipv4"},
        [
            "plain.test[192.0.2.3]:588",
            "a.test[192.0.2.1]:587",
            "a.test[2001:db8::1]:587",
            "b.test[192.0.2.2]:2587",
        ],
    ),
    ("[b.test]:submission", {}, ["b.test[192.0.2.2]:587"]),
    ("srv.test", {"may_do_without_srv": True}, ["b.test[192.0.2.2]:25"]),
    ("plain.test:smtp", {}, ["b.test[192.0.2.2]:2525"]),
    ("nosrv.test:submission", {"may_do_without_srv": True}, ["b.test[192.0.2.2]:587"]),
    ("nullsrv.test:submission", {"may_do_without_srv": True}, ["nullsrv.test[192.0.2.5]:587"]),
    ("gonesrv.test:submission", {"may_do_without_srv": True}, ["gonesrv.test[192.0.2.6]:587"]),
    ("brokensrv.test:submission", {"ignore_srv_fault": True}, ["brokensrv.test[192.0.2.7]:587"]),
    ("[alias.test]", {}, ["alias.test[192.0.2.2]:25"]),
    ("[alias.test]", {"canonical_names": True}, ["b.test[192.0.2.2]:25"]),
]


OTHER_PROTOCOLS: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "[192.0.2.9]",
        {"ipv4": False},
        "5.4.4",
        "Name service error for 192.0.2.9: invalid host or domain name",
    ),
    (
        "[ipv6:2001:db8::9]",
        {"ipv6": False},
        "5.4.4",
        "Name service error for 2001:db8::9: invalid host or domain name",
    ),
    (
        "[2001:db8::9]",
        {"ipv6": False, "methods": ("dns", "native")},
        "5.3.0",
        "unable to look up host 2001:db8::9: Address family for hostname not supported",
    ),
]


@pytest.mark.parametrize(("nexthop", "protocols", "status", "text"), OTHER_PROTOCOLS)
def test_an_address_of_a_protocol_that_is_not_spoken(
    nexthop: str, protocols: dict[str, Any], status: str, text: str
) -> None:
    """inet_protocols: nobody connects there; what smtp(8) says of it is that there is no such host."""
    resolver = ZoneResolver(ZONES)
    exchangers = MailExchangers(
        resolver,
        HostLookup(resolver, clock=ManualClock(), **protocols),
        rules=Rules(myhostname="me.test"),
        shuffle=list.reverse,
    )
    (destination,) = read_destinations(nexthop, port="smtp", ports=PORTS, lmtp=False)
    with pytest.raises(Unreachable) as caught:
        asyncio.run(exchangers.route(destination))
    assert (caught.value.status, caught.value.text) == (status, text)


@pytest.mark.parametrize(("nexthop", "rules", "relays"), [row for row in ORDERS if row[2]])
def test_order(nexthop: str, rules: dict[str, Any], relays: list[str]) -> None:
    """By preference, equals by lot, protocols as preferred; only what is preferred to us."""
    assert relays == [target.relay for target in targets(nexthop, rules)]


FAULTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("null.test", {}, "5.1.0", "Domain null.test does not accept mail (nullMX)"),
    ("own.test", {}, "5.4.6", "mail for own.test loops back to myself"),
    ("primary.test", {}, "4.4.4", "unable to find primary relay for primary.test"),
    ("noprimary.test", {}, "4.4.4", "unable to find primary relay for noprimary.test"),
    ("[us.test]", {}, "5.4.6", "mail for us.test loops back to myself"),
    ("missing.test", {}, "5.4.4", "Name service error for name=missing.test type=AAAA: Host not found"),
    ("text.test", {}, "5.4.4", "name=text.test type=AAAA: Host found but no data record of requested type"),
    ("gone.test", {}, "5.4.4", "name=nowhere.test type=AAAA: Host not found"),
    (
        "nosrv.test:submission",
        {"ignore_srv_fault": True},
        "5.4.4",
        "Name service error for name=_submission._tcp.nosrv.test type=SRV: Host not found",
    ),
    (
        "nullsrv.test:submission",
        {},
        "5.1.0",
        "Service _submission._tcp.nullsrv.test is not offered (null SRV)",
    ),
    ("gonesrv.test:submission", {}, "5.4.4", "name=nowhere.test type=AAAA: Host not found"),
    ("brokensrv.test:submission", {}, "4.4.3", "name=_submission._tcp.brokensrv.test type=SRV"),
    ("oursrv.test", {"may_do_without_srv": True}, "5.4.6", "mail for oursrv.test loops back to myself"),
    ("gone.test", {"defer_without_address": True}, "4.4.4", "name=nowhere.test"),
    ("unsure.test", {}, "4.4.3", "name=broken.test"),
    ("failing.test", {}, "4.4.3", "name=failing.test type=MX: Host not found, try again"),
]


@pytest.mark.parametrize(("nexthop", "rules", "status", "text"), FAULTS)
def test_nothing_to_try(nexthop: str, rules: dict[str, Any], status: str, text: str) -> None:
    """What the DNS says for certain is 5.x.x, what it does not say 4.x.x."""
    with pytest.raises(Unreachable) as caught:
        targets(nexthop, rules)
    assert status == caught.value.status
    assert text in caught.value.text


@pytest.mark.parametrize(
    ("nexthop", "is_ours"), [("backup.test", True), ("two.test", False), ("[b.test]", False)]
)
def test_who_is_a_mail_exchanger_uses_no_fallback_relay(nexthop: str, is_ours: bool) -> None:
    """Those that are preferred to us are tried, and nobody else."""
    assert route(nexthop, {}).is_ours is is_ours


def test_the_address_limit_leaves_room_for_both_protocols() -> None:
    """smtp_mx_address_limit, smtp_balance_inet_protocols."""
    found = targets("many.test", {"address_limit": 5, "preference": "ipv4"})
    assert 5 == len(found)
    assert {True, False} == {":" in target.address for target in found}
    assert 16 == len(targets("many.test", {"address_limit": 0}))


DESTINATIONS = [
    ("mx.test", False, [Destination("mx.test", "mx.test", 25, mx=True)]),
    ("mx.test:587", False, [Destination("mx.test:587", "mx.test", 587, mx=True)]),
    ("[mx.test]", False, [Destination("[mx.test]", "mx.test", 25)]),
    ("[2001:DB8:0::1]", False, [Destination("[2001:DB8:0::1]", "2001:DB8:0::1", 25)]),
    ("[IPv6:2001:db8::1]:587", False, [Destination("[IPv6:2001:db8::1]:587", "2001:db8::1", 587)]),
    ("2001:db8::1:587", False, [Destination("2001:db8::1:587", "2001:db8::1", 587)]),
    (
        "a.test, [b.test]:26",
        False,
        [Destination("a.test", "a.test", 25, mx=True), Destination("[b.test]:26", "b.test", 26)],
    ),
    ("unix:private/lmtp", True, [Destination("unix:private/lmtp", path="private/lmtp")]),
    ("inet:mx.test:24", True, [Destination("inet:mx.test:24", "mx.test", 24)]),
    ("mx.test", True, [Destination("mx.test", "mx.test", 25)]),
]


@pytest.mark.parametrize(("nexthop", "lmtp", "expected"), DESTINATIONS)
def test_destinations(nexthop: str, lmtp: bool, expected: list[Destination]) -> None:
    """Hosts, ports, sockets, several of them."""
    assert expected == read_destinations(nexthop, port="smtp", ports=PORTS, lmtp=lmtp)


NO_DESTINATIONS = [
    # what smtp(8) says before it ends
    ("", "empty nexthop hostname"),
    ("[mx.test", 'missing "]" in server description: [mx.test'),
    ("[x]y", 'garbage after "]" in server description: [x]y'),
    ("mx.test:nosuchservice", "unknown service: nosuchservice/tcp"),
    ("mx.test:0", "bad network port: 0"),
    ("[2001:db8::1]:0x", "garbage after numerical service in server description: [2001:db8::1]:0x"),
    ("a..b", "valid hostname or network address required in server description: a..b"),
    (
        "ipv6:2001:db8::1",
        "valid hostname or network address required in server description: ipv6:2001:db8::1",
    ),
    ("[fe80::1%eth0]", "valid hostname or network address required in server description: [fe80::1%eth0]"),
    ("[ipv6:]", "malformed IPv6 address in server description: [ipv6:]"),
    ("[ipv6:zz::1]", "malformed IPv6 address in server description: [ipv6:zz::1]"),
    ("[IPv6:192.0.2.1]", "malformed IPv6 address in server description: [IPv6:192.0.2.1]"),
    ("unix:", "no path in server description: unix:"),
]


@pytest.mark.parametrize(("nexthop", "text"), NO_DESTINATIONS)
def test_no_destinations(nexthop: str, text: str) -> None:
    """The text says what is wrong."""
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        read_destinations(nexthop, port="smtp", ports=PORTS, lmtp=nexthop == "unix:")


def test_lots_by_weight() -> None:
    """RFC 2782: as often as the weight says; those without weight are tried, too."""
    services = [Srv(1, 0, 1, "never.test"), Srv(1, 30, 1, "often.test"), Srv(1, 10, 1, "seldom.test")]
    chance = random.Random(7)
    first = [drawn_by_weight(services, chance.randrange)[0].host for _ in range(2000)]
    shares = {host: first.count(host) / len(first) for host in set(first)}
    assert 0.70 < shares["often.test"] < 0.78
    assert 0.20 < shares["seldom.test"] < 0.28
    assert {one.host for one in drawn_by_weight(services, chance.randrange)} == {one.host for one in services}
