"""The spawner's door for doveadm who and kick: tells which sessions are open, and has some ended.

DESCRIPTION
    A request is answered with the sessions that are open when it comes; one that ends sessions, likewise.
    The next generation of spawners takes the usual door; then ours, for as long as we have sessions, is another
    (net/sessions_doors.py).

FAULTS
    A client that sends what is no request is hung up on.
"""

import os
import selectors
import socket
from collections.abc import Callable, Mapping

import msgspec

from pillarbox.daemons.spawner_peers import hear, write_now
from pillarbox.net import sessions_doors
from pillarbox.net.accepting import Acceptor
from pillarbox.net.channel import FrameReader
from pillarbox.net.handover import FromAdmin, KickOut, OpenSession, OpenSessions


class SessionsDoor:
    """A listening socket and who has come by it, on the spawner's selector."""

    def __init__(
        self,
        listener: socket.socket,
        selector: selectors.BaseSelector,
        sessions: Mapping[str, OpenSession],
        *,
        base_dir: str,
        kick: Callable[[list[str]], None],
        tell: Callable[[str], None],
    ) -> None:
        """`sessions` are those that are open at any time; `kick` begins to end some of them.

        `tell` hears what an admin should know.
        """
        self._listener = listener
        self._selector = selector
        self._sessions = sessions
        self._base_dir = base_dir
        self._kick = kick
        self._tell = tell
        self._admins: dict[int, socket.socket] = {}  # by descriptor
        self._is_own = False

    @property
    def sockets(self) -> list[socket.socket]:
        """What a forked process has to close."""
        return [self._listener, *self._admins.values()]

    def open(self) -> None:
        """From now on, requests are taken."""
        acceptor = Acceptor(self._listener, tell=self._tell)
        self._selector.register(self._listener, selectors.EVENT_READ, lambda: self._accept(acceptor))

    def move(self) -> None:
        """The next generation has the usual door.  OSError, if there is no other: then nobody asks us any more."""
        self._selector.unregister(self._listener)
        self._listener.close()
        self._listener = sessions_doors.open_own(self._base_dir)
        self._is_own = True
        self.open()

    def close(self) -> None:
        """The spawner ends."""
        if self._is_own:
            sessions_doors.close_own(self._base_dir)

    def _accept(self, acceptor: Acceptor) -> None:
        sock = acceptor.accept()
        if sock is None:
            return
        sock.setblocking(False)
        reader: FrameReader[FromAdmin] = FrameReader(msgspec.msgpack.Decoder(FromAdmin))
        self._admins[sock.fileno()] = sock
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._hear(sock, reader))

    def _hear(self, sock: socket.socket, reader: FrameReader[FromAdmin]) -> None:
        requests, is_over = hear(sock, reader)
        for request, descriptors in requests:
            for descriptor in descriptors:
                os.close(descriptor)
            if isinstance(request, KickOut):
                self._kick(request.sessions)
            write_now(sock, OpenSessions(list(self._sessions.values())))
        if is_over:
            self._selector.unregister(sock)
            self._admins.pop(sock.fileno(), None)
            sock.close()
