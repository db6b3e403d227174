"""The event loop's memory."""

import asyncio
import mmap
import os
import socket
import struct

from pillarbox.net.event_loop import new_event_loop

_SENT = bytes(range(256)) * 400


def _pages_in_use(begin: int, end: int) -> int:
    """Pages that the kernel keeps between two addresses (proc_pid_pagemap(5))."""
    first, last = begin // mmap.PAGESIZE, (end - 1) // mmap.PAGESIZE
    with open("/proc/self/pagemap", "rb") as table:
        entries = os.pread(table.fileno(), (last - first + 1) * 8, first * 8)
    return sum(entry >> 62 > 0 for (entry,) in struct.iter_unpack("<Q", entries))


def test_a_loop_takes_no_memory_for_what_it_has_not_received() -> None:
    """uvloop's own has 63 pages from the beginning."""
    loop = new_event_loop()
    try:
        assert _pages_in_use(id(loop), id(loop) + type(loop).__basicsize__) < 6
    finally:
        loop.close()


def test_what_comes_is_received_in_what_was_given_back() -> None:
    """Two connections of a loop, and more than a page at a time."""

    async def talk() -> bytes:
        ours, theirs = socket.socketpair()
        with ours:
            reader, writer = await asyncio.open_connection(sock=theirs)
            ours.sendall(_SENT)
            ours.shutdown(socket.SHUT_WR)
            received = await reader.read(-1)
            writer.close()
            return received

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        assert [runner.run(talk()), runner.run(talk())] == [_SENT, _SENT]
