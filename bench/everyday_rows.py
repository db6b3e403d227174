"""Rows of what clients do every day, one session at work: searches of several kinds, synchronisation with gaps, news for many.

DESCRIPTION
    Searches find some of the messages of `bench/imap_mailboxes.py`; whatever a command names is there in both systems.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

import uvloop

from bench.imap_client import AsyncClient, Client
from bench.imap_mailboxes import deliver, fill_alike

WATCHERS = 100
"""Sessions that IDLE in one mailbox."""


class Server(Protocol):
    """One of the two, running."""

    filled: Path

    def connect(self) -> Client:
        """A client that is logged in."""
        ...

    async def connect_async(self) -> AsyncClient:
        """One of many."""
        ...

    def new_maildir(self, kind: str) -> tuple[str, Path]:
        """A mailbox that the server has not seen yet."""
        ...


Work = Callable[[Server], float]


def everyday_works(count: int) -> Iterator[tuple[str, Work]]:
    """(name, work that gives milliseconds) for mailboxes of `count` messages."""
    of = f"of {count:,}"
    for name, text in (
        ("SINCE BEFORE", "SEARCH SINCE 14-Nov-2023 BEFORE 15-Nov-2023"),
        ("SENTSINCE", "SEARCH SENTSINCE 15-Nov-2023"),
        ("LARGER", "SEARCH LARGER 4000"),
        ("FROM", "SEARCH FROM sender42@"),
        ("HEADER Message-ID", f"SEARCH HEADER Message-ID <{count // 2}.bench@example.org>"),
        ("HEADER of another field", "SEARCH HEADER Received mx3.example.org"),
        ("OR NOT", "SEARCH OR (NOT SEEN FROM sender7@) (FLAGGED SUBJECT tempor)"),
        ("UID range UNSEEN", f"UID SEARCH UID {count // 4}:{count // 2} UNSEEN UNFLAGGED"),
    ):
        yield f"SEARCH {name} {of}", partial(_commands, texts=(text,))
    gaps = ",".join(f"{n}:{n + 5}" for n in range(1, count, 10))
    if len(gaps) < 60_000:
        yield (
            f"UID FETCH FLAGS of 6 in 10 of {count:,}",
            partial(_commands, texts=(f"UID FETCH {gaps} (FLAGS)",)),
        )
    evens = ",".join(str(n) for n in range(2, min(count, 4000), 2))
    yield (
        "UID FETCH ENVELOPE of every other of 4,000",
        partial(_commands, texts=(f"UID FETCH {evens} (FLAGS ENVELOPE)",)),
    )
    yield (
        "STATUS with HIGHESTMODSEQ, 100 times",
        partial(_commands, texts=("STATUS INBOX (MESSAGES UIDNEXT HIGHESTMODSEQ)",) * 100, selects=False),
    )
    yield (
        f"UID FETCH CHANGEDSINCE {of}, 20 times",
        partial(_commands, texts=(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {1 << 60})",) * 20),
    )
    yield f"UID STORE and EXPUNGE all {of}", _empty
    yield f"a message for {WATCHERS} clients that IDLE in one mailbox", _news


def _commands(server: Server, texts: tuple[str, ...], *, selects: bool = True) -> float:
    client = server.connect()
    try:
        if selects:
            client.command("SELECT INBOX")
        return sum(client.command(text)[0] for text in texts) * 1000
    finally:
        client.close()


def _empty(server: Server) -> float:
    """A folder is emptied, as with Trash or Junk: all are marked and expunged."""
    name, maildir = server.new_maildir("Trash")
    fill_alike(maildir, server.filled)
    client = server.connect()
    client.command(f"SELECT {name}")
    elapsed = (
        client.command("UID STORE 1:* +FLAGS.SILENT (\\Deleted \\Seen)")[0] + client.command("EXPUNGE")[0]
    )
    client.close()
    return elapsed * 1000


def _news(server: Server) -> float:
    """From the delivery until the last of many clients has been told."""

    async def work() -> float:
        name, maildir = server.new_maildir("News")
        clients = [await server.connect_async() for _ in range(WATCHERS)]
        for client in clients:
            await client.command(f"SELECT {name}")
            await client.idle()
        times = []
        for number in range(1, 8):
            await asyncio.sleep(0.5)
            deliver(maildir, number)
            start = time.perf_counter()
            await asyncio.gather(*(client.wait_for(b"* %d EXISTS\r\n" % number) for client in clients))
            times.append(time.perf_counter() - start)
        for client in clients:
            client.close()
        return sorted(times)[3] * 1000

    return uvloop.run(work())
