"""Indexers for a worker that has no spawner."""

import socket
from threading import Thread

from pillarbox.daemons.indexer import serve_indexing
from pillarbox.mailstore.cache.indexers import Indexers


class Spawner:
    """Gives indexers as the spawner does, each a thread instead of a process; or a socket nobody reads from."""

    def __init__(self, *, alive: bool = True, most: int = 2) -> None:
        self.given = 0
        self.threads: list[Thread] = []
        self.ends: list[socket.socket] = []
        self.alive = alive
        self.most = most
        self.indexers: Indexers

    def give(self) -> None:
        """What IndexerWanted makes the spawner do."""
        self.given += 1
        ours, theirs = socket.socketpair()
        if self.alive:
            self.threads.append(Thread(target=serve_indexing, args=(theirs,)))
            self.threads[-1].start()
        else:
            theirs.shutdown(socket.SHUT_RDWR)
            self.ends.append(theirs)
        self.indexers.add(ours)
