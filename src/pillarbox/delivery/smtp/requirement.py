"""How much of REQUIRETLS a destination has to keep: smtp_requiretls_policy.

DESCRIPTION
    The policy is a list of words and tables.  The first word, or the first table that knows the destination,
    decides:

        enforce                 a verified certificate, and a server that offers REQUIRETLS; else mail is returned
        opportunistic+starttls  TLS; REQUIRETLS if the server offers it
        opportunistic           REQUIRETLS if there is TLS and the server offers it
        disable                 as if the sender had not asked
        error                   the mail waits

    Nothing that fits is enforce.  A table with partial keys is also asked for the parents of a domain, with a dot
    in front.

FAULTS
    ConfigurationFault  at open: a word that is none of these
    BadPolicy           a table's answer that is none of these, or `error`: the mail waits

STANDARDS
    RFC 8689 §4.2; Postfix 3.11 REQUIRETLS_README
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from pillarbox.delivery.smtp.policy_table import BadPolicy
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.faults import ConfigurationFault


class Requirement(IntEnum):
    """What a message needs of a server, the most last."""

    NONE = 0
    OPPORTUNISTIC = 1
    STARTTLS = 2
    ENFORCED = 3

    @property
    def is_tls(self) -> bool:
        """Whether there is no delivery in clear text."""
        return self >= Requirement.STARTTLS


_ERROR: Final = "error"
_WORDS: Final = {
    "enforce": Requirement.ENFORCED,
    "opportunistic+starttls": Requirement.STARTTLS,
    "opportunistic": Requirement.OPPORTUNISTIC,
    "disable": Requirement.NONE,
}


class RequirementPolicy:
    """One service's policy."""

    def __init__(self, items: Sequence[str | LookupTable], *, parameter: str) -> None:
        """Words and opened tables in their order.  ConfigurationFault."""
        self._items = items
        self._parameter = parameter
        for item in items:
            if isinstance(item, str) and item.lower() not in _WORDS and item.lower() != _ERROR:
                raise ConfigurationFault(parameter, f'"{item}" is no word of a REQUIRETLS policy')

    def of(self, host: str) -> Requirement:
        """What mail to a nexthop needs, its name or address without port.  BadPolicy, LookupFault."""
        if not host.isascii():
            try:
                host = host.encode("idna").decode()
            except UnicodeError:
                return Requirement.ENFORCED
        for item in self._items:
            if isinstance(item, str):
                return self._requirement(item)
            if (answer := _find(item, host.lower())) is not None:
                return self._requirement(answer)
        return Requirement.ENFORCED

    def _requirement(self, word: str) -> Requirement:
        requirement = _WORDS.get(word.strip().lower())
        if requirement is None:
            raise BadPolicy(f'{self._parameter}: "{word}"')
        return requirement


def _find(table: LookupTable, host: str) -> str | None:
    if (answer := table.query(host)) is not None or not table.partial_keys:
        return answer
    if host.replace(".", "").isdecimal() or ":" in host:
        return None  # an address has no parents
    labels = host.split(".")
    for at in range(1, len(labels)):
        if (answer := table.query("." + ".".join(labels[at:]))) is not None:
            return answer
    return None
