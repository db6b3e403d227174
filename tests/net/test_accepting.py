"""Clients of a listening socket: taken, gone, or waiting for a descriptor."""

import asyncio
import errno
import os
import resource
import selectors
import socket
import time
from collections.abc import Callable, Iterator

import pytest
import uvloop

from pillarbox.net.accepting import Acceptor, AwaitedAcceptor, serve_clients

LOOPS = (asyncio.new_event_loop, uvloop.new_event_loop)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def test_nobody_waits(listener: socket.socket) -> None:
    """Another process has taken the client: that is no fault."""
    told: list[str] = []
    assert Acceptor(listener, tell=told.append).accept() is None
    assert not told


def test_without_descriptors_the_loop_does_not_spin(listener: socket.socket) -> None:
    """The client waits, the admin hears of it once, and the processor has nothing to do meanwhile."""
    told: list[str] = []
    acceptor = Acceptor(listener, tell=told.append)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.create_connection(listener.getsockname()) as client, selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        lowest_free = os.dup(0)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
        try:
            end, turns = time.monotonic() + 0.5, 0
            while time.monotonic() < end:
                assert selector.select(5)
                assert acceptor.accept() is None
                turns += 1
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert turns <= 5, "each turn takes a tenth of a second at least"
        assert told == ["accept() failed: Too many open files"]
        taken = acceptor.accept()
        assert taken is not None
        with taken:
            assert taken.getpeername() == client.getsockname()


def test_a_second_shortage_is_told_again(listener: socket.socket) -> None:
    """What a listener could do again in between is over."""
    told: list[str] = []
    acceptor = Acceptor(listener, tell=told.append)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    for _ in range(2):
        with socket.create_connection(listener.getsockname()):
            lowest_free = os.dup(0)
            os.close(lowest_free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
            try:
                assert acceptor.accept() is None
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            taken = acceptor.accept()
            assert taken is not None
            taken.close()
    assert told == ["accept() failed: Too many open files"] * 2


async def _read_all(address: tuple[str, int]) -> bytes:
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, address)
        return await loop.sock_recv(client, 10)


@pytest.mark.parametrize("new_loop", LOOPS, ids=("asyncio", "uvloop"))
def test_clients_of_a_loop(
    listener: socket.socket, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """So many at once; who breaks off, takes too long or is our mistake makes room for the next."""
    full = OSError(errno.ENOSPC, "No space left on device")
    ends: list[Exception | None] = [
        ConnectionResetError(),
        TimeoutError(),
        full,
        KeyError(3),
        None,
        None,
        None,
    ]
    told: list[str] = []
    most = now = 0

    async def answer(client: socket.socket) -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        if (end := ends.pop(0)) is not None:
            raise end
        await asyncio.get_running_loop().sock_sendall(client, b"hello")

    async def play() -> list[bytes]:
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(serve_clients(listener, answer, at_once=2, tell=told.append))
            answers = await asyncio.gather(*(_read_all(listener.getsockname()) for _ in range(7)))
            serving.cancel()
        return answers

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert sorted(runner.run(play())) == [b""] * 4 + [b"hello"] * 3
    assert most == 2
    assert told[0] == f"[Errno {errno.ENOSPC}] No space left on device"
    assert told[1].startswith(f"panic: KeyError: 3 at {__file__}:")
    assert len(told) == 2


@pytest.mark.parametrize("new_loop", LOOPS, ids=("asyncio", "uvloop"))
def test_a_loop_without_descriptors(
    listener: socket.socket, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """The client waits, and is taken when there is room; the service does not end."""
    told: list[str] = []
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def play() -> tuple[object, object]:
        with socket.create_connection(listener.getsockname()) as client:
            short = asyncio.Event()

            def tell(text: str) -> None:
                told.append(text)
                short.set()

            acceptor = AwaitedAcceptor(listener, tell=tell)
            lowest_free = os.dup(0)
            os.close(lowest_free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
            async with asyncio.TaskGroup() as tasks:
                waiting = tasks.create_task(acceptor.next_client())
                try:
                    await short.wait()
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            with waiting.result() as taken:
                return taken.getpeername(), client.getsockname()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        theirs, ours = runner.run(play())
    assert theirs == ours
    assert told == ["accept() failed: Too many open files"]
