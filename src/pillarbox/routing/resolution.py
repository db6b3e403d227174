"""Where an address leads: its class, and the transport and nexthop for it.

DESCRIPTION
    Every domain belongs to one class (ADDRESS_CLASS_README): local (mydestination and our own addresses),
    virtual alias, virtual mailbox, relay, or default, the rest of the world.  The class gives the transport and
    whether a recipient is known; a recipient that is not is refused at RCPT.

    An address without a domain is completed with $myorigin.  What is in our own domains and looks like a route,
    `user%site@here` or `site!user@here`, leads on to that site (swap_bangpath, allow_percent_hack); so does
    `"user@site"@here`, lest it be taken for local here and for a route elsewhere (resolve_dequoted_address).  An
    address that cannot be one, such as user@192.0.2.1 or -user@site, is returned.

    What comes first (trivial-rewrite(8)): the class gives transport and nexthop; for mail that leaves,
    sender_dependent_default_transport_maps and sender_dependent_relayhost_maps, then relayhost; then transport_maps
    may replace either, but for the virtual alias class; last, relocated_maps returns mail for who has moved.

FAULTS
    LookupFault    a table cannot answer: the mail waits
    NullTransport  a kind of that
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import Enum, auto
from typing import Final

import msgspec

from pillarbox.routing.address_lookup import (
    as_written,
    find_first,
    text_of,
    virtual_patterns,
    without_extension,
    written_forms,
)
from pillarbox.routing.address_syntax import AddressSyntax
from pillarbox.routing.domain_lists import DomainList
from pillarbox.routing.own_addresses import is_own_literal
from pillarbox.tables.table import LookupFault, LookupTable, Warn, ignore_warning, is_fixed
from pillarbox.vocabulary.address import NULL_ADDRESS, Address


class AddressClass(Enum):
    """ADDRESS_CLASS_README's classes."""

    LOCAL = auto()
    VIRTUAL_ALIAS = auto()
    VIRTUAL_MAILBOX = auto()
    RELAY = auto()
    DEFAULT = auto()


class Resolution(msgspec.Struct, frozen=True, gc=False):
    """What becomes of a recipient."""

    recipient: Address
    address_class: AddressClass
    transport: str
    nexthop: str


class Routes(msgspec.Struct, frozen=True, kw_only=True):
    """What main.cf says of domains and transports, tables opened."""

    myorigin: str
    missing_domain: str = ""  # what completes an address, if it is not myorigin
    local_domains: DomainList
    own_addresses: frozenset[str]  # literal addresses of this host, as in user@[127.0.0.1]
    virtual_alias_domains: DomainList
    virtual_mailbox_domains: DomainList
    relay_domains: DomainList
    local_transport: str
    virtual_transport: str
    relay_transport: str
    default_transport: str
    relayhost: str
    recipient_delimiter: str
    local_recipients: tuple[LookupTable, ...] | None  # None: every local recipient is taken
    virtual_aliases: tuple[LookupTable, ...]
    canonical: tuple[LookupTable, ...] = ()
    sender_canonical: tuple[LookupTable, ...] = ()
    recipient_canonical: tuple[LookupTable, ...] = ()
    virtual_mailboxes: tuple[LookupTable, ...]
    relay_recipients: tuple[LookupTable, ...] | None
    transport_maps: tuple[LookupTable, ...] = ()
    transport_subdomains: bool = False  # example.org matches below.example.org, too
    sender_transports: tuple[LookupTable, ...] = ()
    sender_relayhosts: tuple[LookupTable, ...] = ()
    null_sender_transport_key: str = "<>"
    null_sender_relayhost_key: str = "<>"
    relocated: tuple[LookupTable, ...] = ()
    always_local: frozenset[bytes] = frozenset()  # local parts, in lower case: what we write to ourselves
    syntax: AddressSyntax = AddressSyntax()
    relays_routes: bool = False  # allow_untrusted_routing
    unknown_alias: str = "5.1.1 User unknown in virtual alias table"
    """What is said of an address in an alias domain that is no alias."""
    prefix: str = ""  # of the names of parameters that are others for address probes


class NullTransport(LookupFault):
    """`parameter` gives a nexthop and no transport: mail waits until it does, as in Postfix."""

    def __init__(self, parameter: str) -> None:
        super().__init__(parameter, "")
        self.reason = f"parameter {parameter}: null transport is not allowed"


_CLASS_TRANSPORTS: Final = {
    AddressClass.LOCAL: "local_transport",
    AddressClass.VIRTUAL_MAILBOX: "virtual_transport",
    AddressClass.RELAY: "relay_transport",
}
_CLASS_LISTS: Final = {
    AddressClass.LOCAL: "mydestination",
    AddressClass.VIRTUAL_ALIAS: "virtual_alias_domains",
    AddressClass.VIRTUAL_MAILBOX: "virtual_mailbox_domains",
}
_MOST_CLASSES: Final = 4096
_MOST_RESOLUTIONS: Final = 1024
_WITHOUT_REASON: Final = dict.fromkeys(("error", "retry"), "Address is undeliverable")
"""What transports say that have a reason for a nexthop, and were given none."""


class Resolver:
    """Answers for one configuration."""

    def __init__(self, routes: Routes, *, rewrites: bool = False) -> None:
        """`rewrites`: addresses come from clients and are brought to standard form first, as smtpd(8) does it."""
        self.routes = routes
        self._rewrites = rewrites
        self._has_begun = False  # the table of routes has been asked
        self.warn: Warn = ignore_warning
        """Told of domains that are listed twice."""
        lists = (
            routes.local_domains,
            routes.virtual_alias_domains,
            routes.virtual_mailbox_domains,
            routes.relay_domains,
        )
        self._lists_are_fixed = not any(one.asks_tables for one in lists)
        self._classes: dict[str, AddressClass] = {}  # of domains that were asked for, if no table may change
        self._led_last = NULL_ADDRESS, NULL_ADDRESS  # an address and its destination, likewise
        self._remembers = (
            self._lists_are_fixed
            and not (routes.sender_transports or routes.sender_relayhosts)
            and all(map(is_fixed, (*routes.transport_maps, *routes.relocated)))
        )
        self._resolutions: dict[Address, Resolution] = {}  # if neither tables nor senders may change them

    def complete(self, address: Address) -> Address:
        """The address with $myorigin for a missing domain; without append_at_myorigin it is this host's."""
        if self._rewrites:
            address = self.routes.syntax.rewriting.rewrite(address)
        if address.domain or address.is_null or address.has_null_domain:
            return address
        return Address(
            address.local_part, (self.routes.missing_domain or self.routes.myorigin).encode("utf-8")
        )

    def destination(self, address: Address) -> Address:
        """Where an address leads, as a route or as it is, with a domain in any case; not for the null sender.

        Of a recipient it is asked twice: whether it is one, and where its mail goes.
        """
        asked, destination = self._led_last
        if asked is not address:
            destination = self.routes.syntax.destination(self.complete(address), self._is_ours)
            if self._lists_are_fixed:
                self._led_last = address, destination
        return destination

    def classify(self, domain: str) -> AddressClass:
        """The class of a domain, in lower case."""
        known = self._classes.get(domain)
        if known is None:
            known = self._class_of(domain)
            if self._lists_are_fixed:
                if len(self._classes) >= _MOST_CLASSES:
                    self._classes.clear()
                self._classes[domain] = known
        return known

    def _class_of(self, domain: str) -> AddressClass:
        found = self._first_class_of(domain)
        for parameter, domains in self._later_lists(found):
            with suppress(LookupFault):
                if domains.holds(domain):
                    own = _CLASS_LISTS[found]
                    self.warn(f"do not list domain {domain} in BOTH {own} and {parameter}")
        return found

    def _later_lists(self, found: AddressClass) -> list[tuple[str, DomainList]]:
        """The lists that a domain of a class should not be in, too."""
        routes = self.routes
        aliases = "virtual_alias_domains", routes.virtual_alias_domains
        mailboxes = "virtual_mailbox_domains", routes.virtual_mailbox_domains
        relayed = "relay_domains", routes.relay_domains
        match found:
            case AddressClass.LOCAL:
                return [aliases, mailboxes]
            case AddressClass.VIRTUAL_ALIAS:
                return [mailboxes, relayed]
            case AddressClass.VIRTUAL_MAILBOX:
                return [relayed]
        return []

    def _first_class_of(self, domain: str) -> AddressClass:
        routes = self.routes
        if self._is_ours(domain):
            return AddressClass.LOCAL
        domains = routes.virtual_alias_domains
        try:
            if domains.holds(domain):
                return AddressClass.VIRTUAL_ALIAS
            domains = routes.virtual_mailbox_domains
            if domains.holds(domain):
                return AddressClass.VIRTUAL_MAILBOX
            domains = routes.relay_domains
            if domains.holds(domain):
                return AddressClass.RELAY
        except LookupFault as fault:
            _add_line(fault, domains.parameter)
            raise
        return AddressClass.DEFAULT

    def is_local(self, domain: str) -> bool:
        """Whether tables of addresses may have a user of the domain, in lower case, without it."""
        return domain == self.routes.myorigin.lower() or self._is_ours(domain)

    def is_mapped(self, address: Address, *, as_sender: bool = False) -> bool:
        """Whether canonical_maps, recipient_canonical_maps or virtual_alias_maps have it: then it exists.

        A sender exists by sender_canonical_maps, too.
        """
        routes = self.routes
        senders = routes.sender_canonical if as_sender else ()
        for tables in (routes.recipient_canonical, senders, routes.canonical, routes.virtual_aliases):
            if tables and self._listed(tables, address):  # one that has it may hide a fault
                return True
        return False

    def leads_somewhere(self, address: Address, *, ascii_only: bool) -> bool:
        """Whether mail can be sent there, or where it is a route to; `ascii_only` is for domains.  LookupFault."""
        known = self._resolutions.get(address)
        destination = self.destination(address) if known is None else known.recipient
        if not self.routes.syntax.is_valid(destination):
            self._ask_in_vain(destination)
            return False
        return destination.domain.isascii() or not ascii_only

    def expect(self, address: Address, sender: Address | None) -> None:
        """Ask what tables say of an address as soon as it is heard of: LookupFault, of which the log is to know.

        The log also hears of a domain that is listed twice.
        """
        if not self._remembers:
            self.resolve(address, sender)
        elif self.warn is not ignore_warning:
            self.classify(text_of(self.destination(address).domain))

    def resolve(self, address: Address, sender: Address | None = None) -> Resolution:
        """Class, transport and nexthop of an address for mail of a sender, or of the null sender.  LookupFault."""
        known = self._resolutions.get(address)
        if known is None:
            try:
                known = self._resolve(address, sender or NULL_ADDRESS)
            except LookupFault as fault:
                fault.program = "trivial-rewrite"
                raise
            if self._remembers and address.is_ascii:  # of others there may be warnings each time
                if len(self._resolutions) >= _MOST_RESOLUTIONS:
                    self._resolutions.clear()
                self._resolutions[address] = known
        return known

    def _resolve(self, address: Address, sender: Address) -> Resolution:
        address = self.destination(address)
        domain = text_of(address.domain)
        address_class = self.classify(domain)
        if not self.routes.syntax.is_valid(address):
            self._ask_in_vain(address)
            return Resolution(address, address_class, "error", "5.1.3 bad address syntax")
        route, nexthop = self._class_route(address_class, domain, sender)
        transport, colon, hop = route.partition(":")
        if not transport:
            usual = self.routes.default_transport
            by_sender = "sender_dependent_default_transport_maps" if route != usual else "default_transport"
            raise NullTransport(_CLASS_TRANSPORTS.get(address_class, by_sender))
        if colon and hop:
            nexthop = hop
        if self.routes.transport_maps and address_class is not AddressClass.VIRTUAL_ALIAS:
            transport, nexthop = self._transport_map(address, domain, transport, nexthop)
        if (moved := self._moved(address)) is not None:
            transport, nexthop = "error", f"5.1.6 User has moved to {moved}"
        return Resolution(address, address_class, transport, nexthop)

    def _moved(self, address: Address) -> str | None:
        """What relocated_maps says."""
        try:
            return self.find(self.routes.relocated, address)
        except LookupFault as fault:
            _add_line(fault, "relocated_maps")
            raise

    def _class_route(self, address_class: AddressClass, domain: str, sender: Address) -> tuple[str, str]:
        """`transport[:nexthop]` of a class, and the nexthop if the route has none."""
        routes = self.routes
        if address_class is AddressClass.LOCAL:
            return routes.local_transport, domain
        if address_class is AddressClass.VIRTUAL_MAILBOX:
            return routes.virtual_transport, domain
        if address_class is AddressClass.VIRTUAL_ALIAS:
            # Only aliases live there: what alias expansion left over has no mailbox.
            return f"error:{routes.unknown_alias}", domain
        route = routes.relay_transport if address_class is AddressClass.RELAY else routes.default_transport
        if address_class is AddressClass.DEFAULT:
            key = routes.null_sender_transport_key
            parameter = "sender_dependent_default_transport_maps"
            route = self._by_sender(parameter, routes.sender_transports, sender, key) or route
        key = routes.null_sender_relayhost_key
        relay = self._by_sender("sender_dependent_relayhost_maps", routes.sender_relayhosts, sender, key)
        return route, relay or routes.relayhost or domain

    def _by_sender(
        self, parameter: str, tables: Sequence[LookupTable], sender: Address, null_key: str
    ) -> str:
        """What the tables say of a sender, by address, address without extension, or @domain; DUNNO is nothing."""
        if not tables:
            return ""
        try:
            found = (
                _find_key(tables, null_key) if sender.is_null else self.find(tables, self.complete(sender))
            )
        except LookupFault as fault:
            _add_line(fault, self.routes.prefix + parameter)
            raise
        return "" if found is None or found.upper() == "DUNNO" else found

    def _transport_map(self, address: Address, domain: str, transport: str, nexthop: str) -> tuple[str, str]:
        """transport(5): an empty transport stays as it is, an empty nexthop after a transport is the domain."""
        tables = self.routes.transport_maps
        if not self._has_begun:
            self._begin(tables)
        for key, whole in self._transport_keys(address):
            try:
                value = find_first(tables, key, whole=whole)
            except LookupFault as fault:
                _add_line(fault, f"{self.routes.prefix}transport_maps")
                raise
            if value is None:
                continue
            new_transport, _, new_nexthop = value.partition(":")
            new_nexthop = new_nexthop.strip()  # a blank behind a transport belongs to its name
            if new_transport:
                return new_transport, new_nexthop or _WITHOUT_REASON.get(new_transport, domain)
            return transport, new_nexthop or nexthop
        return transport, nexthop

    def _begin(self, tables: Sequence[LookupTable]) -> None:
        """trivial-rewrite(8) asks for `*` when it starts: the log knows then that a table does not work."""
        self._has_begun = True
        try:
            find_first(tables, "*")
        except LookupFault as fault:
            self.warn(fault.reason)

    def _ask_in_vain(self, address: Address) -> None:
        """For who is refused for his user's name (allow_min_user), a table's fault comes first.  LookupFault."""
        if address.local_part.startswith(b"-"):
            self._transport_map(address, text_of(address.domain), "", "")
            self._moved(address)

    def _transport_keys(self, address: Address) -> Iterator[tuple[str, bool]]:
        """As written, like those of `find()`."""
        user, domain = as_written(address.local_part), as_written(address.domain)
        bare, extension = without_extension(user, self.routes.recipient_delimiter)
        for key in written_forms(user, domain):
            yield key, True
        if extension:
            for key in written_forms(bare, domain):
                yield key, False
        yield domain, False
        parent = domain
        while "." in parent:
            parent = parent.partition(".")[2]
            yield parent if self.routes.transport_subdomains else f".{parent}", False
        yield "*", True  # patterns are asked, too

    def is_known(self, resolution: Resolution) -> bool:
        """Whether the recipient exists, as far as its class lets us know."""
        address, routes = resolution.recipient, self.routes
        if resolution.address_class is AddressClass.LOCAL:
            if routes.local_recipients is None:
                return True
            if address.internal.lower().partition(b"@")[0] in routes.always_local:  # "postmaster@x"@here, too
                return True
            user = text_of(address.local_part)
            return self._listed(routes.local_recipients, address) or self._listed_user(user)
        if resolution.address_class is AddressClass.VIRTUAL_MAILBOX:
            return self._listed(routes.virtual_mailboxes, address)
        if resolution.address_class is AddressClass.RELAY:
            return routes.relay_recipients is None or self._listed(routes.relay_recipients, address)
        return resolution.address_class is AddressClass.DEFAULT

    def mailbox_of(self, address: Address) -> str | None:
        """virtual(8)'s lookup: the mailbox below virtual_mailbox_base."""
        return self.find(self.routes.virtual_mailboxes, _in_lower_case(address))

    def find(self, tables: Sequence[LookupTable], address: Address) -> str | None:
        """The first answer for an address: it, without its extension, the user alone if it is ours, or @domain."""
        if not tables:
            return None
        delimiters = self.routes.recipient_delimiter
        patterns = virtual_patterns(
            address, delimiters=delimiters, is_local=lambda: self.is_local(text_of(address.domain))
        )
        for pattern, _, whole in patterns:
            if (value := find_first(tables, pattern, whole=whole)) is not None:
                return value
        return None

    def _is_ours(self, domain: str) -> bool:
        """Whether mail for a domain stays here, so that what is before it may be a route."""
        routes, domain = self.routes, domain.lower()
        return routes.local_domains.holds(domain) or is_own_literal(domain, routes.own_addresses)

    def _listed(self, tables: Sequence[LookupTable], address: Address) -> bool:
        return bool(tables) and self.find(tables, _in_lower_case(address)) is not None

    def _listed_user(self, user: str) -> bool:
        tables = self.routes.local_recipients or ()
        bare, extension = without_extension(user, self.routes.recipient_delimiter)
        return find_first(tables, user, whole=False) is not None or (
            bool(extension) and find_first(tables, bare, whole=False) is not None
        )


def _in_lower_case(address: Address) -> Address:
    """As tables of who there is are asked, patterns too."""
    return Address(address.local_part.lower(), address.domain.lower())


def _add_line(fault: LookupFault, parameter: str) -> None:
    """The log is to say whose table it was, too."""
    fault.reason += f"\n{parameter} lookup failure"


def _find_key(tables: Sequence[LookupTable], key: str) -> str | None:
    """The answer for the null sender: to its key as an address is written, `"<>"`, and as it is.  LookupFault."""
    for form in (key,) if "@" in key else written_forms(key):
        if (value := find_first(tables, form)) is not None:
            return value
    return None
