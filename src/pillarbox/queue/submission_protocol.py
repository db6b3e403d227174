"""How local submission is answered: Postfix's cleanup status, over postdrop's protocol.

DESCRIPTION
    The mail system greets with the id of the file that takes the records; the submitter sends them and closes its
    side; the answer is `status`, `reason`, and the id that the message has in the queue.

STANDARDS
    Postfix postdrop_protocol, cleanup_user.h
"""

from enum import IntFlag
from typing import Final

from pillarbox.wire.attributes import END, encode

PROTOCOL: Final = b"postdrop_protocol"
SOCKET: Final = "public/pillarbox-submit"
"""Below queue_directory."""


class CleanupStatus(IntFlag):
    """What became of a message."""

    OK = 0
    BAD = 1
    WRITE = 2
    SIZE = 4
    CONTENT = 8
    HOPS = 16
    NO_RECIPIENTS = 64
    PROXY = 128
    DEFER = 256
    NO_PERMISSION = 512

    @property
    def text(self) -> str:
        """For people."""
        return next((text for status, text in _TEXTS.items() if self & status), "unknown error")


_TEXTS: Final = {
    CleanupStatus.BAD: "internal protocol error",
    CleanupStatus.NO_RECIPIENTS: "no recipients specified",
    CleanupStatus.DEFER: "service unavailable",
    CleanupStatus.PROXY: "queue file write error",
    CleanupStatus.WRITE: "queue file write error",
    CleanupStatus.SIZE: "message file too big",
    CleanupStatus.CONTENT: "message content rejected",
    CleanupStatus.HOPS: "too many hops",
    CleanupStatus.NO_PERMISSION: "not authorized",
}


def encode_greeting(queue_id: str = "") -> bytes:
    """What comes first; without an id for who may not submit mail."""
    return encode([(b"protocol", PROTOCOL), (b"queue_id", queue_id.encode())]) + END


def encode_answer(status: CleanupStatus, reason: str = "", *, queue_id: str = "") -> bytes:
    """The whole answer."""
    answer = [
        (b"status", b"%d" % status),
        (b"reason", (reason or (status.text if status else "")).encode()),
        (b"queue_id", queue_id.encode()),
    ]
    return encode(answer) + END
