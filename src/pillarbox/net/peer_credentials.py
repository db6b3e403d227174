"""Who is at the other end of a Unix socket (unix(7): SO_PEERCRED)."""

import socket
import struct
from typing import Final

_CREDENTIALS: Final = struct.Struct("3i")


def peer_uid(sock: socket.socket) -> int:
    """The user id of the process that connected."""
    _pid, uid, _gid = _CREDENTIALS.unpack(
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return int(uid)
