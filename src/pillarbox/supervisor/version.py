"""The version that log lines and commands give; a test compares it with pyproject.toml's.

It is not read from the package's metadata: importlib.metadata is slow to import, and each start would wait for it.
"""

from typing import Final

VERSION: Final = "0.1.0"

_DOVECOT: Final = "2.3.19.1"
DOVECOT_VERSION: Final = f"{_DOVECOT} (Pillarbox {VERSION})"
"""The version of Dovecot whose behaviour the mailbox half has, in the form that scripts look for."""


def starting_up(protocols: str) -> str:
    """What Dovecot's master logs when it serves; logwatch counts the starts by the words in this order."""
    return f"Dovecot v{_DOVECOT} starting up for {protocols} (Pillarbox {VERSION})"
