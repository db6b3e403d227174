"""smtp_sasl_password_maps: which user and password a server gets.

FAULTS
    LookupFault  a table cannot answer: mail waits
"""

from collections.abc import Sequence

import msgspec

from pillarbox.delivery.smtp.destination import Destination
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.secret import Secret


class Login(msgspec.Struct, frozen=True):
    """User and password."""

    user: bytes
    password: Secret


def find_login(
    tables: Sequence[LookupTable], *, destination: Destination, host: str, sender: bytes, by_sender: bool
) -> Login | None:
    """By the sender if `by_sender`, then by the server's name, then by the nexthop as written."""
    keys = [sender.decode("utf-8", "surrogateescape").lower()] if by_sender and sender else []
    if by_sender and b"@" in sender:
        keys.append("@" + keys[0].rpartition("@")[2])
    for key in [*keys, host, destination.text.lower()]:
        for table in tables:
            value = table.query(key)
            if value is not None:
                user, _, password = value.partition(":")
                return Login(user.encode(), Secret(password.encode())) if user else None
    return None
