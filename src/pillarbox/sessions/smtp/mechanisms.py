"""SASL mechanisms that may be offered: smtpd_sasl_security_options and smtpd_sasl_mechanism_filter.

STANDARDS
    SASL_README; the properties are those that the authentication server says each mechanism has
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from pillarbox.tables.word_list import WordList, open_word_list
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.wire.sasl.mechanisms import MechanismProperties

_FORBIDDEN_BY: Final = {
    "noplaintext": b"plaintext",
    "noactive": b"active",
    "nodictionary": b"dictionary",
    "noanonymous": b"anonymous",
}
_NEEDED_BY: Final = {"forward_secrecy": b"forward-secrecy", "mutual_auth": b"mutual-auth"}


class MechanismFilter(msgspec.Struct, frozen=True):
    """What may be offered, in clear text and under TLS."""

    in_clear: tuple[str, ...]
    under_tls: tuple[str, ...]
    listed: WordList

    def offered(self, mechanisms: MechanismProperties, *, secured: bool) -> tuple[bytes, ...]:
        """Those of the server's mechanisms that may be."""
        options = self.under_tls if secured else self.in_clear
        return tuple(
            name
            for name, properties in mechanisms.items()
            if _fits(properties, options) and name.decode("ascii", "replace") in self.listed
        )


def mechanism_filter(
    in_clear: Sequence[str], under_tls: Sequence[str], words: Sequence[str], *, where: str, clock: Clock
) -> MechanismFilter:
    """The filter of a service.  ConfigurationFault for an option that is none, or a table that is not there."""
    for option in (*in_clear, *under_tls):
        if option.lower() not in _FORBIDDEN_BY and option.lower() not in _NEEDED_BY:
            known = ", ".join((*_FORBIDDEN_BY, *_NEEDED_BY))
            raise ConfigurationFault(
                where, f'unknown SASL security option "{option}"', mend=f"known are: {known}"
            )
    listed = open_word_list(words, where=where, clock=clock)
    return MechanismFilter(tuple(map(str.lower, in_clear)), tuple(map(str.lower, under_tls)), listed)


def _fits(properties: tuple[bytes, ...], options: tuple[str, ...]) -> bool:
    if any(_FORBIDDEN_BY.get(option) in properties for option in options):
        return False
    return all(_NEEDED_BY[option] in properties for option in options if option in _NEEDED_BY)
