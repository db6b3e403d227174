"""Waiting for an IMAP client, and what cuts the wait short.

DESCRIPTION
    There is one task per session, nothing is polled, and an idle session owns one timer (sessions/client_wait.py).
    A change of a mailbox ends a wait that heeds changes; so does whoever asks to park the session, and the end of
    the server.
"""

from collections.abc import Callable
from enum import Enum, auto

from pillarbox.sessions.client_wait import ClientWait
from pillarbox.sessions.transport import Transport
from pillarbox.vocabulary.clock import Clock


class Woken(Enum):
    """Why a wait for the client ended without anything from it."""

    TIME_UP = auto()
    CHANGE = auto()
    CALLED = auto()  # something of ours may have ended
    SHUTDOWN = auto()
    PARK = auto()


class Waiting:
    """The waits of one session, and since when there has been nothing else.  Moments are clock.monotonic()'s."""

    __slots__ = (
        "_changed",
        "_clock",
        "_heeding",
        "_parking",
        "client",
        "is_waiting",
        "rests_since",
        "silent_since",
        "waits_since",
    )

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self.client = ClientWait(transport)
        self._clock = clock
        self._changed = False  # a mailbox may have changed since we last looked
        self._heeding = False  # whether we wait for that, too
        self._parking: Callable[[bool], bool] | None = None  # told whether we rest; whether to park
        self.is_waiting = False  # for the client
        self.waits_since = self.rests_since = self.silent_since = clock.monotonic()
        """Since when we wait; since when nobody has said anything, keep-alives apart; since when not the client."""

    async def receive(self, *, limit: float, heed_changes: bool = False) -> "bytes | Woken":
        """Bytes from the client, b"" at their end, or why there are none after all.  `limit`: seconds."""
        now = self.waits_since = self._clock.monotonic()
        while not (heed_changes and self._changed):
            if self._parking is not None and self._may_park(rests=True):
                return Woken.PARK
            self._heeding, self.is_waiting = heed_changes, True
            try:
                data = await self.client.receive(limit=max(0.0, self.waits_since + limit - now))
            finally:
                self._heeding = self.is_waiting = False
            if data is not None:
                self.rests_since = self.silent_since = self._clock.monotonic()
                if self._parking is not None:
                    self._may_park(rests=False)
                return data
            if self.client.shutting_down or self._parking is None:
                break
            now = self._clock.monotonic()
        if self.client.shutting_down:
            return Woken.SHUTDOWN
        if heed_changes and self._changed:
            self.rests_since = self._clock.monotonic()
            self._may_park(rests=False)
            return Woken.CHANGE
        return Woken.CALLED if self.client.woken else Woken.TIME_UP

    def _may_park(self, *, rests: bool) -> bool:
        """Answer whoever asked; whether to park."""
        asked, self._parking = self._parking, None
        return asked is not None and asked(rests)

    def ask_to_park(self, decide: Callable[[bool], bool]) -> None:
        """Cut the wait short.  `decide` is told whether the client rests still, and says whether to park."""
        self._parking = decide
        self.client.wake()

    def stop_parking(self) -> None:
        """The session ends: whoever asked is told."""
        self._may_park(rests=False)

    def mailbox_changed(self) -> None:
        """The watch of the selected mailbox, or of others: something may be new."""
        self._changed = True
        if self._heeding:
            self.client.wake()

    def take_change(self) -> bool:
        """Whether something may be new since this was asked last."""
        changed, self._changed = self._changed, False
        return changed
