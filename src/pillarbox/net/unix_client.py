"""Connecting to Unix sockets whose path may be longer than sockaddr_un has room for.

DESCRIPTION
    Commands take a `bare_connection()`: the module `socket`, with enum and selectors, takes longer to load than the
    answer to come, and what it is made of sends and receives as well.
"""

import _socket
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket


def connect_below(directory: str, name: str) -> "socket.socket":
    """A connection to the socket `name` (it may have slashes) below a directory.  OSError if nobody is there."""
    import socket

    return socket.socket(fileno=bare_connection(directory, name).detach())


def bare_connection(directory: str, name: str, *, kind: int = _socket.SOCK_STREAM) -> _socket.socket:
    """The same without what the module `socket` adds to it."""
    sock = _socket.socket(_socket.AF_UNIX, kind)
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
