"""Waking a service: a few letters to its socket, no answer.

STANDARDS
    Postfix's mail_trigger(3): the request, a NUL, and the server closes
"""

import _socket
import os
import stat
from contextlib import closing
from typing import Final

from pillarbox.net.unix_client import bare_connection

FLUSH_ALL: Final = b"FADI"
"""qmgr: forget dead destinations, ignore times, scan deferred, scan incoming."""
WAKE_UP: Final = b"W"
"""Look for new mail."""
_PATIENCE: Final = 10.0


def trigger(directory: str, name: str, request: bytes) -> None:
    """Send a request to a socket (or FIFO, as older systems have it) below a directory.  OSError."""
    if stat.S_ISFIFO(os.stat(os.path.join(directory, name)).st_mode):
        descriptor = os.open(os.path.join(directory, name), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(descriptor, request)
        finally:
            os.close(descriptor)
        return
    with closing(bare_connection(directory, name)) as sock:
        sock.settimeout(_PATIENCE)
        sock.sendall(request + b"\0")
        sock.shutdown(_socket.SHUT_WR)
        try:
            sock.recv(1)  # until the server has read it and closes
        except (TimeoutError, ConnectionError):
            pass
