"""Addresses of a host: from the DNS, or as the host's own programs see it (smtp_host_lookup).

DESCRIPTION
    `dns` asks for A and AAAA records.  `native` looks into /etc/hosts first, as nsswitch.conf's `files dns` does.
    Both, in the order given: `dns, native`.

FAULTS
    DnsFault  one of the questions has no answer and the others found nothing: there may be addresses.  If the last
              way is `native`, `HostAddresses.trouble` says so instead.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from pillarbox.net.dns.host_files import WatchedFile, read_host_names
from pillarbox.net.dns.records import Answer, DnsFault, Outcome, RecordType, Resolver
from pillarbox.vocabulary.clock import Clock

HOSTS: Final = "/etc/hosts"

Lookup = Literal["dns", "native"]


TEMPORARY: Final = "Temporary failure in name resolution"
UNKNOWN: Final = "Name or service not known"
_OTHER_FAMILY: Final = "Address family for hostname not supported"
_TROUBLES: Final = {
    Outcome.NO_NAME: UNKNOWN,
    Outcome.NO_DATA: "No address associated with hostname",
}


class HostAddresses(msgspec.Struct, frozen=True):
    """What is known of a host."""

    addresses: tuple[str, ...]
    outcome: Outcome = Outcome.FOUND
    kind: RecordType = RecordType.A  # the type that was asked for last, for the log
    authentic: bool = False  # DNSSEC proves them
    canonical: str = ""  # the host's name behind its aliases; empty: not known
    trouble: str = (
        ""  # why there are none, in the words of getaddrinfo(3), if it was asked as other programs do
    )


class HostLookup:
    """Addresses by host name."""

    def __init__(
        self,
        resolver: Resolver,
        *,
        clock: Clock,
        methods: Sequence[Lookup] = ("dns",),
        ipv4: bool = True,
        ipv6: bool = True,
        hosts_path: str = HOSTS,
    ) -> None:
        """`ipv4` and `ipv6` are inet_protocols."""
        self._resolver = resolver
        self._methods = methods
        self._kinds = (RecordType.A,) * ipv4 + (RecordType.AAAA,) * ipv6
        self._hosts = WatchedFile(hosts_path, read_host_names, clock=clock)

    async def addresses(self, host: str) -> HostAddresses:
        """Addresses, in no order that means anything.  DnsFault if there may be some that we cannot get."""
        last = HostAddresses((), Outcome.NO_NAME)
        fault: DnsFault | None = None
        for method in self._methods:
            if method != "dns":
                listed = self._hosts.value().addresses.get(host, ())
                wanted = tuple(address for address in listed if self.may_use(address))
                if wanted:
                    return HostAddresses(wanted)
            try:
                last = await self._ask(host)
            except DnsFault as error:
                fault = error
            if last.addresses:
                return last
        native = "native" in self._methods
        if fault is not None:
            if native:
                return HostAddresses((), Outcome.NO_NAME, trouble=TEMPORARY)
            raise fault
        return msgspec.structs.replace(last, trouble=_TROUBLES.get(last.outcome, "")) if native else last

    def objection(self, address: str) -> tuple[str, str]:
        """What is said of an address that may not be used, with the enhanced code."""
        if "native" in self._methods:
            return "5.3.0", f"unable to look up host {address}: {_OTHER_FAMILY}"
        return "5.4.4", f"Name service error for {address}: invalid host or domain name"

    def may_use(self, address: str) -> bool:
        """Whether inet_protocols has the protocol of an address."""
        return (RecordType.AAAA if ":" in address else RecordType.A) in self._kinds

    async def _ask(self, host: str) -> HostAddresses:
        answers: list[Answer] = []
        fault: DnsFault | None = None
        for kind in self._kinds:
            try:
                answers.append(await self._resolver.resolve(host, kind))
            except DnsFault as error:
                fault = error
        addresses = tuple(text for answer in answers for text in answer.texts)
        if not addresses and fault is not None:
            raise fault
        outcome = Outcome.NO_NAME
        if addresses:
            outcome = Outcome.FOUND
        elif any(answer.outcome is Outcome.NO_DATA for answer in answers):
            outcome = Outcome.NO_DATA
        found = [answer for answer in answers if answer.records]
        authentic = bool(found) and all(answer.authentic for answer in found)
        return HostAddresses(addresses, outcome, self._kinds[-1], authentic, found[0].name if found else "")
