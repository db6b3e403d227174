"""Connecting to Unix sockets whose path may be longer than sockaddr_un has room for."""

import _socket
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket


def connect_below(directory: str, name: str, *, kind: int = _socket.SOCK_STREAM) -> "socket.socket":
    """A connection to the socket `name` (it may have slashes) below a directory.  OSError if nobody is there."""
    import socket  # with enum and selectors, which tools/quick_listing.py does not wait for

    sock = socket.socket(socket.AF_UNIX, kind)
    try:
        connect(sock, directory, name)
    except OSError:
        sock.close()
        raise
    return sock


def connect(sock: _socket.socket, directory: str, name: str) -> None:
    """Connect a socket to the one `name` below a directory.  OSError."""
    parent, _, last = name.rpartition("/")
    # sockaddr_un has room for 107 octets; /proc/self/fd/N is short whatever the directory's path.
    holder = os.open(os.path.join(directory, parent), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sock.connect(f"/proc/self/fd/{holder}/{last}")
    finally:
        os.close(holder)
