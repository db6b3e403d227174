"""Why an engine of IMAP, POP3 or LMTP has no command to give."""

from enum import Enum, auto


class Pause(Enum):
    """What `next_command` answers where there is none."""

    NEED_DATA = auto()
    """More has to come from the client."""
    CLOSED = auto()
    """Nothing will come any more."""
