"""EHLO keywords that a client is not offered: smtpd_discard_ehlo_keywords and its tables.

DESCRIPTION
    A table is asked with the client's address; what it says takes the place of smtpd_discard_ehlo_keywords.  A
    keyword that is not offered is not served either.

FAULTS
    LookupFault  a table cannot answer: the client is sent away with 421

STANDARDS
    postconf(5)
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from pillarbox.config.value_types import items
from pillarbox.observability.events import EventSink, Warned
from pillarbox.tables.table import LookupFault, LookupTable

_SILENT: Final = "SILENT-DISCARD"
_IN_ORDER: Final = (
    "8BITMIME", "AUTH", "ETRN", "PIPELINING", "SIZE", "VERP", "VRFY", "XCLIENT", "XFORWARD", "STARTTLS",
    "ENHANCEDSTATUSCODES", "DSN", "SMTPUTF8", "CHUNKING", "XVERP", "REQUIRETLS",
)  # fmt: skip
"""As they are listed in the log."""


class DiscardedKeywords(msgspec.Struct, frozen=True):
    """Of one client."""

    words: frozenset[str] = frozenset()

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.words

    @property
    def note(self) -> str:
        """What the log says at EHLO; empty if nothing is taken away, or nobody is to hear of it."""
        known = [word for word in _IN_ORDER if word in self.words]
        return "" if _SILENT in self.words or not known else f"discarding EHLO keywords: {' '.join(known)}"


class KeywordPolicy:
    """Of one service."""

    def __init__(self, keywords: Sequence[str], tables: Sequence[LookupTable]) -> None:
        """`tables` are those of smtpd_discard_ehlo_keyword_address_maps."""
        self._usual = _discarded(keywords)
        self._tables = tables

    def of_client(self, address: str, tell: EventSink) -> DiscardedKeywords:
        """What a client is not offered.  LookupFault."""
        for table in self._tables:
            try:
                found = table.query(address)
            except LookupFault:
                tell(Warned(f'{table.name} lookup error for "{address}"'))
                raise
            if found is not None:
                return _discarded(items(found))
        return self._usual


def _discarded(keywords: Sequence[str]) -> DiscardedKeywords:
    return DiscardedKeywords(frozenset(word.upper() for word in keywords))
