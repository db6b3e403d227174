"""EHLO keywords that are passed over: smtpd_discard_ehlo_keywords, smtp_discard_ehlo_keywords and their tables.

DESCRIPTION
    A table is asked with the peer's address; what it says takes the place of the keywords that are for all.
    Our server does not offer such a keyword, and does not serve it either; our client does not see it offered.

FAULTS
    LookupFault  a table cannot answer: a client is sent away with 421, mail for a server waits

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
    """Of one peer."""

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
        """`tables` are those of smtpd_discard_ehlo_keyword_address_maps, or of the client's."""
        self._usual = _discarded(keywords)
        self._tables = tables

    def of_peer(self, address: str, tell: EventSink) -> DiscardedKeywords:
        """What a client is not offered, or a server offers in vain.  LookupFault."""
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
