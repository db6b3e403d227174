"""debug_peer_list: the peers whose sessions are written into the log, line by line.

DESCRIPTION
    An item is a host or domain name, an address, a network or a table; `!` before it is an exception.  Postfix
    raises the level of all its logging for such a peer; here it is what both sides say that is logged, as Postfix
    does among the rest:

        < mx.example.org[192.0.2.1]:25: 250 2.1.5 Ok

    Passwords are not shown.  A table that does not answer names nobody.

STANDARDS
    postconf(5): debug_peer_list, debug_peer_level; DEBUG_README
"""

from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network

import msgspec

from pillarbox.config.parameters.local_recipients import LocalRecipients
from pillarbox.config.parameters.logging import Logging
from pillarbox.config.snapshot import Snapshot
from pillarbox.tables.opening import open_table
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.clock import Clock

Trace = Callable[[str, bytes], None]
"""Told of the direction, `<` or `>`, and of a line."""


class _Item(msgspec.Struct, frozen=True):
    text: str  # in lower case
    negated: bool
    table: LookupTable | None


class DebuggedPeers:
    """The list, opened."""

    def __init__(self, items: Iterable[_Item], *, subdomains: bool) -> None:
        self._items = tuple(items)
        self._dot = "." if subdomains else ""

    def holds(self, *, names: Iterable[str], address: str) -> bool:
        """Whether a peer with one of these names, or with this address, is among them."""
        said = [name.lower() for name in names if name and name != "unknown"]
        for item in self._items:
            if any(self._is_named(item, name) for name in said) or self._is_at(item, address):
                return not item.negated
        return False

    def trace(
        self, label: str, note: Callable[[str], None], *, names: Iterable[str], address: str
    ) -> Trace | None:
        """What writes a session's lines with `note`; None if the peer is not among them."""
        if not self._items or not self.holds(names=names, address=address):
            return None
        return lambda direction, line: note(f"{direction} {label}: {line.decode('utf-8', 'replace')}")

    def _is_named(self, item: _Item, name: str) -> bool:
        if item.table is not None:
            return _has(item.table, name) or (
                bool(self._dot)
                and item.table.partial_keys
                and any(_has(item.table, one) for one in _parents(name))
            )
        if item.text.startswith("."):
            return name.endswith(item.text)
        return name == item.text or (bool(self._dot) and name.endswith(f".{item.text}"))

    @staticmethod
    def _is_at(item: _Item, address: str) -> bool:
        if item.table is not None:
            return bool(address) and _has(item.table, address)
        try:
            return ip_address(address) in ip_network(
                item.text.replace("[", "").replace("]", ""), strict=False
            )
        except ValueError:
            return False  # one of them is a name or a socket


def debugged_peers(snapshot: Snapshot, *, clock: Clock) -> DebuggedPeers:
    """The peers of a service.  ConfigurationFault."""
    settings = snapshot.group(Logging)
    where = snapshot.place_of("debug_peer_list")
    return DebuggedPeers(
        (
            _Item(
                pattern.text.lower(),
                pattern.negated,
                open_table(pattern.text, where=where, clock=clock) if pattern.is_table else None,
            )
            for pattern in settings.debug_peer_list.patterns
        ),
        subdomains="debug_peer_list" in snapshot.group(LocalRecipients).parent_domain_matches_subdomains,
    )


def _has(table: LookupTable, key: str) -> bool:
    try:
        return table.query(key) is not None
    except LookupFault:
        return False


def _parents(name: str) -> Iterable[str]:
    while "." in name:
        name = name.partition(".")[2]
        yield name
