"""What a sender wants to hear of a message, and of its recipients.

STANDARDS
    RFC 3461 §4 (RET, NOTIFY)
"""

from enum import IntFlag


class Notify(IntFlag):
    """NOTIFY= of RFC 3461 §4.1, with the bit values that Postfix queue files hold."""

    DEFAULT = 0
    NEVER = 1
    SUCCESS = 2
    FAILURE = 4
    DELAY = 8


def without_success(notify: Notify) -> Notify:
    """For what an alias stands for: the alias itself reports success (RFC 3461 §5.2.7.3)."""
    if notify == Notify.SUCCESS:
        return Notify.NEVER
    return notify & ~Notify.SUCCESS


class Ret(IntFlag):
    """RET= of RFC 3461 §4.3, with the values that Postfix queue files hold."""

    DEFAULT = 0
    FULL = 1
    HEADERS = 2


class Trace(IntFlag):
    """What else is to come of a message: trace_flags of Postfix queue files, with their bit values."""

    NONE = 0
    PROBE = 256  # of verify(8): nothing is delivered, its cache learns what would be
    WHAT_IF = 512  # sendmail -bv: nothing is delivered, the sender hears what would be
    RECORD = 1024  # sendmail -v: the sender hears what became of the first attempt
    DELAY_TOLD = (
        8192  # the sender was told of a delay and wants to hear of the delivery (confirm_delay_cleared)
    )
