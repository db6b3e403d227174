"""From a destination to the addresses that are tried, in their order.

DESCRIPTION
    MX records by preference, lots drawn among equals; each host's addresses, IPv4 and IPv6 as
    smtp_address_preference says.  A domain without MX records is its own mail exchanger (RFC 5321 §5.1).  A null MX
    (RFC 7505) takes no mail.

    When we are one of the mail exchangers ourselves, only those that are preferred to us may be tried; if there is
    none, the mail would come back.  If there is one, whose address cannot be found, the mail waits.

FAULTS
    Unreachable  nothing to try: with the status that the mail gets, 5.x.x for what the DNS says for certain,
                 4.x.x for what it does not say

STANDARDS
    RFC 5321 §5.1; RFC 7505; smtp(8)
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from pillarbox.delivery.smtp.destination import Destination
from pillarbox.net.dns.host_lookup import HostLookup
from pillarbox.net.dns.records import Answer, DnsFault, Outcome, RecordType, Resolver


class Unreachable(Exception):
    """There is no address to be tried."""

    def __init__(self, status: str, text: str, *, reason: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.reason = reason
        self.warning = ""
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
    myhostname: str = ""


class MailExchangers:
    """Answers for one service."""

    def __init__(
        self, resolver: Resolver, hosts: HostLookup, *, rules: Rules, shuffle: Callable[[list[Target]], None]
    ) -> None:
        """`shuffle` draws lots (random.shuffle)."""
        self._resolver = resolver
        self._hosts = hosts
        self._rules = rules
        self._shuffle = shuffle

    async def route(self, destination: Destination) -> Route:
        """What to try, at most smtp_mx_address_limit addresses.  Unreachable if there is nothing."""
        if destination.path:
            return Route([Target(self._rules.myhostname, destination.path)])
        if destination.is_address:
            found = [Target(destination.host, destination.host, destination.port)]
        elif destination.mx:
            found = await self._by_domain(destination)
        else:
            found = await self._by_host(destination.host, destination.port)
        better = self._without_us(found, destination)
        return Route(self._limited(self._ordered(better)), is_ours=len(better) < len(found))

    # -- lookups ---------------------------------------------------------------------------------------

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
        found: list[Target] = []
        fault: Unreachable | None = None
        mx = MxName(destination.host, answer.name, answer.authentic, answer.exchanges[0].preference)
        for exchange in answer.exchanges:
            try:
                found += await self._by_host(
                    exchange.host, destination.port, preference=exchange.preference, mx=mx
                )
            except Unreachable as error:
                # A fault is more than a miss: there may be addresses that we do not know now.
                if fault is None or error.status[0] == "4":
                    fault = error
        if not found and fault is not None:
            fault.warning = f"no MX host for {destination.host} has a valid address record"
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
        if not answer.addresses:
            raise Unreachable(
                "5.4.4",
                f"Host or domain name not found. Name service error for name={host} type={answer.kind.value}: "
                f"{(answer.outcome if answer.outcome is not Outcome.FOUND else Outcome.NO_DATA).value}",
            )
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
        """smtp_mx_address_limit, with room for both protocols (smtp_balance_inet_protocols)."""
        limit = self._rules.address_limit
        if not limit or len(found) <= limit:
            return found
        if not self._rules.balance or limit < 2:
            return found[:limit]
        six = [target for target in found if ":" in target.address]
        four = [target for target in found if ":" not in target.address]
        half = limit // 2
        keep_six = max(half, limit - len(four)) if len(six) >= half else len(six)
        keep = {*map(id, six[:keep_six]), *map(id, four[: limit - min(keep_six, len(six))])}
        return [target for target in found if id(target) in keep][:limit]
