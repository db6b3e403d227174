"""POP3's rows: INBOX listed and read."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

from bench.imap_client import Pop3Client
from bench.imap_mailboxes import fill_partly, make_maildir
from bench.systems import PASSWORD, RECEIVER, System


class Server(Protocol):
    """One of the two, running."""

    system: System
    pop3_port: int
    tls: bool
    filled: Path

    def connect_pop3(self) -> Pop3Client:
        """A client that is logged in."""
        ...


Work = Callable[[Server], float]


def pop3_works(count: int) -> Iterator[tuple[str, Work]]:
    """(name, work that gives milliseconds) for an INBOX of `count` messages."""
    yield f"POP3: login, STAT and QUIT of {count:,}, 20 times", _looks
    yield f"POP3: UIDL of {count:,}", partial(_commands, texts=("UIDL",))
    yield f"POP3: LIST of {count:,}", partial(_commands, texts=("LIST",))
    yield (
        f"POP3: RETR and DELE all of {min(count, 2000):,}, and QUIT",
        partial(_fetch_all, count=min(count, 2000)),
    )
    yield "POP3: RETR 500 one by one", partial(_commands, texts=tuple(f"RETR {n}" for n in range(1, 501)))
    yield "POP3: TOP 500 one by one", partial(_commands, texts=tuple(f"TOP {n} 0" for n in range(1, 501)))


def _looks(server: Server) -> float:
    """What a client does every few minutes, logging in included."""
    start = time.perf_counter()
    for _ in range(20):
        client = server.connect_pop3()
        client.command("STAT")
        client.command("QUIT")
        client.close()
    return (time.perf_counter() - start) * 1000


def _commands(server: Server, texts: tuple[str, ...]) -> float:
    """Commands with long answers, after logging in; without QUIT, so that nothing is marked as read."""
    client = server.connect_pop3()
    try:
        return sum(client.command(text, long=True) for text in texts) * 1000
    finally:
        client.close()


def _fetch_all(server: Server, count: int) -> float:
    """What a client does that leaves nothing on the server, in the INBOX of another user."""
    maildir = server.system.maildir.parent.parent / RECEIVER.partition("@")[0] / "Maildir"
    server.system.set_aside(maildir.parent)
    make_maildir(maildir, parents=True)
    fill_partly(maildir, server.filled, count)
    start = time.perf_counter()
    client = Pop3Client(server.pop3_port, RECEIVER, PASSWORD, tls=server.tls)
    client.command("UIDL", long=True)
    for number in range(1, count + 1):
        client.command(f"RETR {number}", long=True)
        client.command(f"DELE {number}")
    client.command("QUIT")
    client.close()
    return (time.perf_counter() - start) * 1000
