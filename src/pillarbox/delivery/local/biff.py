"""comsat(8), which shows new mail to users who are logged in and have said `biff y`: told of each mailbox delivery.

FAULTS
    None: hardly anybody listens there.

STANDARDS
    comsat(8): a datagram `user@offset`; postconf(5), biff
"""

import socket
from contextlib import suppress
from typing import Final

_COMSAT: Final = ("127.0.0.1", 512)


def notify(user: bytes, offset: int) -> None:
    """The user's mailbox file has a message at `offset`, in octets."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        sender.sendto(b"%s@%d\0" % (user, offset), _COMSAT)
