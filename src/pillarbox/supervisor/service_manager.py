"""Words to the service manager that started us, if one did: ready, reloading, stopping.

STANDARDS
    sd_notify(3): datagrams to the socket that NOTIFY_SOCKET names
"""

import os
import socket
import time


class ServiceManager:
    """The other end of NOTIFY_SOCKET, or nobody.  The variable is taken: roles have nothing to tell it."""

    def __init__(self) -> None:
        path = os.environ.pop("NOTIFY_SOCKET", "")
        self._path = "\0" + path[1:] if path.startswith("@") else path if path.startswith("/") else ""

    def ready(self) -> None:
        """A start or a reload has come to its end."""
        self._tell(f"READY=1\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        """A reload has begun."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._tell("STOPPING=1")

    def _tell(self, state: str) -> None:
        if not self._path:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            try:
                sock.connect(self._path)
                sock.send(state.encode())
            except OSError:
                return
