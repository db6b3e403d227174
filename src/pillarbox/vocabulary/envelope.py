"""The envelope of a message: who sends it, who gets it, and what the sender wants to hear back.

STANDARDS
    RFC 5321 §3.3; RFC 3461 (DSN: RET, ENVID, NOTIFY, ORCPT); RFC 6531 (SMTPUTF8)
"""

from enum import IntFlag

import msgspec

from pillarbox.vocabulary.address import NULL_ADDRESS, Address


class Notify(IntFlag):
    """NOTIFY= of RFC 3461 §4.1, with the bit values that Postfix queue files hold."""

    DEFAULT = 0
    NEVER = 1
    SUCCESS = 2
    FAILURE = 4
    DELAY = 8


class Ret(IntFlag):
    """RET= of RFC 3461 §4.3, with the values that Postfix queue files hold."""

    DEFAULT = 0
    FULL = 1
    HEADERS = 2


class Recipient(msgspec.Struct, frozen=True):
    """One recipient.

    `address` is where the message goes after rewriting, `original` what the client gave; `dsn_original` is
    ORCPT decoded (`rfc822;user@example.org`), empty if there was none.
    """

    address: Address
    original: Address
    notify: Notify = Notify.DEFAULT
    dsn_original: bytes = b""


class Envelope(msgspec.Struct, frozen=True):
    """Sender, recipients and options of one message."""

    sender: Address = NULL_ADDRESS
    recipients: tuple[Recipient, ...] = ()
    envelope_id: bytes = b""
    ret: Ret = Ret.DEFAULT
    eight_bit: bool = False
    smtputf8: bool = False
