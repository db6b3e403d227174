"""Taking clients from a listening socket, without turning in circles where there is no room for them.

DESCRIPTION
    A client for whom there is no descriptor or no memory stays in the queue of the socket, which stays readable: a
    loop that waits for it would turn at once, and again.  `Acceptor.accept()` waits a moment then.  Whatever else
    the loop serves waits for that moment, too, and is served in between; that is how descriptors become free.

    On asyncio's loop it is `next_client()`, for which nothing else waits, and `serve_clients()`, which answers so
    many at once: who comes after them stays in the queue of the socket, as with Postfix's own daemons, so that
    nobody takes all descriptors of a process by connecting.

FAULTS
    A shortage of `accept()` is told once, when it begins, and again only if a client was taken in between.

STANDARDS
    accept(2); Dovecot: `accept() failed: Too many open files`
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Final

from pillarbox.observability.mistakes import mistakes

_PAUSE: Final = 0.1
"""Seconds."""


class Acceptor:
    """A listening socket of a loop that is made of select(2) or poll(2)."""

    def __init__(self, listener: socket.socket, *, tell: Callable[[str], None]) -> None:
        """`tell` hears of a shortage, in the words of accept(2)."""
        self._listener = listener
        self._tell = tell
        self._is_short = False
        listener.setblocking(False)

    def accept(self) -> socket.socket | None:
        """A client; None, if another process has taken it, it has gone, or, after a moment, there is no room."""
        try:
            client, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return None
        except OSError as error:
            if not self._is_short:
                self._is_short = True
                self._tell(f"accept() failed: {os.strerror(error.errno or 0)}")
            time.sleep(_PAUSE)
            return None
        self._is_short = False
        return client


class AwaitedAcceptor:
    """A listening socket of asyncio's loop."""

    def __init__(self, listener: socket.socket, *, tell: Callable[[str], None]) -> None:
        """`tell` hears of a shortage, in the words of accept(2)."""
        self._listener = listener
        self._tell = tell
        self._is_short = False
        listener.setblocking(False)

    async def next_client(self) -> socket.socket:
        """Wait for one."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(self._listener)
            except ConnectionAbortedError:
                continue
            except OSError as error:
                if not self._is_short:
                    self._is_short = True
                    self._tell(f"accept() failed: {os.strerror(error.errno or 0)}")
                await asyncio.sleep(_PAUSE)
                continue
            self._is_short = False
            return client


async def serve_clients(
    listener: socket.socket,
    answer: Callable[[socket.socket], Awaitable[None]],
    *,
    at_once: int,
    tell: Callable[[str], None],
) -> None:
    """Until cancelled, answer each client in a task, and close its socket; so many `at_once` at the most.

    A client that has gone, or says nothing in time (ConnectionError, TimeoutError of `answer`), is nobody's fault.
    What else goes wrong over one client is told, and the others are served on.
    """
    acceptor, room = AwaitedAcceptor(listener, tell=tell), asyncio.Semaphore(at_once)

    async def serve(client: socket.socket) -> None:
        with client:
            try:
                await answer(client)
            except (ConnectionError, TimeoutError):
                return
            except OSError as error:
                tell(str(error))
            except Exception as error:  # the process would end by it
                for mistake in mistakes(error):
                    tell(f"panic: {mistake}")
            finally:
                room.release()

    async with asyncio.TaskGroup() as tasks:
        while True:
            await room.acquire()
            tasks.create_task(serve(await acceptor.next_client()))
