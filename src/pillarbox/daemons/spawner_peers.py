"""Whom the spawner talks to: workers, login processes, the LMTP server; how it hears them and tells them something.

DESCRIPTION
    The spawner has no event loop: what it sends is sent at once, and waits for the other side if need be.  Not for
    long, though: a worker has the rights of its user, who may have stopped it (SIGSTOP), and others want to log in.
"""

import os
import socket
from contextlib import suppress
from typing import Final, TypeVar

import msgspec

from pillarbox.daemons.parked_sessions import ParkedSession
from pillarbox.net.channel import ChannelClosed, FrameReader, FrameWriter, receive_available
from pillarbox.net.handover import FromWorker, ToSpawner
from pillarbox.net.startup import User

PATIENCE: Final = 10.0
"""Seconds for a process whose queue is full, some hundred frames, to take a part of it."""

F = TypeVar("F")


class Worker:
    """A worker process, as the spawner sees it."""

    def __init__(self, pid: int, sock: socket.socket, owner: User) -> None:
        self.pid = pid
        self.sock = sock
        self.owner = owner
        self.reader: FrameReader[FromWorker] = FrameReader(msgspec.msgpack.Decoder(FromWorker))
        self.sessions = 0
        self.letters: dict[int, tuple[Client, int]] = {}  # who waits for which number of his
        self.parked: list[ParkedSession] = []  # that it has given away; it is not quiet yet


class Client:
    """A login process's channel, or that of the LMTP server."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.reader: FrameReader[ToSpawner] = FrameReader(msgspec.msgpack.Decoder(ToSpawner))


class Asked(msgspec.Struct, frozen=True):
    """A question to the auth server, and for whom it was."""

    client: Client
    frame: ToSpawner
    descriptor: int


def hear(sock: socket.socket, reader: FrameReader[F]) -> tuple[list[tuple[F, list[int]]], bool]:
    """The frames that have come, each with its descriptors, and whether the other side is gone."""
    try:
        data, passed = receive_available(sock)
        if data:
            return reader.feed(data, passed), False
    except BlockingIOError:
        return [], False
    except (OSError, ChannelClosed):
        pass
    reader.close()
    return [], True


def write_now(sock: socket.socket, frame: object, *descriptors: int) -> bool:
    """Send a frame now; False if the other side is gone, or does not listen and therefore counts as gone."""
    writer = FrameWriter()
    try:
        writer.put(frame, descriptors)
        if sock.gettimeout() != 0:
            sock.settimeout(0)
        try:
            writer.write_to(sock)
        except BlockingIOError:  # it takes no more now, as hardly ever
            sock.settimeout(PATIENCE)
            try:
                writer.write_to(sock)
            finally:
                sock.settimeout(0)
    except TimeoutError:
        writer.close()
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)  # half a frame may be on its way: nothing can follow
        return False
    except OSError:
        writer.close()
        return False
    return True


def close_all(descriptors: list[int]) -> None:
    """Close descriptors that came with a frame that has none."""
    for descriptor in descriptors:
        os.close(descriptor)
