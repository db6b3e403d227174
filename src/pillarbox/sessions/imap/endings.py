"""How a session comes to its end, and what the log says of it then.

FAULTS
    Disconnect  the session has to end; `bye` is for the client, `reason` for the log
    Parking     it ends without its client noticing

STANDARDS
    RFC 3501 §3.4, §7.1.5 (BYE)
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from pillarbox.config.dovecot.logout_format import IMAP_FIGURES, expand
from pillarbox.sessions.ended import AUTOEXPUNGED

INTERNAL_ERROR: Final = b"Internal error occurred. Refer to server log for more information."


class Disconnect(Exception):
    """The session ends: `bye` is told to the client (unless empty), `reason` to the log."""

    def __init__(self, reason: str, *, bye: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.bye = bye


class Parking(Exception):
    """The session rests, and is to be gone on with in another process (sessions/imap/parking.py)."""


class Figures(msgspec.Struct, array_like=True):
    """What the log says of a session when it is over."""

    deleted: int = 0
    expunged: int = 0
    header_count: int = 0
    header_bytes: int = 0
    body_count: int = 0
    body_bytes: int = 0
    trashed: int = 0
    """Copied or moved into a mailbox for \\Trash."""
    appended: int = 0

    def count(self, kind: str, octets: int) -> None:
        """A section that was fetched: of the `header`, of the `body`."""
        if kind == "body":
            self.body_count += 1
            self.body_bytes += octets
        elif kind:
            self.header_count += 1
            self.header_bytes += octets

    def text(self, format_text: str, bytes_in: int, bytes_out: int | str, *, user: Mapping[str, str]) -> str:
        """`in=375 out=2868 deleted=0 …`: imap_logout_format"""
        values = {
            "input": bytes_in,
            "output": bytes_out,
            "deleted": self.deleted,
            "expunged": self.expunged,
            "trashed": self.trashed,
            "appended": self.appended,
            "autoexpunged": AUTOEXPUNGED,
            "fetch_hdr_count": self.header_count,
            "fetch_hdr_bytes": self.header_bytes,
            "fetch_body_count": self.body_count,
            "fetch_body_bytes": self.body_bytes,
        }
        return expand(format_text, IMAP_FIGURES, values, user)


def connection_closed(last_command: str, seconds: float) -> str:
    """What the log says of a client that went without LOGOUT, so long after its last command was finished."""
    if not last_command:
        return "Connection closed (No commands sent)"
    return f"Connection closed ({last_command} finished {seconds:.3f} secs ago)"


def mailbox_deleted() -> Disconnect:
    """Somebody has removed the selected mailbox."""
    return Disconnect(
        "Selected mailbox was deleted, have to disconnect.",
        bye=b"Selected mailbox was deleted, have to disconnect.",
    )
