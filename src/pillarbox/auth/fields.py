"""`key=value` words of passdb and userdb: args, default_fields, override_fields, extra fields.

DESCRIPTION
    A word without `=` is a field with the value `yes`.  `network_allows` judges allow_nets.
"""

from collections.abc import Mapping

from pillarbox.config.dovecot.variables import expand
from pillarbox.vocabulary.ip_addresses import is_within, network


def words(text: str) -> dict[str, str]:
    """The fields of a text of blank-separated words."""
    pairs = (word.partition("=") for word in text.split())
    return {name: value if equals else "yes" for name, equals, value in pairs}


def expanded(text: str, values: Mapping[str, str]) -> dict[str, str]:
    """The same, %-variables replaced in each value."""
    return {name: expand(value, values) for name, value in words(text).items()}


def network_allows(networks: str, address: str) -> bool:
    """Whether an address is in one of the comma-separated networks; `local` is a client without address."""
    for word in networks.split(","):
        if word == "local" and not address:
            return True
        try:
            if address and is_within(address, network(word.strip())):
                return True
        except ValueError:
            continue
    return False
