"""An IMAP session in this process, and a client that talks to it."""

import asyncio

from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.observability.events import Event
from pillarbox.sessions.ended import Ended
from pillarbox.sessions.imap.options import DEFAULTS, ImapOptions
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock


def new_account() -> MemoryAccount:
    return MemoryAccount(clock=ManualClock(), special_use={"Sent": b"\\Sent", "Trash": b"\\Trash"})


def ignore(event: Event) -> None:
    """No event is expected here; a sink that does not mind."""


async def play(
    chunks: list[bytes], account: MemoryAccount | None = None, options: ImapOptions = DEFAULTS
) -> tuple[bytes, Ended]:
    """A whole session; what the server said behind its greeting."""
    transport = ScriptedTransport(chunks)
    session = ImapSession(
        transport,
        account or new_account(),
        clock=ManualClock(),
        sink=ignore,
        login_tag=b"L",
        options=options,
    )
    ended = await session.run()
    assert transport.closed
    greeting, _, said = bytes(transport.sent).partition(b"\r\n")
    assert greeting.startswith(b"L OK [CAPABILITY IMAP4rev1 ")
    assert greeting.endswith(b"] Logged in")
    return said, ended


LIMITED = ImapOptions(message_size_limit=1000)


class Talk:
    """A running session, and a client that says things when it likes."""

    def __init__(self, account: MemoryAccount, options: ImapOptions = LIMITED) -> None:
        self.client = ScriptedTransport(ends=False)
        self.session = ImapSession(
            self.client, account, clock=ManualClock(), sink=ignore, login_tag=b"L", options=options
        )
        self.task: asyncio.Task[Ended] | None = None

    async def begin(self, tasks: asyncio.TaskGroup, *first: bytes) -> None:
        """Log in, and say a few things whose answers do not matter."""
        self.task = tasks.create_task(self.session.run())
        await self.client.rest()
        for line in first:
            await self.say(line)

    async def say(self, line: bytes) -> list[bytes]:
        """Say a line; the lines of the answer, without times."""
        return lines_of(await self.client.ask(line + b"\r\n"))

    async def hear(self) -> list[bytes]:
        """What the server says unasked."""
        return lines_of(await self.client.rest())


def lines_of(sent: bytes) -> list[bytes]:
    return sent.replace(b" (0.001 + 0.000 secs).", b"").split(b"\r\n")[:-1]
