"""Tables that turn an address into others: what canonical, virtual, generic and bcc maps have in common.

DESCRIPTION
    An address is looked up by the patterns of address_lookup.py.  A result `@other.domain` keeps the user; an
    extension that was not part of the pattern goes on to the results, if propagate_unmatched_extensions says so.
    Results are brought to their standard form, as from a local client.

    Keys go to the tables as they are written: tables of fixed strings fold them, regular expressions see the case.

FAULTS
    LookupFault     a table cannot answer, or answers with nothing
    ExpansionFault  the answers come to no end

STANDARDS
    canonical(5), virtual(5), generic(5); ADDRESS_REWRITING_README
"""

from collections.abc import Callable

import msgspec

from pillarbox.message.address_lists import address_of, external_form, listed
from pillarbox.routing.address_lookup import find_first, text_of, virtual_patterns
from pillarbox.routing.rewriting import AddressRewriting
from pillarbox.tables.table import LookupFault, LookupTable, Warn, octets_of
from pillarbox.vocabulary.address import Address

IsLocal = Callable[[bytes], bool]
"""Whether a domain is ours, so that the bare user counts too."""


class MapFault(LookupFault):
    """A table of addresses cannot answer; `reason` and `cause` are for the log."""

    def __init__(self, title: str, of: str, fault: LookupFault) -> None:
        super().__init__(title, fault.detail)
        self.reason = f"{title} map lookup problem{of} -- message not accepted, try again later"
        self.cause = fault.reason


class ExpansionFault(Exception):
    """Addresses that do not come to an end."""


def _shown(address: Address) -> str:
    """In external form, in which the null sender is something, too."""
    return external_form(address) or '""'


class AddressMaps(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of one parameter."""

    title: str  # the parameter
    tables: tuple[LookupTable, ...] = ()
    delimiters: str = ""  # recipient_delimiter
    is_local: IsLocal
    rewriting: AddressRewriting
    propagate: bool = False  # the class is in propagate_unmatched_extensions

    def __bool__(self) -> bool:
        """Whether there are tables."""
        return bool(self.tables)

    def find(self, address: Address) -> str | None:
        """The value of an address, as it stands in the table.  MapFault."""
        try:
            found = self._find(address)
        except LookupFault as fault:
            raise MapFault(self.title, "", fault) from fault
        return None if found is None else found[0]

    def _find(self, address: Address, *, quoted_only: bool = False) -> tuple[str, bytes] | None:
        """The value, and the extension that was not looked for."""
        patterns = virtual_patterns(
            address,
            delimiters=self.delimiters,
            is_local=lambda: self.is_local(address.domain),
            quoted_only=quoted_only,
        )
        for key, cut, whole in patterns:
            value = find_first(self.tables, key, whole=whole)
            if value is None:
                continue
            if not value:
                raise LookupFault(self.title, f"lookup of {key} returns an empty string result")
            return value, cut.encode("utf-8", "surrogateescape")
        return None

    def map(self, address: Address) -> list[Address] | None:
        """The addresses that an address is turned into, in standard form; None if no table has it.  LookupFault."""
        try:
            found = self._find(address, quoted_only=True)
        except LookupFault as fault:
            raise MapFault(self.title, f" for {_shown(address)}", fault) from fault
        if found is None:
            return None
        value, extension = found
        if value.startswith("@"):
            user = address.local_part.removesuffix(extension)
            value = external_form(
                Address.from_internal(user + octets_of(value))
            )  # whatever follows, one address
        results = [address_of(self.rewriting.rewrite_text(text)) for text in listed(value)]
        if not results:
            raise LookupFault(self.title, f"lookup of {text_of(address.internal)} returns no address")
        if not extension or not self.propagate:
            return results
        return [Address(result.local_part + extension, result.domain) for result in results]

    def map_first(self, address: Address) -> Address:
        """The address after one lookup.  LookupFault."""
        results = self.map(address)
        return address if results is None else results[0]

    def map_one(self, address: Address, *, limit: int, warn: Warn) -> Address:
        """The address after so many lookups at most, each of the last one's first result.  LookupFault.

        More than one result, and no end of results, are warned of; what there is then is taken, as in Postfix.
        """
        for _ in range(limit):
            results = self.map(address)
            if results is None:
                return address
            if len(results) > 1:
                warn(f"multi-valued {self.title} entry for {address.external.decode('utf-8', 'replace')}")
            before, address = address, results[0]
            if address.folded == before.folded:
                return address
        shown = address.external.decode("utf-8", "replace")
        warn(f"unreasonable {self.title} map nesting for {shown} -- message not accepted, try again later")
        return address
