"""What the connections of a listener send in one turn of the loop, written together when the turn is over.

DESCRIPTION
    A write wakes the peer at once.  If that is a process of this machine, the kernel may have it run in our place,
    before the next session gets its turn: twenty sessions, twenty changes of processes.  Written together, the peer
    wakes once and finds all that there is.

    Only what is short waits, and only if somebody else may be served meanwhile: a connection that is alone writes
    at once.  Whoever has something waiting keeps its order by `Connection.send_waiting()`.
"""

import asyncio
from collections.abc import Sized
from typing import Final, Protocol

LONGEST: Final = 1024
"""Octets that wait for the end of the turn; more are worth a write of their own."""


class Sender(Protocol):
    """A connection that has something to send."""

    def send_waiting(self) -> None:
        """Write what waits."""
        ...


class Outbox:
    """Of one listener.  Belongs to one event loop."""

    __slots__ = ("_loop", "_senders", "_sessions")

    def __init__(self, sessions: Sized) -> None:
        """`sessions` are all that the listener serves."""
        self._loop = asyncio.get_running_loop()
        self._sessions = sessions
        self._senders: list[Sender] = []

    def takes(self, sender: Sender) -> bool:
        """Whether there is anybody to wait for; then `send_waiting()` is called when the turn is over."""
        if len(self._sessions) < 2:
            return False
        senders = self._senders
        if not senders:
            self._loop.call_soon(self._flush)
        senders.append(sender)
        return True

    def _flush(self) -> None:
        senders, self._senders = self._senders, []
        for sender in senders:
            sender.send_waiting()
