"""Replies of several sessions that are written together, and of one that has nobody to wait for."""

import asyncio
import contextlib

import pytest

from fakes.connected_peers import Wire, connected, contexts, run
from pillarbox.net.connection import Connection
from pillarbox.net.outbox import LONGEST, Outbox


def _two() -> tuple[tuple[Connection, Wire], tuple[Connection, Wire]]:
    outbox = Outbox(range(2))
    return connected(outbox=outbox), connected(outbox=outbox)


def test_short_replies_go_out_at_the_end_of_the_turn() -> None:
    """Those of one connection in order, and in one write."""

    async def scene() -> None:
        (one, wire), (other, other_wire) = _two()
        one.send(b"250 a\r\n")
        other.send(b"250 b\r\n")
        one.send(b"250 c\r\n")
        assert not wire.written
        assert not other_wire.written
        assert not one.is_quiet
        await asyncio.sleep(0)
        assert wire.take() == b"250 a\r\n250 c\r\n"
        assert other_wire.take() == b"250 b\r\n"
        one.send(b"x" * (LONGEST + 1))
        assert len(wire.take()) == LONGEST + 1
        one.send(b"y")
        one.send(b"x" * LONGEST)
        assert wire.take() == b"y" + b"x" * LONGEST
        await asyncio.sleep(0)
        assert not wire.written

    run(scene)


def test_who_is_alone_writes_at_once() -> None:
    """Nobody else could be served meanwhile; nor does a connection wait that has no listener."""

    async def scene() -> None:
        for connection, wire in (connected(outbox=Outbox(range(1))), connected()):
            connection.send(b"250 a\r\n")
            assert wire.take() == b"250 a\r\n"

    run(scene)


@pytest.mark.parametrize("how", ["close", "abort"])
def test_last_words_are_sent(how: str) -> None:
    """What waits goes out before the end."""

    async def scene() -> None:
        (one, wire), _ = _two()
        one.send(b"221 Bye\r\n")
        getattr(one, how)()
        assert wire.take() == b"221 Bye\r\n"
        assert wire.ended
        await asyncio.sleep(0)
        assert not wire.written

    run(scene)


def test_nothing_is_written_to_who_is_gone() -> None:
    """The connection was lost in the same turn."""

    async def scene() -> None:
        (one, wire), _ = _two()
        one.send(b"250 a\r\n")
        one.connection_lost(None)
        await asyncio.sleep(0)
        assert not wire.written

    run(scene)


def test_reply_before_tls_comes_first() -> None:
    """`220 Ready to start TLS` is not taken for a record, nor overtaken by one."""

    async def scene() -> None:
        (one, wire), _ = _two()
        server, _, _ = contexts()
        one.send(b"220 Go\r\n")
        starting = asyncio.get_running_loop().create_task(one.start_tls(server))
        await asyncio.sleep(0)
        assert wire.take() == b"220 Go\r\n"
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting

    run(scene)
