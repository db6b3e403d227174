"""POP3's rows: INBOX listed and read."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

from bench.imap_client import Pop3Client


class Server(Protocol):
    """One of the two, running."""

    def connect_pop3(self) -> Pop3Client:
        """A client that is logged in."""
        ...


Work = Callable[[Server], float]


def pop3_works(count: int) -> Iterator[tuple[str, Work]]:
    """(name, work that gives milliseconds) for an INBOX of `count` messages."""
    yield f"POP3: login, STAT and QUIT of {count:,}, 20 times", _looks
    yield f"POP3: UIDL of {count:,}", partial(_commands, texts=("UIDL",))
    yield f"POP3: LIST of {count:,}", partial(_commands, texts=("LIST",))
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
