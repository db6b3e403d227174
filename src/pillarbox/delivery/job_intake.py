"""How a delivery agent takes its jobs: as many at once as have come, so that they share their fsyncs."""

import socket
from typing import Final, TypeVar

from pillarbox.net.channel import ChannelClosed, FrameReader, receive_available

_BATCH: Final = 64
"""Jobs that are worked on together at most."""

Job = TypeVar("Job")


def take_jobs(sock: socket.socket, reader: "FrameReader[Job]") -> list[tuple[Job, list[int]]] | None:
    """Jobs that have come, with the descriptors of their queue files; None when nobody is there any more."""
    jobs: list[tuple[Job, list[int]]] = []
    while len(jobs) < _BATCH:
        try:
            data, passed = receive_available(sock)
            if not data:
                return jobs or None
            jobs += reader.feed(data, passed)
        except BlockingIOError:
            return jobs
        except (OSError, ChannelClosed):
            return None
    return jobs
