"""The version that log lines and commands give."""

from importlib.metadata import version
from typing import Final

VERSION: Final = version("pillarbox")

_DOVECOT: Final = "2.3.19.1"
DOVECOT_VERSION: Final = f"{_DOVECOT} (Pillarbox {VERSION})"
"""The version of Dovecot whose behaviour the mailbox half has, in the form that scripts look for."""


def starting_up(protocols: str) -> str:
    """What Dovecot's master logs when it serves; logwatch counts the starts by the words in this order."""
    return f"Dovecot v{_DOVECOT} starting up for {protocols} (Pillarbox {VERSION})"
