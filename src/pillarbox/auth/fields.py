"""`key=value` words of passdb and userdb: args, default_fields, override_fields, extra fields.

DESCRIPTION
    A word without `=` is a field with the value `yes`.  `judged_networks` reads allow_nets.
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


def judged_networks(networks: str, address: str) -> tuple[bool, list[str]]:
    """Whether an address is in one of the comma-separated networks, and what of them up to there is no network.

    `local` is a client without address.
    """
    invalid: list[str] = []
    for word in networks.split(","):
        if word == "local":
            if not address:
                return True, invalid
            continue
        try:
            wanted = network(word.strip())
        except ValueError:
            invalid.append(word)
            continue
        if address and is_within(address, wanted):
            return True, invalid
    return False, invalid
