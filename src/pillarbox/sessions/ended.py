"""The end of a session, as the log tells it."""

from typing import Final

import msgspec

AUTOEXPUNGED: Final = "{autoexpunged}"
"""In figures: how many messages autoexpunge removes, which happens when the session is over."""


class Ended(msgspec.Struct, frozen=True):
    """How a session ended: `Disconnected: reason figures`."""

    reason: str
    figures: str
