"""Names of things that are handed from module to module, each a type of its own.

DESCRIPTION
    A UID is not a sequence number and a queue id is not a session id; the type checker keeps them apart.  While a
    program runs they are what they are made of: `typing` takes longer to load than a short command has.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NewType
else:

    def NewType(name: str, of: type) -> type:
        """The type itself."""
        return of


QueueId = NewType("QueueId", str)
"""Name of a queue file, as in `250 2.0.0 Ok: queued as 4AF1C301A4` (Postfix queue_id)."""

Uid = NewType("Uid", int)
"""Unique identifier of a message in a mailbox, 1 … 2^32-1 (RFC 3501 §2.3.1.1)."""

UidValidity = NewType("UidValidity", int)
"""UIDVALIDITY of a mailbox (RFC 3501 §2.3.1.1)."""

ModSeq = NewType("ModSeq", int)
"""Modification sequence, 63 bits (RFC 7162 §1)."""

SequenceNumber = NewType("SequenceNumber", int)
"""Position of a message in one session's view of a mailbox, from 1 (RFC 3501 §2.3.1.2)."""
