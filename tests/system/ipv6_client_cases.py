"""The cases of test_ipv6_client_peer.py: hosts with addresses of both protocols, and what becomes of each.

DESCRIPTION
    fd53::c:N and 10.53.3.N are servers, one or more for each case, or addresses where nobody listens; fd54::/64 and
    10.54/16 are routed to where nothing answers, fd53::dead has no host, and 2001:db8::/32 no route.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from fakes.outbound_cases import Case
from fakes.outbound_world import Server
from system.client_parameter_cases import LATER

REFUSES: Final = (
    "10.53.2.1",
    "10.53.2.2",
    "10.53.2.3",
    "10.53.2.4",
    "fd53::b:1",
    "fd53::b:2",
    "fd53::b:3",
    "fd53::b:4",
)
"""Addresses where nobody listens."""
_NUMBERS: Final[Iterator[int]] = iter(range(1, 250))


def _six(replies: Server | None = None, *, port: int = 25) -> Server:
    return Server(
        (replies or Server()).replies, at=f"fd53::c:{next(_NUMBERS):x}", port=port, notes_client=True
    )


def _four(replies: Server | None = None, *, port: int = 25) -> Server:
    return Server((replies or Server()).replies, at=f"10.53.3.{next(_NUMBERS)}", port=port, notes_client=True)


def _records(*hosts: tuple[int, str, Sequence[str]]) -> str:
    """MX records with preferences and the hosts' addresses."""
    lines: list[str] = []
    for preference, name, addresses in hosts:
        lines.append(f"@ IN MX {preference} {name}")
        lines += [f"{name} IN {'AAAA' if ':' in one else 'A'} {one}" for one in addresses]
    return "\n".join(lines) + "\n"


def _case(
    name: str,
    settings: dict[str, str],
    servers: Sequence[Server],
    records: str = "",
    *,
    nexthop: str = "",
    messages: int = 1,
    recipients: tuple[str, ...] = ("bob",),
) -> Case:
    """Of an smtp service; names of parameters are without smtp_, but for those after a blank."""
    named = {key[1:] if key.startswith(" ") else f"smtp_{key}": value for key, value in settings.items()}
    return Case(
        name=name,
        settings=named,
        servers=tuple(servers),
        records=records or "@ IN TXT x\n",
        nexthop=nexthop,
        messages=messages,
        recipients=recipients,
    )


def _both() -> tuple[Server, Server, str]:
    six, four = _six(), _four()
    return six, four, _records((10, "mx", (four.at, six.at)))


def _preferences() -> Iterator[Case]:
    six = _six()
    yield _case("six", {}, [six], _records((10, "mx", (six.at,))))
    yield _case("sixhost", {}, [six := _six()], f"@ IN AAAA {six.at}\n")
    for preference in ("any", "ipv4", "ipv6"):
        six, four, records = _both()
        yield _case(f"prefers{preference}", {"address_preference": preference}, [six, four], records)
        for protocols in ("all", "ipv4", "ipv6"):
            six, four, records = _both()
            yield _case(
                f"prefers{preference}in{protocols}",
                {"address_preference": preference, " inet_protocols": protocols},
                [six, four],
                records,
            )
    for preference in ("ipv4", "ipv6"):
        six, four = _six(), _four()
        yield _case(
            f"mxfirst{preference}",
            {"address_preference": preference},
            [six, four],
            _records(
                (10, "a", (four.at,) if preference == "ipv6" else (six.at,)), (20, "b", (six.at, four.at))
            ),
        )
    for name, lost in {
        "refused": ("fd53::b:1",),
        "neighbour": ("fd53::dead",),
        "noroute": ("2001:db8::1",),
        "several": ("2001:db8::1", "fd53::b:1", "fd53::dead"),
        "linklocal": ("fe80::1",),
        "mapped": ("::ffff:10.53.2.1",),
        "unspecified": ("::",),
        "multicast": ("ff02::1",),
    }.items():
        four = _four()
        yield _case(
            f"to4{name}", {"address_preference": "ipv6"}, [four], _records((10, "mx", (four.at, *lost)))
        )
        yield _case(f"only{name}", {}, [], _records((10, "mx", lost)))
    yield _case(
        "to6", {"address_preference": "ipv4"}, [six := _six()], _records((10, "mx", (six.at, "10.53.2.1")))
    )
    yield _case(
        "silent",
        {"address_preference": "ipv6", "connect_timeout": "1s"},
        [four := _four()],
        _records((10, "a", ("fd54::1", "fd54::2")), (20, "b", ("10.54.0.1", four.at))),
    )
    yield _case("silentonly", {"connect_timeout": "1s"}, [], _records((10, "a", ("fd54::1", "10.54.0.1"))))


def _limits() -> Iterator[Case]:
    fours, sixes = REFUSES[:4], REFUSES[4:]
    for balance in ("yes", "no"):
        for limit in "012357" if balance == "yes" else "23":
            for preference in ("any", "ipv6"):
                yield _case(
                    f"limit{limit}{balance}{preference}",
                    {
                        "balance_inet_protocols": balance,
                        "mx_address_limit": limit,
                        "address_preference": preference,
                    },
                    [],
                    _records((10, "a", fours), (20, "b", sixes)),
                )
    for name, records in {
        "sixfirst": _records((10, "a", sixes), (20, "b", fours)),
        "mixed": _records((10, "a", fours[:2] + sixes[:1]), (20, "b", sixes[1:] + fours[2:])),
        "lone6": _records((10, "a", fours), (20, "b", sixes[:1])),
        "lone4": _records((10, "a", sixes), (20, "b", fours[:1])),
        "onlyfours": _records((10, "a", fours)),
        "equal": _records(
            (10, "a", (fours[0], sixes[0])), (10, "b", (fours[1], sixes[1])), (20, "c", fours[2:])
        ),
    }.items():
        for limit in "34":
            for preference in ("ipv4", "ipv6"):
                yield _case(
                    f"{name}{limit}{preference}",
                    {"mx_address_limit": limit, "address_preference": preference},
                    [],
                    records,
                )


def _literals() -> Iterator[Case]:
    for name, form in {
        "bare": "{six}",
        "bracketed": "[{six}]",
        "tagged": "[ipv6:{six}]",
        "upper": "[IPv6:{six}]",
        "port": "[{six}]:25",
        "taggedport": "[IPV6:{six}]:26",
        "service": "[{six}]:smtp",
        "long": "[FD53:0:0:0::{tail}]",
        "zeros": "[fd53:0000::{tail}]",
    }.items():
        six = _six(port=26 if name == "taggedport" else 25)
        yield _case(f"lit{name}", {}, [six], nexthop=form.format(six=six.at, tail=six.at.partition("::")[2]))
    for name, nexthop in {
        "refused": "[fd53::b:1]:2525",
        "mapped": "[::ffff:10.53.2.1]",
        "noscope": "[fe80::1]",
        "loop": "[::1]:2525",
    }.items():
        yield _case(f"lit{name}", {}, [], nexthop=nexthop)
    six, four = _six(), _four()
    yield _case("litno6", {" inet_protocols": "ipv4"}, [], nexthop=f"[{six.at}]")
    yield _case("litno4", {" inet_protocols": "ipv6"}, [], nexthop=f"[{four.at}]")
    yield _case(
        "litno6native", {" inet_protocols": "ipv4", "host_lookup": "native"}, [], nexthop=f"[{six.at}]"
    )
    yield _case(
        "litno4native", {" inet_protocols": "ipv6", "host_lookup": "native"}, [], nexthop=f"[{four.at}]"
    )
    yield _case(
        "litno6both", {" inet_protocols": "ipv4", "host_lookup": "dns, native"}, [], nexthop=f"[{six.at}]"
    )
    yield _case("only4", {" inet_protocols": "ipv4"}, [], _records((10, "mx", (six.at,))))
    yield _case("only6", {" inet_protocols": "ipv6"}, [], _records((10, "mx", (four.at,))))
    yield _case("fallback", {"fallback_relay": f"[{six.at}]:25"}, [six], nexthop="[fd53::b:1]")
    yield _case(
        "fallbacks", {"fallback_relay": f"[fd53::b:2] [{four.at}] {six.at}"}, [four], nexthop="[10.53.2.1]"
    )
    yield _case(
        "given",
        {},
        [one := _six(LATER), two := _four()],
        _records((10, "a", (one.at,)), (20, "b", (two.at,))),
    )


_FOR_BOTH: Final = ("own4", "own", "single4", "oneofeach", "anyone", "mustown")


def _sources() -> Iterator[Case]:
    for name, settings in {
        "own6": {"bind_address6": "$own_address6"},
        "own4": {"bind_address": "$own_address"},
        "own": {"bind_address": "$own_address", "bind_address6": "$own_address6"},
        "strange6": {"bind_address6": "2001:db8::9"},
        "must6": {"bind_address6": "2001:db8::9", "bind_address_enforce": "yes"},
        "mustown": {"bind_address6": "$own_address6", "bind_address_enforce": "yes"},
        "mustnone": {"bind_address_enforce": "yes"},
        "bracketed6": {"bind_address6": "[$own_address6]"},
        "single": {" inet_interfaces": "$host_address6"},
        "single4": {" inet_interfaces": "$own_address"},
        "oneofeach": {" inet_interfaces": "$own_address, $host_address6"},
        "loopback6": {" inet_interfaces": "::1"},
        "loopbackonly": {" inet_interfaces": "loopback-only"},
        "everywhere": {" inet_interfaces": "all"},
        "two6": {" inet_interfaces": "$own_address6, $host_address6"},
        "singlebound": {" inet_interfaces": "$host_address6", "bind_address6": "$own_address6"},
        "named": {" inet_interfaces": "named.hosts"},
        "mapped": {"bind_address6": "::ffff:127.0.0.1"},
        "anyone": {"bind_address6": "::", "bind_address": "0.0.0.0"},
    }.items():
        for kind in ("ipv6", "ipv4") if name in _FOR_BOTH else ("ipv6",):
            six, four, records = _both()
            yield _case(f"from{name}to{kind}", {"address_preference": kind} | settings, [six, four], records)
    six = _six()
    yield _case(
        "frommustall",
        {"bind_address6": "2001:db8::9", "bind_address_enforce": "yes"},
        [six],
        _records((10, "mx", (six.at,))),
    )


def _lookups() -> Iterator[Case]:
    for name, methods in {
        "native": "native",
        "nativedns": "native, dns",
        "dnsnative": "dns, native",
        "dns": "dns",
    }.items():
        yield _case(f"hosted{name}", {"host_lookup": methods}, [], nexthop="[six.hosts]:2525")
        yield _case(f"twice{name}", {"host_lookup": methods}, [], nexthop="[both.hosts]:2525")
    for options in ("res_defnames", "res_dnsrch", "res_defnames, res_dnsrch"):
        name = options.replace(", res_", "").replace("res_", "")
        six = _six()
        yield _case(
            name, {"dns_resolver_options": options}, [six], f"short IN AAAA {six.at}\n", nexthop="[short]"
        )
        yield _case(f"{name}mx", {"dns_resolver_options": options}, [], nexthop="short")
    for level in ("disabled", "enabled", "dnssec"):
        six = _six()
        yield _case(
            f"support{level}",
            {"dns_support_level": level},
            [six],
            f"@ IN AAAA {six.at}\n@ IN MX 10 mx\nmx IN AAAA {six.at}\n",
        )
        yield _case(
            f"support{level}native",
            {"dns_support_level": level, "host_lookup": "native"},
            [],
            nexthop="[six.hosts]:2525",
        )
    yield _case("us", {}, [], "@ IN MX 10 us\nus IN AAAA fd53::2\nus IN AAAA fd53::3\n")
    yield _case(
        "usother",
        {" inet_interfaces": "$host_address6"},
        [],
        "@ IN MX 10 us\nus IN AAAA fd53::a:2\nus IN AAAA fd53::a:3\n",
    )
    yield _case("usloop", {}, [], "@ IN MX 10 us\nus IN AAAA ::1\n")
    yield _case(
        "usproxy", {" proxy_interfaces": "2001:DB8:0::5"}, [], "@ IN MX 10 us\nus IN AAAA 2001:db8::5\n"
    )
    yield _case(
        "behindus",
        {},
        [],
        "@ IN MX 20 us\nus IN AAAA fd53::2\nus IN AAAA fd53::3\n@ IN MX 10 b\nb IN AAAA fd53::b:1\n",
    )
    yield _case("usmapped", {}, [], "@ IN MX 10 us\nus IN AAAA ::ffff:127.0.0.1\n")


def _kept() -> Iterator[Case]:
    for name, settings in {
        "keptdomain": {"connection_cache_destinations": "keptdomain.test"},
        "keptonce": {"connection_cache_destinations": "keptonce.test", "connection_reuse_count_limit": "1"},
        "kepttwice": {"connection_cache_destinations": "kepttwice.test", "connection_reuse_count_limit": "2"},
        "keptlong": {"connection_cache_destinations": "static:x"},
        "keptnone": {"connection_cache_destinations": "other.test"},
    }.items():
        six = _six()
        yield _case(
            name, settings, [six], _records((10, "mx", (six.at,))), messages=2 if name == "keptonce" else 3
        )
    six = _six(port=26)
    records = f"mx IN AAAA {six.at}\n"
    yield _case(
        "kepthost",
        {"connection_cache_destinations": "mx.KeptHost.test"},
        [six],
        records,
        nexthop="[mx.kepthost.test]:26",
        messages=2,
    )
    six = _six()
    yield _case(
        "keptliteral",
        {"connection_cache_destinations": f"[{six.at}]"},
        [six],
        nexthop=f"[{six.at}]",
        messages=3,
    )


CASES: Final[Sequence[Case]] = (
    *_preferences(), *_limits(), *_literals(), *_sources(), *_lookups(), *_kept(),
)  # fmt: skip
