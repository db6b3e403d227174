"""Who is at the other end of a Unix socket (unix(7): SO_PEERCRED)."""

import socket
import struct
from typing import Final, Protocol

_CREDENTIALS: Final = struct.Struct("3i")


class UnixSocket(Protocol):
    """A connected socket, or what a transport shows of its own."""

    def getsockopt(self, level: int, option: int, length: int, /) -> bytes:
        """getsockopt(2)"""
        ...


def peer_uid(sock: UnixSocket) -> int:
    """The user id of the process that connected."""
    return _of_peer(sock)[1]


def peer_pid(sock: UnixSocket) -> int:
    """Its process id."""
    return _of_peer(sock)[0]


def _of_peer(sock: UnixSocket) -> tuple[int, int]:
    octets = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _gid = _CREDENTIALS.unpack(octets)
    return int(pid), int(uid)
