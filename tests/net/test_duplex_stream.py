"""Two sides that both send first (net/duplex_stream.py)."""

import os
import socket
import threading
from pathlib import Path

import pytest

from pillarbox.net.duplex_stream import DuplexStream, StreamEnded

MUCH = 3 << 20


def received(stream: DuplexStream, size: int, more: bytearray) -> bytes:
    """So many octets; `more` has come already, or comes with them."""
    while len(more) < size:
        more += stream.receive()
    found = bytes(more[:size])
    del more[:size]
    return found


def test_both_may_send_before_they_read(tmp_path: Path) -> None:
    """More than pipes and memory take, and what was sent comes in order."""
    ours, theirs = socket.socketpair()
    contents = [os.urandom(MUCH), os.urandom(MUCH)]
    got: dict[int, bytes] = {}

    def talk(at: int, end: socket.socket) -> None:
        stream = DuplexStream(end.fileno(), end.fileno(), seconds=60, directory=str(tmp_path))
        more = bytearray()  # the other side may begin again before this one has read all of the first time
        for _ in range(2):
            for start in range(0, MUCH, 100_000):
                stream.send(contents[at][start : start + 100_000])
            got[at] = received(stream, MUCH, more)
        stream.flush()
        stream.close()

    other = threading.Thread(target=talk, args=(1, theirs))
    other.start()
    talk(0, ours)
    other.join()
    assert got == {0: contents[1], 1: contents[0]}
    assert not list(tmp_path.iterdir())
    ours.close()
    theirs.close()


def test_the_other_side_ends_or_is_silent(tmp_path: Path) -> None:
    """What it said before is read."""
    ours, theirs = socket.socketpair()
    stream = DuplexStream(ours.fileno(), ours.fileno(), seconds=0.01, directory=str(tmp_path))
    with pytest.raises(StreamEnded, match="stalled"):
        stream.receive()
    theirs.sendall(b"last")
    theirs.close()
    assert stream.receive() == b"last"
    with pytest.raises(StreamEnded, match="EOF"):
        stream.receive()
    with pytest.raises(StreamEnded, match="Broken pipe"):
        stream.send(bytes(MUCH))
    ours.close()
