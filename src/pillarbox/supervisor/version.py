"""The version that log lines and commands give."""

from importlib.metadata import version
from typing import Final

VERSION: Final = version("pillarbox")

DOVECOT_VERSION: Final = f"2.3.19.1 (Pillarbox {VERSION})"
"""The version of Dovecot whose behaviour the mailbox half has, in the form that scripts look for."""
