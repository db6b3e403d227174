"""Lists of domains: mydestination, relay_domains, virtual_alias_domains and the like, tables opened.

FAULTS
    LookupFault  a table of the list cannot answer

STANDARDS
    postconf(5): mydestination, relay_domains, fast_flush_domains; parent_domain_matches_subdomains
"""

from collections.abc import Iterator

import msgspec

from pillarbox.routing.address_lookup import find_first
from pillarbox.tables.table import LookupFault, LookupTable


class DomainPattern(msgspec.Struct, frozen=True):
    """A name or a table of a list of domains; with `!` its domains are not in the list."""

    name: str = ""
    table: LookupTable | None = None
    negated: bool = False


class DomainList(msgspec.Struct, frozen=True):
    """A list of domains: the first name or table that has one decides.

    `names` and `tables` are those of a list without exceptions, `ordered` are all of one with them.  A name with a
    dot before it stands for what is below it, or with `match_subdomains` every name does, and itself; tables are
    asked in the same way.
    """

    names: frozenset[str] = frozenset()
    tables: tuple[LookupTable, ...] = ()
    match_subdomains: bool = False
    ordered: tuple[DomainPattern, ...] = ()
    parameter: str = ""

    def holds(self, domain: str) -> bool:
        """Whether the domain is one of them.  LookupFault."""
        names, tables = self.names, self.tables
        try:
            if self.ordered:
                return self._first(domain)
            if domain in names or (tables and find_first(tables, domain) is not None):
                return True
            if not names and not tables:
                return False
            for parent in self._parents(domain):
                if parent in names or (tables and find_first(tables, parent, whole=False) is not None):
                    return True
        except LookupFault as fault:
            detail = f": {fault.detail}" if fault.detail else ""
            fault.reason = f"{self.parameter}: {fault.table}: table lookup problem{detail}"
            raise
        return False

    @property
    def asks_tables(self) -> bool:
        """Whether the answer for a domain may change."""
        return bool(self.tables) or any(pattern.table is not None for pattern in self.ordered)

    def _first(self, domain: str) -> bool:
        parents = list(self._parents(domain))
        for pattern in self.ordered:
            if pattern.table is None:
                found = pattern.name == domain or pattern.name in parents
            else:
                found = find_first((pattern.table,), domain) is not None or any(
                    find_first((pattern.table,), parent, whole=False) is not None for parent in parents
                )
            if found:
                return not pattern.negated
        return False

    def _parents(self, domain: str) -> Iterator[str]:
        dot = "" if self.match_subdomains else "."
        while "." in domain:
            domain = domain.partition(".")[2]
            yield dot + domain
