"""Sessions of many users that select, read, list, flag, search and append as chance has it.

DESCRIPTION
    Each user has `SESSIONS_OF_A_USER` sessions, as a person with a computer, a telephone and a webmail has, in an
    INBOX of their own.  All in one mailbox would measure one lock: Dovecot's sessions take that of dovecot-uidlist
    in turn to list a directory in which another has just renamed a file.

    What was answered when the time was over counts.  What was not is waited for, and does not.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import uvloop

from bench.imap_client import AsyncClient
from bench.imap_mailboxes import fill_partly, make_maildir, message
from bench.systems import MANY_USERS, System

SECONDS: Final = 4.0
SESSIONS_OF_A_USER: Final = 4
MESSAGES: Final = 1000
"""In each INBOX, if there are as many."""
ENVELOPES: Final = "UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE"
SHARES: Final = {"new": 5, "list": 3, "read": 8, "flag": 3, "search": 1, "append": 1}
"""How often each operation is done, of 21."""
RANGE: Final = 200
"""Messages that a search looks at."""


class Server(Protocol):
    """One of the two, running."""

    system: System
    messages: int
    filled: Path

    async def connect_async(self, user: str) -> AsyncClient:
        """One of many."""
        ...


def mixed_load_works() -> Iterator[tuple[str, Callable[[Server], float]]]:
    """(name, work that gives operations a second)."""
    for sessions in (20, 200):
        name = f"mixed load, {sessions} sessions of {sessions // SESSIONS_OF_A_USER} users"
        yield name, partial(_operations_per_second, sessions=sessions)


def _operations_per_second(server: Server, sessions: int) -> float:
    users = MANY_USERS[: sessions // SESSIONS_OF_A_USER]
    messages = min(server.messages, MESSAGES)
    for user in users:
        maildir = server.system.maildir_of(user)
        if not maildir.exists():
            fill_partly(make_maildir(maildir, parents=True), server.filled, messages)
            make_maildir(maildir / ".Mixed")
    return uvloop.run(_at_work(server, users, messages))


async def _at_work(server: Server, users: Sequence[str], messages: int) -> float:
    clients = [await server.connect_async(user) for user in users for _ in range(SESSIONS_OF_A_USER)]
    for client in clients:
        await client.command("SELECT INBOX")
    end = time.monotonic() + SECONDS
    async with asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(_session(client, random.Random(number), end, messages))
            for number, client in enumerate(clients)
        ]
    for client in clients:
        client.close()
    return sum(task.result() for task in running) / SECONDS


async def _session(client: AsyncClient, chance: random.Random, end: float, messages: int) -> int:
    """How many operations were answered before the end."""
    text = message(1, chance).replace(b"\n", b"\r\n")
    done = 0
    while True:
        at = chance.randrange(1, max(2, messages - RANGE))
        match chance.choices(list(SHARES), list(SHARES.values()))[0]:
            case "new":
                await client.command("NOOP")
            case "list":
                await client.command(f"FETCH {at}:{at + 50} ({ENVELOPES})")
            case "read":
                await client.command(f"FETCH {at} (BODY.PEEK[])")
            case "flag":
                await client.command(f"STORE {at} {chance.choice('+-')}FLAGS.SILENT (\\Seen)")
            case "search":
                await client.command(f"SEARCH {at}:{at + RANGE} UNSEEN SUBJECT tempor")
            case _:
                await client.command(f"APPEND Mixed {{{len(text)}}}", text)
        if time.monotonic() > end:
            return done
        done += 1
