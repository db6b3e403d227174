"""Listeners: who is served, and who comes too late."""

import asyncio
import socket

from pillarbox.net.connection import Connection
from pillarbox.net.listeners import Listener
from pillarbox.observability.events import Event


class _Served:
    """Sessions that go on until they are cancelled."""

    def __init__(self) -> None:
        self.begun = 0

    async def __call__(self, connection: Connection) -> None:
        self.begun += 1
        try:
            while await connection.receive():
                connection.send(b"again\n")
        finally:
            connection.close()


def test_connection_that_is_told_after_the_end() -> None:
    """A connection that the loop had accepted when the sessions were cancelled is no session any more."""

    async def scene() -> tuple[int, bytes]:
        served, told = _Served(), list[Event]()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(45), asyncio.TaskGroup() as tasks:
            listener = Listener(served, tasks=tasks, tell=told.append)
            ours, theirs = socket.socketpair()
            with theirs:
                theirs.setblocking(False)
                listener.stop()
                listener.cancel()
                await loop.connect_accepted_socket(lambda: Connection(connected=listener.adopt), ours)
                return served.begun, await loop.sock_recv(theirs, 1)

    assert asyncio.run(scene()) == (0, b"")


def test_sessions_end_with_their_listener() -> None:
    """Those that are served are cancelled, in the middle of what they wait for."""

    async def scene() -> int:
        served = _Served()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(45), asyncio.TaskGroup() as tasks:
            listener = Listener(served, tasks=tasks, tell=lambda event: None)
            ours, theirs = socket.socketpair()
            with theirs:
                theirs.setblocking(False)
                await loop.connect_accepted_socket(lambda: Connection(connected=listener.adopt), ours)
                await loop.sock_sendall(theirs, b"hello\n")
                assert await loop.sock_recv(theirs, 100) == b"again\n"
                listener.stop()
                listener.cancel()
                await listener.finished()
                assert await loop.sock_recv(theirs, 1) == b""
        return served.begun

    assert asyncio.run(scene()) == 1


def test_who_is_served_beside_others_waits_for_the_end_of_the_turn() -> None:
    """The first is alone and writes at once; what is said to the second goes out with what is said to others."""

    async def scene() -> list[bool]:
        quiet: list[bool] = []

        async def serve(connection: Connection) -> None:
            connection.send(b"hello\n")
            quiet.append(connection.is_quiet)
            try:
                await connection.receive()
            finally:
                connection.abort()

        loop = asyncio.get_running_loop()
        async with asyncio.timeout(45), asyncio.TaskGroup() as tasks:
            listener = Listener(serve, tasks=tasks, tell=lambda event: None)
            with socket.create_server(("127.0.0.1", 0)) as sock:
                await listener.start(sock)
                for _ in range(2):
                    client = socket.socket()
                    client.setblocking(False)
                    await loop.sock_connect(client, sock.getsockname())
                    assert await loop.sock_recv(client, 100) == b"hello\n"
                    clients.append(client)
                listener.stop()
                for client in clients:
                    client.close()
                await listener.finished()
        return quiet

    clients: list[socket.socket] = []
    assert asyncio.run(scene()) == [True, False]
