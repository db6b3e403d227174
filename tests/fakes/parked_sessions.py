"""An IMAP session that is parked and gone on with elsewhere whenever it rests."""

import asyncio

import msgspec

from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.mailbox import Account
from pillarbox.observability.events import Event
from pillarbox.sessions.ended import Ended
from pillarbox.sessions.imap.options import DEFAULTS, ImapOptions
from pillarbox.sessions.imap.parking import ParkedSession
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock


def ignore(event: Event) -> None:
    """Nothing is expected to be told."""


class ParkedClient:
    """A client whose session moves from process to process."""

    def __init__(self, account: Account, options: ImapOptions = DEFAULTS) -> None:
        self.client = ScriptedTransport(ends=False)
        self.moves = 0
        """How often the session was parked."""
        self.clock = ManualClock()
        self.account = account
        self._options = options
        self._session = self._new_session()
        self._task: asyncio.Task[Ended] | None = None

    def _new_session(self, parked: ParkedSession | None = None) -> ImapSession:
        return ImapSession(
            self.client,
            self.account,
            clock=self.clock,
            sink=ignore,
            login_tag=b"L",
            options=self._options,
            parked=parked,
        )

    async def begin(self) -> bytes:
        """Log in; the greeting."""
        self._task = asyncio.get_running_loop().create_task(self._session.run())
        return await self.client.rest()

    async def ask(self, data: bytes) -> bytes:
        """Say something and hear the answer."""
        return await self.client.ask(data)

    async def park(self) -> bool:
        """End the session if that can be, leaving its client alone; whether that was so."""
        assert self._task is not None
        if self._task.done() or not await self._session.park():
            return False
        await self._task
        assert self.client.take_sent() == b"", "a client that is parked hears nothing of it"
        assert not self.client.closed
        return True

    async def go_on(self) -> bytes:
        """In another process; what the client is told unasked."""
        assert self._session.parked is not None
        written = msgspec.msgpack.encode(self._session.parked)
        self._session = self._new_session(msgspec.msgpack.decode(written, type=ParkedSession))
        self._task = asyncio.get_running_loop().create_task(self._session.run())
        self.moves += 1
        self.client.note_work()
        return await self.client.rest()

    async def end(self) -> Ended:
        """The client goes."""
        assert self._task is not None
        self.client.end()
        return await self._task
