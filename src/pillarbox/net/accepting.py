"""Taking clients from a listening socket, without turning in circles where there is no room for them.

DESCRIPTION
    A client for whom there is no descriptor or no memory stays in the queue of the socket, which stays readable: a
    loop that waits for it would turn at once, and again.  `Acceptor.accept()` waits a moment then.  Whatever else
    the loop serves waits for that moment, too, and is served in between; that is how descriptors become free.

FAULTS
    A shortage is told once, when it begins, and again only if a client was taken in between.

STANDARDS
    accept(2); Dovecot: `accept() failed: Too many open files`
"""

import os
import socket
import time
from collections.abc import Callable
from typing import Final

_PAUSE: Final = 0.1
"""Seconds."""


class Acceptor:
    """A listening socket of a loop that is made of select(2) or poll(2)."""

    def __init__(self, listener: socket.socket, *, tell: Callable[[str], None]) -> None:
        """`tell` hears of a shortage, in the words of accept(2)."""
        self._listener = listener
        self._tell = tell
        self._is_short = False
        listener.setblocking(False)

    def accept(self) -> socket.socket | None:
        """A client; None, if another process has taken it, it has gone, or, after a moment, there is no room."""
        try:
            client, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return None
        except OSError as error:
            if not self._is_short:
                self._is_short = True
                self._tell(f"accept() failed: {os.strerror(error.errno or 0)}")
            time.sleep(_PAUSE)
            return None
        self._is_short = False
        return client
