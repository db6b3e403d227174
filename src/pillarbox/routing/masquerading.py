"""Address masquerading: hosts below a domain are hidden behind it.

DESCRIPTION
    `masquerade_domains = foo.example.com example.com`: user@any.thing.foo.example.com becomes user@foo.example.com,
    and user@any.thing.else.example.com becomes user@example.com.  The first domain that matches decides; one with
    `!` before it leaves the address as it is.  Users in masquerade_exceptions keep their hosts; they
    are looked up with the quotes that they need.

FAULTS
    LookupFault  a table of masquerade_exceptions cannot answer

STANDARDS
    ADDRESS_REWRITING_README, "Address masquerading"
"""

import msgspec

from pillarbox.routing.address_lookup import text_of
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.address import Address


class ExceptedUser(msgspec.Struct, frozen=True):
    """An item of masquerade_exceptions: a name, or a table that has users as keys."""

    name: str
    table: LookupTable | None = None
    negated: bool = False

    def matches(self, user: str) -> bool:
        """Whether the item is about the user."""
        return self.table.query(user) is not None if self.table is not None else self.name == user


class Masquerading(msgspec.Struct, frozen=True):
    """What main.cf says of it."""

    domains: tuple[tuple[bytes, bool], ...] = ()  # in lower case, and whether hosts below it are hidden
    exceptions: tuple[ExceptedUser, ...] = ()

    def masquerade(self, address: Address) -> Address:
        """The address behind its domain.  Of whom it is, is asked first, whatever the domain."""
        domain = address.domain.lower()
        if not domain or self._excepts(address):
            return address
        for parent, hides in self.domains:
            if domain == parent:
                return address
            if domain.endswith(b"." + parent):
                return Address(address.local_part, parent) if hides else address
        return address

    def _excepts(self, address: Address) -> bool:
        user = text_of(Address(address.local_part, b"").external) if self.exceptions else ""
        for item in self.exceptions:
            if item.matches(user):
                return not item.negated
        return False


def masquerade_domains(words: tuple[str, ...]) -> tuple[tuple[bytes, bool], ...]:
    """The domains of masquerade_domains, in order; each `!` before one turns its meaning."""
    found: list[tuple[bytes, bool]] = []
    for word in words:
        bare = word.lstrip("!")
        if bare:
            found.append((bare.lower().encode(), (len(word) - len(bare)) % 2 == 0))
    return tuple(found)
