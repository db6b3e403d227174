"""What is done for servers behind a Cisco PIX firewall that meddles with SMTP (smtp_pix_workarounds).

DESCRIPTION
    Such a firewall covers the greeting with stars.  It may drop ESMTP, and lose the final dot if that is cut in two
    by the end of a packet.

FAULTS
    ConfigurationFault  at open: a word that is none

STANDARDS
    postconf(5)
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from pillarbox.observability.events import EventSink, Warned
from pillarbox.routing.address_lookup import find_first
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.faults import ConfigurationFault

_WORDS: Final = ("disable_esmtp", "delay_dotcrlf")
_COVER: Final = b"20 *\t\n"


class Measures(msgspec.Struct, frozen=True):
    """For one server."""

    disable_esmtp: bool = False
    delay_dotcrlf: bool = False

    @property
    def names(self) -> str:
        """For the log."""
        return " ".join(word for word in _WORDS if getattr(self, word))


class Workarounds:
    """Of one service."""

    def __init__(
        self, words: Sequence[str], tables: Sequence[LookupTable], *, threshold: float, where: str
    ) -> None:
        """smtp_pix_workarounds, and the opened tables of smtp_pix_workaround_maps.

        `threshold` is how long a message has waited, in seconds, before its final dot comes alone.
        """
        self._tables = tables
        self._threshold = threshold
        try:
            self._default = _measures(words)
        except ValueError as error:
            raise ConfigurationFault(where, str(error)) from error

    def for_server(self, address: str, greeting: bytes, *, age: float, tell: EventSink) -> Measures | None:
        """For a greeting under stars, if there are any; `age` is the message's, in seconds.

        A table that cannot answer is told of, and what holds for all servers counts.  ValueError for a word in a
        table that is none.
        """
        if greeting.strip(_COVER):
            return None
        try:
            words = find_first(self._tables, address)
        except LookupFault as fault:
            tell(Warned(fault.reason))
            words = None
        known = self._default if words is None else _measures(words.replace(",", " ").split())
        if not known.names:
            return None
        return Measures(known.disable_esmtp, known.delay_dotcrlf and age >= self._threshold)


def _measures(words: Sequence[str]) -> Measures:
    known = {word.lower() for word in words}
    if unknown := sorted(known - set(_WORDS)):
        raise ValueError(f'"{unknown[0]}" is no workaround: {", ".join(_WORDS)}')
    return Measures(*(word in known for word in _WORDS))
