"""The delivery role: forks agents that deliver with a user's rights, and touches no mail itself.

DESCRIPTION
    The role stays root (or, rootless, the invoking user).  It parses nothing of a message or of a user's files: it
    is asked for an agent of a uid and gid, and hands out the descriptor of a channel to it.  What follows, jobs and
    outcomes, is between the two.  Agents are forked from this process, which has imported all they need and has
    neither threads nor a loop, so that one costs two milliseconds.  Three kinds are forked:

        virtual           stores messages in mailboxes of one owner; may never gain rights
        local             what a system user's mail needs: .forward, mailbox, commands (which may be setgid)
        local delivery    one for the queue manager: aliases; it is mail_owner (daemons/local_delivery.py)

    An agent ends with its channel, when whoever has work for it closes it or is gone, or with this role.  Rights
    are dropped before the first octet is read.

    On reload the queue manager finishes what it has with the agents; then this role and all of them are replaced.

    Root's own mailbox is written by an agent that is root without any of root's capabilities: a user like others,
    to whom files of root belong.  It starts no program.

FAULTS
    For virtual mailboxes, root and a uid below virtual_minimum_uid are refused.  Where the host has no room for
    another process, there is no agent now; those that there are go on.
"""

import gc
import os
import pwd
import selectors
import signal
import socket
from collections.abc import Callable, Mapping

import msgspec

from pillarbox.config.parameters.paths import Paths
from pillarbox.config.parameters.virtual_delivery import VirtualDelivery
from pillarbox.config.snapshot import Snapshot
from pillarbox.daemons.local_delivery import open_local_delivery, serve_local_delivery
from pillarbox.daemons.startup import (
    drop_capabilities,
    drop_rights,
    freeze_memory,
    open_log,
    refuse,
    tell_unavailable,
)
from pillarbox.delivery.job_intake import take_jobs
from pillarbox.delivery.local.agent_loop import serve_local_jobs
from pillarbox.delivery.local.agent_settings import (
    AgentSettings,
    agent_settings,
    mailbox_rules,
    spool_rights,
)
from pillarbox.delivery.local.spool_rights import SpoolRights
from pillarbox.delivery.mailbox_delivery import MailboxRules, deliver_jobs
from pillarbox.delivery.request import (
    AgentOpened,
    DeliverToMailboxes,
    JobDone,
    OpenAgent,
    OpenLocalDelivery,
)
from pillarbox.mailstore.cache.arrivals import ArrivalNotes
from pillarbox.net import last_seconds
from pillarbox.net.accepting import Acceptor
from pillarbox.net.channel import ChannelClosed, FrameReader, FrameWriter, receive_available
from pillarbox.net.rights import become
from pillarbox.net.startup import AgentService, Ready, Startup, User, cleanup_of
from pillarbox.observability.events import Broke, EventSink, Warned
from pillarbox.observability.mistakes import mistakes
from pillarbox.tables.opening import unavailable_tables
from pillarbox.vocabulary.faults import ConfigurationFault

_Order = OpenAgent | OpenLocalDelivery


class DeliveryRole:
    """The role's loop: sockets, no threads."""

    def __init__(
        self, startup: Startup, snapshot: Snapshot, settings: dict[str, AgentSettings], *, tell: EventSink
    ) -> None:
        """`settings` are those of local(8)'s and pipe(8)'s services, by name.  ConfigurationFault."""
        self._startup = startup
        self._snapshot = snapshot
        self._settings = settings
        self._rules = {"virtual": mailbox_rules(snapshot)}
        self._rootless = os.getuid() != 0
        self._minimum_uid = snapshot.group(VirtualDelivery).virtual_minimum_uid
        for service in startup.services:
            if service.program == "virtual":
                own = Snapshot.decode(service.snapshot)
                self._rules[service.name] = mailbox_rules(own)
                least = own.group(VirtualDelivery).virtual_minimum_uid
                self._minimum_uid = min(self._minimum_uid, least)  # qmgr knows whose mailbox it is
        self._tell = tell
        self._control = socket.socket(fileno=startup.control)
        self._listener = socket.socket(fileno=startup.listeners["delivery"])
        self._acceptor = Acceptor(self._listener, tell=lambda text: tell(Warned(text)))
        self._clients: dict[int, tuple[socket.socket, FrameReader[_Order]]] = {}
        self._selector = selectors.DefaultSelector()
        self._lifeline, self._our_life = os.pipe2(os.O_CLOEXEC)  # agents end with the second

    def serve(self) -> None:
        """Run until the supervisor says Stop or is gone."""
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)
        ready = FrameWriter()
        ready.put(Ready(os.getpid()))
        gc.freeze()  # agents share these pages as long as no collection writes into them
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
        client = self._acceptor.accept()
        if client is None:
            return
        client.setblocking(False)
        decoder = msgspec.msgpack.Decoder(_Order)
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
            self._open(client, request)
        if not data:
            self._selector.unregister(client)
            del self._clients[descriptor]
            client.close()

    def _open(self, client: socket.socket, order: _Order) -> None:
        answer = FrameWriter()
        refusal = self._refusal(order) if isinstance(order, OpenAgent) else ""
        if not refusal:
            try:
                self._start(answer, order)
            except OSError as error:  # no room for processes or descriptors
                refusal = f"no agent: {error.strerror}"
        if refusal:
            answer.put(AgentOpened(refusal))
        client.setblocking(True)
        try:
            answer.write_to(client)
        except OSError:
            answer.close()
        client.setblocking(False)

    def _start(self, answer: FrameWriter, order: _Order) -> None:
        """Fork an agent, and have the answer tell so.  OSError."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            if isinstance(order, OpenLocalDelivery):
                self._fork(ours, lambda role: self._live_as_local_delivery(theirs, role))
            else:
                self._fork(ours, lambda role: self._live_as_agent(theirs, order, role))
            answer.put(AgentOpened(), [ours.fileno()])

    def _refusal(self, order: OpenAgent) -> str:
        if self._rootless:
            return "" if order.uid == os.getuid() else "a rootless system delivers as its own user only"
        if not order.service and (order.uid < max(1, self._minimum_uid) or order.gid < 1):
            return f"uid {order.uid} is below virtual_minimum_uid"
        return "" if not order.service or order.service in self._settings else f"no service {order.service}"

    def _fork(self, ours: socket.socket, live: Callable[[int], None]) -> None:
        """A child that does nothing but `live`, which is given the role's process id."""
        role = os.getpid()
        if os.fork():
            return
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            ours.close()
            os.close(self._our_life)
            self._selector.close()
            for client, _ in self._clients.values():
                client.close()
            self._listener.close()
            self._control.close()
            live(role)
        except Exception as error:  # nobody else would ever know
            for mistake in mistakes(error):
                self._tell(Broke(f"delivery agent {os.getpid()}: {mistake}"))
        finally:
            os._exit(0)

    def _live_as_agent(self, sock: socket.socket, order: OpenAgent, role: int) -> None:
        if not order.service:
            drop_rights(None if self._rootless else User(order.uid, order.gid))
            last_seconds.begin_with_parents_end(role)
            serve_jobs(sock, lifeline=self._lifeline, rules=self._rules)
            return
        settings = self._settings[order.service]
        spool = SpoolRights(order.gid, None)
        if not self._rootless and not settings.is_pipe:
            spool = spool_rights(settings, (order.uid, order.gid))
        if settings.root:
            settings = _change_root(settings)
        if not self._rootless:
            _become_local_user(order.uid, order.gid, spool.gid)
        if order.uid == 0:
            drop_capabilities()
        os.umask(0o077)
        last_seconds.begin_with_parents_end(role)
        serve_local_jobs(sock, lifeline=self._lifeline, settings=settings, spool=spool)

    def _live_as_local_delivery(self, sock: socket.socket, role: int) -> None:
        with unavailable_tables() as lacks:
            opened = open_local_delivery(
                self._snapshot,
                [service for service in self._startup.services if service.program != "virtual"],
                cleanup=Snapshot.decode(self._startup.snapshots[cleanup_of("virtual")]),
                rewrite=Snapshot.decode(self._startup.snapshots["rewrite"]),
            )
        user = None
        if not self._rootless:
            entry = pwd.getpwnam(self._snapshot.group(Paths).mail_owner)
            user = User(entry.pw_uid, entry.pw_gid)
        drop_rights(user)
        last_seconds.begin_with_parents_end(role)
        startup = msgspec.structs.replace(self._startup, program="local")
        log = open_log(startup)
        tell_unavailable(lacks, log)
        serve_local_delivery(opened, sock, lifeline=self._lifeline, tell=log)
        log.flush()


def _change_root(settings: AgentSettings) -> AgentSettings:
    """chroot= of pipe(8), before rights are dropped.  Where that fails the agent lives on and runs nothing."""
    try:
        os.chroot(settings.root)
        os.chdir("/")
    except OSError as error:
        fault = f"chroot({settings.root}): {error.strerror}"
        return msgspec.structs.replace(settings, root_fault=fault)
    return settings


def _become_local_user(uid: int, gid: int, spool_gid: int | None) -> None:
    """A system user's rights; the group of the mail spool stays within reach of this process alone.

    Programs that the user's .forward starts may be setuid or setgid (sendmail's postdrop is), so that gaining
    rights by exec is not forbidden here.
    """
    become(uid, gid, saved_gid=spool_gid)


def serve_jobs(sock: socket.socket, *, lifeline: int, rules: Mapping[str, MailboxRules]) -> None:
    """An agent's life: jobs in, outcomes out, as many at once as have come; `rules` of each service.

    When no job waits, what it has stored is noted for those who will read it.
    """
    notes = ArrivalNotes()
    reader = FrameReader(msgspec.msgpack.Decoder(DeliverToMailboxes))
    writer = FrameWriter()
    sock.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        selector.register(lifeline, selectors.EVENT_READ)
        while True:
            ready = selector.select(0 if notes.waiting else None)
            if any(key.fd == lifeline for key, _ in ready):
                return
            if not ready:
                notes.write_one()
                continue
            jobs = take_jobs(sock, reader)
            if jobs is None:
                return
            try:
                work: dict[MailboxRules, list[tuple[DeliverToMailboxes, int]]] = {}
                for request, passed in jobs:
                    own = rules.get(request.transport, rules["virtual"])
                    work.setdefault(own, []).append((request, passed[0]))
                for own, some in work.items():
                    for job, outcomes in deliver_jobs(some, rules=own, notes=notes).items():
                        writer.put(JobDone(job, outcomes))
            finally:
                for _, passed in jobs:
                    os.close(passed[0])
            sock.setblocking(True)
            writer.write_to(sock)
            sock.setblocking(False)


def main(startup: Startup) -> None:
    """Entry of the role."""
    last_seconds.begin_with_parents_end(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # agents are reaped by the kernel
    tell = open_log(startup)
    try:
        snapshot = Snapshot.decode(startup.snapshots["virtual"])
        settings = {"local": agent_settings(snapshot, AgentService(name="local", program="local"))}
        for service in startup.services:
            if service.program == "virtual":
                continue
            settings[service.name] = agent_settings(Snapshot.decode(service.snapshot), service)
        role = DeliveryRole(startup, snapshot, settings, tell=tell)
    except ConfigurationFault as fault:
        refuse(startup, tell, str(fault))
    freeze_memory()
    role.serve()
