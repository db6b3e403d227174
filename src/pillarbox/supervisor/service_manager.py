"""Words to the service manager that started us, if one did: ready, reloading, stopping.

STANDARDS
    sd_notify(3): datagrams to the socket that NOTIFY_SOCKET names
"""

import os
import socket
import time


def notify(state: str) -> None:
    """Tell it, e.g. `READY=1`.  Nothing happens where there is none."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    if path.startswith("@"):
        path = "\0" + path[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.connect(path)
            sock.send(state.encode())
        except OSError:
            return


def notify_reloading() -> None:
    """A reload has begun; `READY=1` ends it."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
