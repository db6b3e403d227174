"""How the spawner talks to processes that may not do what they should."""

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import msgspec
import pytest

from pillarbox.daemons import spawner_peers
from pillarbox.daemons.spawner_peers import close_all, hear, write_now
from pillarbox.net.channel import FrameReader


class Note(msgspec.Struct, frozen=True, tag=True):
    """A frame."""

    text: str


Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


BODY = msgspec.msgpack.encode(Note("whole"))
FRAME = len(BODY).to_bytes(4, "big") + b"\1" + BODY
"""With one descriptor."""


def frames_until_the_end(sock: socket.socket) -> int:
    """How many whole frames come."""
    sock.setblocking(True)
    reader = new_reader()
    count = 0
    is_over = False
    while not is_over:
        frames, is_over = hear(sock, reader)
        for _, descriptors in frames:
            count += 1
            close_all(descriptors)
    return count


def new_reader() -> FrameReader[Note]:
    return FrameReader(msgspec.msgpack.Decoder(Note))


def test_who_does_not_listen_counts_as_gone(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user may stop his worker; others are served all the same, and nothing follows half a frame."""
    monkeypatch.setattr(spawner_peers, "PATIENCE", 0.01)
    ours, theirs = pair
    sent = 0
    read_end, write_end = os.pipe()
    while write_now(ours, Note("x" * 5000), write_end):
        sent += 1
    os.close(write_end)
    assert sent > 0
    assert hear(ours, new_reader()) == ([], True)
    assert not write_now(ours, Note("more"))
    assert frames_until_the_end(theirs) == sent
    assert os.read(read_end, 1) == b""  # no duplicate of the descriptor is left
    os.close(read_end)


def test_who_listens_late_gets_it_all(pair: Pair) -> None:
    """A queue that is full is waited for."""
    ours, theirs = pair
    filled = 0
    with suppress(BlockingIOError):
        while True:
            filled += ours.send(b"x" * 1000)

    def read() -> bytes:
        return b"".join(iter(lambda: theirs.recv(65536), b""))

    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(read)
        assert write_now(ours, Note("whole"))
        ours.shutdown(socket.SHUT_WR)
        frames = new_reader().feed(reading.result()[filled:])
    assert frames == [(Note("whole"), [])]


@pytest.mark.parametrize(
    ("octets", "whole"),
    [(FRAME[:-1], 0), (FRAME + b"\0\0\0\1\1\xc0", 0), (FRAME + b"\xff\xff\xff\xff\0", 0), (FRAME + b"\0", 1)],
)
def test_descriptors_of_frames_that_nobody_gets(pair: Pair, octets: bytes, whole: int) -> None:
    """The other side dies in the middle of a frame, or says nonsense: what came along is closed."""
    ours, theirs = pair
    read_end, write_end = os.pipe()
    socket.send_fds(theirs, [octets], [write_end])
    os.close(write_end)
    theirs.close()
    assert frames_until_the_end(ours) == whole
    assert os.read(read_end, 1) == b""
    os.close(read_end)
