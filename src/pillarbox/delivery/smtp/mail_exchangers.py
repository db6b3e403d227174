"""From a destination to the addresses that are tried, in their order.

DESCRIPTION
    MX records by preference, lots drawn among equals; each host's addresses, IPv4 and IPv6 as
    smtp_address_preference says.  A domain without MX records is its own mail exchanger (RFC 5321 §5.1).  A null MX
    (RFC 7505) takes no mail.

    When we are one of the mail exchangers ourselves, only those that are preferred to us may be tried; if there is
    none, the mail would come back.  If there is one, whose address cannot be found, the mail waits.

    With use_srv_lookup a service of a domain is where its SRV records say, with ports of their own: by priority,
    lots drawn by weight among equals.  What cannot be found so may be looked up as if there was no such setting.

FAULTS
    Unreachable  nothing to try: with the status that the mail gets, 5.x.x for what the DNS says for certain,
                 4.x.x for what it does not say

STANDARDS
    RFC 5321 §5.1; RFC 7505; RFC 2782 (SRV); RFC 6186, RFC 8314 (services of mail); smtp(8)
"""

import random
from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec

from pillarbox.delivery.smtp.destination import Destination
from pillarbox.net.dns.host_lookup import TEMPORARY, UNKNOWN, HostLookup
from pillarbox.net.dns.records import Answer, DnsFault, Outcome, RecordType, Resolver, Srv
from pillarbox.observability.events import EventSink, Noted
from pillarbox.vocabulary.ip_addresses import shown_address

_STATUSES: Final = {TEMPORARY: "4.4.3", UNKNOWN: "5.4.4"}
"""What getaddrinfo(3) says, as enhanced codes."""


class Unreachable(Exception):
    """There is no address to be tried."""

    def __init__(self, status: str, text: str, *, reason: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.reason = reason
        self.warning = ""
        self.is_lookup = False  # the DNS did not answer
        self.is_loop = False  # we are the best mail exchanger ourselves
        self.is_ours = False  # we are one of them: nobody else may be tried


class MxName(msgspec.Struct, frozen=True):
    """The domain whose MX records name a host."""

    asked: str
    canonical: str  # behind aliases
    is_secure: bool  # DNSSEC proves the records
    best: int = 0  # the lowest preference among them


class Target(msgspec.Struct, frozen=True):
    """One address of one host."""

    host: str
    address: str  # or the path of a Unix socket
    port: int = 0  # 0: a Unix socket
    preference: int = 0
    canonical: str = ""  # the host's name behind aliases; empty: not looked up in the DNS
    is_secure: bool = False  # DNSSEC proves its address
    mx: MxName | None = None  # None: not named by MX records

    @property
    def is_best(self) -> bool:
        """Whether no server of the destination is preferred to it."""
        return self.mx is None or self.preference == self.mx.best

    @property
    def label(self) -> str:
        """`mx.example.org[192.0.2.1]`"""
        return f"{self.host}[{self.address}]"

    @property
    def relay(self) -> str:
        """`mx.example.org[192.0.2.1]:25`, as `relay=` has it."""
        return f"{self.label}:{self.port}" if self.port else self.label


class Route(msgspec.Struct, frozen=True):
    """What to try, best first."""

    targets: list[Target]
    is_ours: bool = False  # we are one of the mail exchangers: nobody who is not one may be tried


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What main.cf says."""

    preference: Literal["any", "ipv4", "ipv6"] = "any"
    balance: bool = True
    randomize: bool = True
    address_limit: int = 5
    ignore_mx_fault: bool = False
    defer_without_address: bool = False
    own_addresses: frozenset[str] = frozenset()
    ignore_srv_fault: bool = False  # ignore_srv_lookup_error
    may_do_without_srv: bool = False  # allow_srv_lookup_fallback
    canonical_names: bool = False  # smtp_cname_overrides_servername
    myhostname: str = ""


class MailExchangers:
    """Answers for one service."""

    def __init__(
        self,
        resolver: Resolver,
        hosts: HostLookup,
        *,
        rules: Rules,
        shuffle: Callable[[list[Target]], None],
        draw: Callable[[int], int] = random.randrange,
    ) -> None:
        """`shuffle` draws lots (random.shuffle), and `draw` a number below its argument."""
        self._draw = draw
        self.tell: EventSink = lambda _: None  # set when there is a log
        self._resolver = resolver
        self._hosts = hosts
        self._rules = rules
        self._shuffle = shuffle

    async def route(self, destination: Destination) -> Route:
        """What to try, at most smtp_mx_address_limit addresses.  Unreachable if there is nothing."""
        if destination.path:
            return Route([Target(self._rules.myhostname, destination.path)])
        if destination.is_address:
            if not self._hosts.may_use(destination.host):
                raise Unreachable(*self._hosts.objection(destination.host))
            found = [Target(destination.host, shown_address(destination.host), destination.port)]
        elif destination.service:
            found, is_ordered = await self._by_service(destination)
            if is_ordered:
                better = self._without_us(found, destination)
                return Route(self._limited(better), is_ours=len(better) < len(found))
        else:
            found = await self._without_service(destination)
        better = self._without_us(found, destination)
        return Route(self._limited(self._ordered(better)), is_ours=len(better) < len(found))

    # -- lookups ---------------------------------------------------------------------------------------

    async def _without_service(self, destination: Destination) -> list[Target]:
        if destination.mx:
            return await self._by_domain(destination)
        return await self._by_host(destination.host, destination.port)

    async def _by_service(self, destination: Destination) -> tuple[list[Target], bool]:
        """What SRV records name, in its order; or else what there is without them, in none."""
        name = f"_{destination.service}._tcp.{destination.host}"
        try:
            return await self._by_records(name, destination), True
        except Unreachable as fault:
            is_fault = fault.is_lookup and self._rules.ignore_srv_fault
            if fault.is_ours or not (self._rules.may_do_without_srv or is_fault):
                raise
            self.tell(Noted(f"skipping SRV lookup for {name}: {fault.text}"))
        return await self._without_service(destination), False

    async def _by_records(self, name: str, destination: Destination) -> list[Target]:
        try:
            answer = await self._resolver.resolve(name, RecordType.SRV)
        except DnsFault as fault:
            unknown = Unreachable(str(fault.status), fault.public, reason=fault.reason)
            unknown.is_lookup = True
            raise unknown from fault
        services = answer.services
        if not services:
            raise Unreachable("5.4.4", _not_found(name, RecordType.SRV, answer.outcome))
        if len(services) == 1 and not services[0].host:
            raise Unreachable("5.1.0", f"Service {name} is not offered (null SRV)")
        mx = MxName(name, answer.name, answer.authentic, services[0].priority)
        places = [(one.host, one.port, one.priority) for one in drawn_by_weight(services, self._draw)]
        return await self._by_places(places, mx, f"no SRV host for {name} has a valid address record")

    async def _by_domain(self, destination: Destination) -> list[Target]:
        try:
            answer = await self._resolver.resolve(destination.host, RecordType.MX)
        except DnsFault as fault:
            if not self._rules.ignore_mx_fault:
                raise Unreachable(str(fault.status), fault.public, reason=fault.reason) from fault
            return await self._by_host(destination.host, destination.port)
        exchanges = answer.exchanges
        if not exchanges:
            return await self._by_host(destination.host, destination.port)
        if len(exchanges) == 1 and not exchanges[0].host:
            raise Unreachable("5.1.0", f"Domain {destination.host} does not accept mail (nullMX)")
        return await self._by_exchanges(answer, destination)

    async def _by_exchanges(self, answer: Answer, destination: Destination) -> list[Target]:
        mx = MxName(destination.host, answer.name, answer.authentic, answer.exchanges[0].preference)
        places = [(exchange.host, destination.port, exchange.preference) for exchange in answer.exchanges]
        return await self._by_places(
            places, mx, f"no MX host for {destination.host} has a valid address record"
        )

    async def _by_places(
        self, places: Sequence[tuple[str, int, int]], mx: MxName, warning: str
    ) -> list[Target]:
        """Addresses of hosts, which are told with their ports and preferences."""
        found: list[Target] = []
        fault: Unreachable | None = None
        for host, port, preference in places:
            try:
                found += await self._by_host(host, port, preference=preference, mx=mx)
            except Unreachable as error:
                # A fault is more than a miss: there may be addresses that we do not know now.
                if fault is None or error.status[0] == "4":
                    fault = error
        if not found and fault is not None:
            fault.warning = warning
            if self._rules.defer_without_address:
                fault.status = f"4{fault.status[1:]}"
            raise fault
        return found

    async def _by_host(
        self, host: str, port: int, *, preference: int = 0, mx: MxName | None = None
    ) -> list[Target]:
        try:
            answer = await self._hosts.addresses(host)
        except DnsFault as fault:
            raise Unreachable(str(fault.status), fault.public, reason=fault.reason) from fault
        if answer.trouble:
            status = _STATUSES.get(answer.trouble, "5.3.0")
            raise Unreachable(status, f"unable to look up host {host}: {answer.trouble}")
        if not answer.addresses:
            raise Unreachable("5.4.4", _not_found(host, answer.kind, answer.outcome))
        if self._rules.canonical_names and answer.canonical:
            host = answer.canonical
        return [
            Target(host, address, port, preference, answer.canonical, answer.authentic, mx)
            for address in answer.addresses
        ]

    # -- order -----------------------------------------------------------------------------------------

    def _without_us(self, found: list[Target], destination: Destination) -> list[Target]:
        """Only what is preferred to ourselves, since the others give the mail to us."""
        if destination.port != 25:
            return found  # another service on this host may be meant
        ours = [target.preference for target in found if target.address in self._rules.own_addresses]
        if not ours:
            return found
        better = [target for target in found if target.preference < min(ours)]
        if not better:
            mx = found[0].mx
            if mx is not None and min(target.preference for target in found) != mx.best:
                waits = Unreachable("4.4.4", f"unable to find primary relay for {destination.host}")
                waits.is_ours = True
                raise waits
            loop = Unreachable("5.4.6", f"mail for {destination.host} loops back to myself")
            loop.is_loop = loop.is_ours = True
            raise loop
        return better

    def _ordered(self, found: list[Target]) -> list[Target]:
        rules = self._rules
        if rules.randomize:
            self._shuffle(found)
        if rules.preference != "any":
            found.sort(key=lambda target: (":" in target.address) != (rules.preference == "ipv6"))
        return sorted(found, key=lambda target: target.preference)

    def _limited(self, found: list[Target]) -> list[Target]:
        """smtp_mx_address_limit, half for each protocol (smtp_balance_inet_protocols).

        Of an odd number the first address's protocol has one more; what one of them does not need is the other's.
        """
        limit = self._rules.address_limit
        if not limit or len(found) <= limit:
            return found
        if not self._rules.balance or limit < 2:
            return found[:limit]
        first_is_six = ":" in found[0].address
        same = [target for target in found if (":" in target.address) == first_is_six]
        other = [target for target in found if (":" in target.address) != first_is_six]
        others = min(len(other), max(limit // 2, limit - len(same)))
        keep = {*map(id, same[: limit - others]), *map(id, other[:others])}
        return [target for target in found if id(target) in keep]


def drawn_by_weight(services: Sequence[Srv], draw: Callable[[int], int]) -> list[Srv]:
    """SRV records in the order in which they are tried: by priority, and by lot where that is equal (RFC 2782)."""
    ordered: list[Srv] = []
    for priority in sorted({one.priority for one in services}):
        left = sorted(one for one in services if one.priority == priority)  # weight 0 first
        while left:
            number = draw(sum(one.weight for one in left) + 1)
            for at, one in enumerate(left):
                number -= one.weight
                if number <= 0:
                    ordered.append(left.pop(at))
                    break
    return ordered


def _not_found(name: str, kind: RecordType, outcome: Outcome) -> str:
    said = outcome if outcome is not Outcome.FOUND else Outcome.NO_DATA
    return (
        f"Host or domain name not found. Name service error for name={name} type={kind.value}: {said.value}"
    )
