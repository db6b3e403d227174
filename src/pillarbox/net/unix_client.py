"""Connecting to Unix sockets whose path may be longer than sockaddr_un has room for."""

import os
import socket


def connect_below(directory: str, name: str, *, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """A connection to the socket `name` (it may have slashes) below a directory.  OSError if nobody is there."""
    parent, _, last = name.rpartition("/")
    # sockaddr_un has room for 107 octets; /proc/self/fd/N is short whatever the directory's path.
    holder = os.open(os.path.join(directory, parent), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    sock = socket.socket(socket.AF_UNIX, kind)
    try:
        sock.connect(f"/proc/self/fd/{holder}/{last}")
    except OSError:
        sock.close()
        raise
    finally:
        os.close(holder)
    return sock
