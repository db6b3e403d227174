"""Where doveadm who and kick find the spawners: one serves new sessions, older generations those they still have.

DESCRIPTION
    pillarbox-sessions       in base_dir: the spawner that takes new sessions; the supervisor binds it
    pillarbox-sessions.PID   a spawner that a reload has replaced and that has sessions left; it binds it itself

FAULTS
    OSError  the socket cannot be made, or nobody listens any more
"""

import os
import socket
from typing import Final

from pillarbox.net.unix_client import connect_below

_NAME: Final = "pillarbox-sessions"


def open_own(base_dir: str) -> socket.socket:
    """The door of this process, a generation that drains."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # sockaddr_un has room for 107 octets; /proc/self/fd/N is short whatever the directory's path.
    holder = os.open(base_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    mask = os.umask(0o177)
    try:
        sock.bind(f"/proc/self/fd/{holder}/{_NAME}.{os.getpid()}")
        sock.listen(16)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(mask)
        os.close(holder)
    return sock


def close_own(base_dir: str) -> None:
    """This process ends."""
    _unlink(f"{base_dir}/{_NAME}.{os.getpid()}")


def connect_all(base_dir: str) -> list[socket.socket]:
    """Connections to all generations, the newest first.  OSError if there is no newest."""
    found = [connect_below(base_dir, _NAME)]
    for name in sorted(os.listdir(base_dir)):
        if not name.startswith(f"{_NAME}."):
            continue
        try:
            found.append(connect_below(base_dir, name))
        except ConnectionRefusedError:
            _unlink(f"{base_dir}/{name}")  # whose process was killed
        except FileNotFoundError:
            continue  # it has just ended
    return found


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return
