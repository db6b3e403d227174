"""The sender of notices to postmaster: nobody is told what becomes of mail that comes from it.

DESCRIPTION
    double_bounce_sender at myhostname, as canonical_maps and masquerading leave it.  By masquerade_domains notices
    come from another domain, and are known there all the same: if one of them that cannot be delivered gave rise to
    another, there would be no end.  A table that gives the sender another name is not heeded, for the name may be
    somebody's.
"""

from collections.abc import Callable

from pillarbox.routing.address_maps import ExpansionFault
from pillarbox.routing.mappings import Mappings
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.address import Address


class PostmasterSender:
    """One system's."""

    def __init__(self, address: bytes, mappings: Mappings) -> None:
        """`address` is the complete one."""
        self._own = Address.from_internal(address)
        self._mappings = mappings

    def mapped(self, *, warn: Callable[[str], None]) -> Address:
        """As it is in the envelope of a notice.  LookupFault, ExpansionFault."""
        mapped = self._mappings.sender(self._own, warn=warn)
        return mapped if self._has_its_name(mapped) else self._own

    def is_it(self, sender: bytes) -> bool:
        """Whether that is the sender of a message; also if a table cannot say."""
        address = Address.from_internal(sender)
        if not self._has_its_name(address):
            return False
        if address.folded == self._own.folded:
            return True
        try:
            return address.folded == self.mapped(warn=lambda _text: None).folded
        except (LookupFault, ExpansionFault):
            return True

    def _has_its_name(self, address: Address) -> bool:
        return address.local_part.lower() == self._own.local_part.lower()
