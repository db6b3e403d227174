"""TLS for code that reads and writes a descriptor: a process between the two that turns one into the other.

DESCRIPTION
    `behind(tls)` gives a socket on which what the peer says is read in the clear.  The process ends when either
    side does.
"""

import os
import select
import signal
import socket
import ssl
from contextlib import suppress
from typing import Final

from pillarbox.net.forks import fork

_AT_ONCE: Final = 1 << 16
_MOST: Final = 1 << 18
"""Octets in memory, of each direction."""
_GOODBYE_SECONDS: Final = 1.0


def behind(tls: ssl.SSLSocket) -> socket.socket:
    """The plain side; `tls`, whose handshake is done, belongs to the process between from now on."""
    ours, theirs = socket.socketpair()

    def work() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        ours.close()
        try:
            _Relay(tls, theirs).run()
        except OSError:
            return  # a side is gone

    between = os.fork()
    if not between:  # the process is its child, for which nobody has to wait
        try:
            fork(work, outlives=True)
        finally:
            os._exit(0)
    os.waitpid(between, 0)
    theirs.close()
    os.close(tls.detach())
    return ours


class _Relay:
    """Octets on their way, some of each direction in memory: neither waits for the other."""

    def __init__(self, tls: ssl.SSLSocket, plain: socket.socket) -> None:
        tls.setblocking(False)
        plain.setblocking(False)
        self._tls, self._plain = tls, plain
        self._to_tls, self._to_plain = bytearray(), bytearray()
        self._has_peer = self._has_plain = True

    def run(self) -> None:
        """Until the plain side has no more to say; what it says when the other has gone goes nowhere."""
        while self._has_plain or (self._to_tls and self._has_peer):
            reading = [self._plain] if self._has_plain and len(self._to_tls) < _MOST else []
            writing: list[socket.socket] = [self._plain] if self._to_plain else []
            if self._has_peer:
                reading += [self._tls] if len(self._to_plain) < _MOST else []
                writing += [self._tls] if self._to_tls else []
            select.select(reading, writing, ())
            self._step()
        self._tls.settimeout(_GOODBYE_SECONDS)
        self._tls.unwrap()

    def _step(self) -> None:
        """As much as goes without waiting.  OSError."""
        if self._has_plain and len(self._to_tls) < _MOST:
            with suppress(BlockingIOError):
                octets = self._plain.recv(_AT_ONCE)
                self._has_plain = bool(octets)
                self._to_tls += octets
        if self._has_peer:
            self._step_of_tls()
        if self._to_plain:
            with suppress(BlockingIOError):
                del self._to_plain[: self._plain.send(self._to_plain)]
        if not self._has_peer and not self._to_plain:
            self._plain.shutdown(socket.SHUT_WR)
            self._to_tls.clear()

    def _step_of_tls(self) -> None:
        try:
            if self._to_tls:
                with suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    del self._to_tls[: self._tls.send(self._to_tls)]
            while len(self._to_plain) < _MOST:
                octets = self._tls.recv(_AT_ONCE)
                if not octets:
                    self._has_peer = False
                    break
                self._to_plain += octets
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:  # it has gone without a goodbye
            self._has_peer = False
