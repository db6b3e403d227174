"""The delivery role: forks agents that deliver with a user's rights, and touches no mail itself.

DESCRIPTION
    The role stays root (or, rootless, the invoking user).  It parses nothing of a message: the queue manager
    asks it for an agent of a uid and gid, and gets the descriptor of a channel to it.  What follows, jobs and
    outcomes, is between the two.  Agents are forked from this process, which has imported all they need and
    has neither threads nor a loop, so that one costs two milliseconds.

    An agent ends with its channel: when the queue manager closes it, or is gone.  Rights are dropped before
    the first octet is read.

FAULTS
    A uid below virtual_minimum_uid, or root, is refused.
"""

import os
import selectors
import signal
import socket
import sys
from typing import Final

import msgspec

from pillarbox.config.parameters.virtual_delivery import VirtualDelivery
from pillarbox.config.snapshot import Snapshot
from pillarbox.daemons.startup import drop_rights, open_log, read_startup, refuse
from pillarbox.delivery.mailbox_delivery import deliver_jobs
from pillarbox.delivery.request import AgentOpened, DeliverToMailboxes, JobDone, OpenAgent
from pillarbox.net.channel import ChannelClosed, FrameReader, FrameWriter, receive_available
from pillarbox.net.startup import Ready, Startup, User
from pillarbox.observability.events import EventSink
from pillarbox.vocabulary.faults import ConfigurationFault

_BATCH: Final = 64
"""Jobs that are delivered together at most."""


class DeliveryRole:
    """The role's loop: three kinds of sockets, no threads."""

    def __init__(self, startup: Startup, *, minimum_uid: int, tell: EventSink) -> None:
        self._rootless = os.getuid() != 0
        self._minimum_uid = minimum_uid
        self._tell = tell
        self._control = socket.socket(fileno=startup.control)
        self._listener = socket.socket(fileno=startup.listeners["delivery"])
        self._clients: dict[int, tuple[socket.socket, FrameReader[OpenAgent]]] = {}
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Run until the supervisor says Stop or is gone."""
        self._listener.setblocking(False)
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)
        ready = FrameWriter()
        ready.put(Ready(os.getpid()))
        ready.write_to(self._control)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._hear(key.fd)

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        client.setblocking(False)
        decoder = msgspec.msgpack.Decoder(OpenAgent)
        self._clients[client.fileno()] = (client, FrameReader(decoder))
        self._selector.register(client, selectors.EVENT_READ)

    def _hear(self, descriptor: int) -> None:
        client, reader = self._clients[descriptor]
        try:
            data, passed = receive_available(client)
            requests = reader.feed(data, passed) if data else []
        except BlockingIOError:
            return
        except (OSError, ChannelClosed):
            data, requests = b"", []
        for request, _ in requests:
            self._open_agent(client, request)
        if not data:
            self._selector.unregister(client)
            del self._clients[descriptor]
            client.close()

    def _open_agent(self, client: socket.socket, request: OpenAgent) -> None:
        answer = FrameWriter()
        refusal = self._refusal(request)
        if refusal:
            answer.put(AgentOpened(request.uid, request.gid, refusal))
        else:
            ours, theirs = socket.socketpair()
            self._fork(theirs, ours, request)
            theirs.close()
            answer.put(AgentOpened(request.uid, request.gid), [ours.fileno()])
            ours.close()
        client.setblocking(True)
        try:
            answer.write_to(client)
        except OSError:
            answer.close()
        client.setblocking(False)

    def _refusal(self, request: OpenAgent) -> str:
        if self._rootless:
            return "" if request.uid == os.getuid() else "a rootless system delivers as its own user only"
        if request.uid < max(1, self._minimum_uid):
            return f"uid {request.uid} is below virtual_minimum_uid"
        return "" if request.gid > 0 else "gid 0 is not for mail"

    def _fork(self, theirs: socket.socket, ours: socket.socket, request: OpenAgent) -> None:
        if os.fork():
            return
        try:
            ours.close()
            self._selector.close()
            for client, _ in self._clients.values():
                client.close()
            self._listener.close()
            drop_rights(None if self._rootless else User(request.uid, request.gid))
            serve_jobs(theirs, lifeline=self._control)
        finally:
            os._exit(0)


def serve_jobs(sock: socket.socket, *, lifeline: socket.socket) -> None:
    """An agent's life: jobs in, outcomes out, as many at once as have come."""
    reader = FrameReader(msgspec.msgpack.Decoder(DeliverToMailboxes))
    writer = FrameWriter()
    sock.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        selector.register(lifeline, selectors.EVENT_READ)
        while True:
            if any(key.fileobj is lifeline for key, _ in selector.select()):
                return
            jobs = _take_jobs(sock, reader)
            if jobs is None:
                return
            try:
                for job, outcomes in deliver_jobs([(request, passed[0]) for request, passed in jobs]).items():
                    writer.put(JobDone(job, outcomes))
            finally:
                for _, passed in jobs:
                    os.close(passed[0])
            sock.setblocking(True)
            writer.write_to(sock)
            sock.setblocking(False)


def _take_jobs(
    sock: socket.socket, reader: FrameReader[DeliverToMailboxes]
) -> list[tuple[DeliverToMailboxes, list[int]]] | None:
    """Jobs that have come; None when the queue manager is gone."""
    jobs: list[tuple[DeliverToMailboxes, list[int]]] = []
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


def main() -> None:
    """Entry of the role."""
    startup = read_startup(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # agents are reaped by the kernel
    tell = open_log(startup)
    try:
        settings = Snapshot.decode(startup.snapshots["virtual"]).group(VirtualDelivery)
    except ConfigurationFault as fault:
        refuse(startup, tell, str(fault))
    DeliveryRole(startup, minimum_uid=settings.virtual_minimum_uid, tell=tell).serve()


if __name__ == "__main__":
    main()
