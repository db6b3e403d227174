"""Clients of a listening socket: taken, gone, or waiting for a descriptor."""

import os
import resource
import selectors
import socket
import time
from collections.abc import Iterator

import pytest

from pillarbox.net.accepting import Acceptor


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
