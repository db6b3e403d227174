"""Accepting connections: each gets a `Connection` and a task that serves it.

DESCRIPTION
    `Listener` takes a socket that is bound and listening already (the supervisor did that) and runs
    `serve(connection)` for each client in its own task.  A bug in one session ends that session with an event
    and leaves the others alone.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from pillarbox.net.connection import Connection
from pillarbox.net.outbox import Outbox
from pillarbox.observability.events import EventSink, Warned
from pillarbox.observability.mistakes import mistakes

ServeConnection = Callable[[Connection], Awaitable[None]]
_BACKLOG: Final = 1024
"""Clients that the kernel keeps before they are accepted."""


class Listener:
    """One listening socket and the sessions that came from it."""

    def __init__(self, serve: ServeConnection, *, tasks: asyncio.TaskGroup, tell: EventSink) -> None:
        self._serve = serve
        self._tasks = tasks
        self._tell = tell
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()
        self._outbox: Outbox | None = None
        self._cancelled = False

    async def start(self, sock: socket.socket) -> None:
        """Begin to accept."""
        loop = asyncio.get_running_loop()
        self._outbox = Outbox(self._sessions)
        factory = self._new_connection
        if sock.family == socket.AF_UNIX:
            self._server = await loop.create_unix_server(factory, sock=sock, backlog=_BACKLOG)
        else:
            self._server = await loop.create_server(factory, sock=sock, backlog=_BACKLOG)

    def stop(self) -> None:
        """Accept no more; the sessions go on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def cancel(self) -> None:
        """End the sessions, and with them a connection that was accepted a moment ago and is not yet told to us."""
        self._cancelled = True
        for session in list(self._sessions):
            session.cancel()

    async def finished(self) -> None:
        """Wait for the last session."""
        while self._sessions:
            await asyncio.wait(self._sessions)

    def adopt(self, connection: Connection) -> None:
        """Serve a connection."""
        if self._cancelled:
            connection.abort()
            return
        task = self._tasks.create_task(self._guarded(connection))
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)

    def _new_connection(self) -> Connection:
        return Connection(connected=self.adopt, outbox=self._outbox)

    async def _guarded(self, connection: Connection) -> None:
        try:
            await self._serve(connection)
        except Exception as error:  # one session's bug must not end the others
            for mistake in mistakes(error):
                self._tell(Warned(f"panic: {mistake}"))
            connection.abort()
