"""LMTP's rows: messages that another MTA hands over, by Postfix's smtp-source, to an INBOX of their own."""

import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

from bench.systems import RECEIVER

MESSAGES = 500
SIZE = 4096


class Server(Protocol):
    """One of the two, running."""

    lmtp_port: int


Work = Callable[[Server], float]


def lmtp_works() -> Iterator[tuple[str, Work]]:
    """(name, work that gives messages a second)."""
    for connections in (1, 4, 20):
        yield f"LMTP to a Maildir, connections: {connections}", partial(_hand_over, connections=connections)


def _hand_over(server: Server, connections: int) -> float:
    """All are durable when they are answered: nothing is waited for afterwards."""
    load = ("-s", str(connections), "-m", str(MESSAGES), "-l", str(SIZE))
    command = ["smtp-source", "-L", "-d", *load, "-f", "bench@example.org", "-t", RECEIVER]
    start = time.perf_counter()
    subprocess.run([*command, f"inet:127.0.0.1:{server.lmtp_port}"], check=True)
    return MESSAGES / (time.perf_counter() - start)
