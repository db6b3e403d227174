"""Delivery agents as those see them who have work for them: channels to them, jobs out, results in.

DESCRIPTION
    Agents are asked for by uid, gid and service from the delivery role and kept while there is work, and a minute
    longer.  Each owner has one: two would have smaller batches, and 5 to 30 % fewer messages per second.

FAULTS
    No agent to be had, or one that died over a job: every target is deferred (4.3.0), and tried again.
"""

import asyncio
import itertools
import socket
from collections import deque
from typing import Final

from pillarbox.delivery.local.frames import DeliverLocally, LocalJobDone, Piece
from pillarbox.delivery.request import (
    AgentOpened,
    DeliverRecipients,
    DeliverToMailboxes,
    JobDone,
    MailboxTarget,
    OpenAgent,
    OpenLocalDelivery,
    Outcome,
)
from pillarbox.net.channel import Channel, ChannelClosed
from pillarbox.observability.events import EventSink, Warned

IDLE_SECONDS: Final = 60.0
IN_FLIGHT: Final = 256
"""Jobs that an agent has at most: the kernel bounds the descriptors on their way between processes."""

_GONE: Final = Outcome("deferred", "4.3.0", "delivery agent is gone")

_Done = JobDone | LocalJobDone
_Job = DeliverToMailboxes | DeliverLocally | DeliverRecipients
_Order = OpenAgent | OpenLocalDelivery


class _Agent:
    """One agent process."""

    def __init__(self, channel: "Channel[_Done]") -> None:
        self.channel = channel
        self.waiting: dict[int, asyncio.Future[_Done]] = {}
        self._crowd: deque[asyncio.Future[None]] = deque()  # jobs beyond IN_FLIGHT
        self.last_used = 0.0

    async def room(self) -> None:
        """Wait until it may be given another job."""
        while len(self.waiting) >= IN_FLIGHT:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._crowd.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():  # its turn had come
                    self.admit()
                raise

    def answered(self, done: _Done) -> None:
        """A job is over."""
        future = self.waiting.pop(done.job, None)
        if future is not None and not future.done():
            future.set_result(done)
        if self._crowd:
            self.admit()

    def admit(self) -> None:
        """Let in whoever has waited longest and still does."""
        while self._crowd:
            turn = self._crowd.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def lost(self) -> None:
        """The process is gone: nobody will answer."""
        waiting, self.waiting = self.waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(ChannelClosed())
        while self._crowd:
            self.admit()  # they will find out


class Agents:
    """All agents of one process that has work for them."""

    def __init__(self, path: str, *, tell: EventSink) -> None:
        """`path` is the delivery role's socket."""
        self._path = path
        self._tell = tell
        self._by_order: dict[_Order, _Agent] = {}
        self._opening: dict[_Order, asyncio.Lock] = {}
        self._jobs = itertools.count(1)
        self._tasks: set[asyncio.Future[None]] = set()

    async def deliver(
        self,
        descriptor: int,
        *,
        data_offset: int,
        sender: bytes,
        targets: list[MailboxTarget],
        uid: int,
        gid: int,
        is_noted: bool = False,
        transport: str = "virtual",
    ) -> list[Outcome]:
        """Into Maildirs of one owner: outcomes in the order of the targets."""
        job = DeliverToMailboxes(next(self._jobs), data_offset, sender, targets, is_noted, transport)
        try:
            done = await self._do(OpenAgent(uid, gid), job, descriptor)
        except (OSError, ChannelClosed) as error:
            self._tell(Warned(f"delivery agent for uid {uid}: {error!r}"))
            return [_GONE] * len(targets)
        assert isinstance(done, JobDone)
        return done.outcomes

    async def deliver_recipients(self, request: DeliverRecipients, descriptor: int) -> list[Outcome]:
        """By local delivery: outcomes in the order of the recipients.  The job's number is filled in."""
        request.job = next(self._jobs)
        try:
            done = await self._do(OpenLocalDelivery(), request, descriptor)
        except (OSError, ChannelClosed) as error:
            self._tell(Warned(f"local delivery: {error!r}"))
            return [_GONE] * len(request.recipients)
        assert isinstance(done, JobDone)
        return done.outcomes

    async def local(self, request: DeliverLocally, descriptor: int) -> LocalJobDone:
        """One step of local delivery, with the rights of `request.account`.  The job's number is filled in."""
        request.job = next(self._jobs)
        account = request.account
        try:
            done = await self._do(OpenAgent(account.uid, account.gid, request.service), request, descriptor)
        except (OSError, ChannelClosed) as error:
            self._tell(Warned(f"delivery agent for uid {account.uid}: {error!r}"))
            return LocalJobDone(request.job, [Piece("deferred", "4.3.0", "delivery agent is gone")])
        assert isinstance(done, LocalJobDone)
        return done

    def close(self) -> None:
        """Let all agents go."""
        for agent in self._by_order.values():
            agent.channel.close()
        self._by_order.clear()

    async def _do(self, order: _Order, job: _Job, descriptor: int) -> _Done:
        """Have a job done by the agent that is ordered; it is fetched if there is none."""
        agent = self._by_order.get(order)
        if agent is None or agent.channel.closed:
            agent = await self._agent(order)
        if len(agent.waiting) >= IN_FLIGHT:
            await agent.room()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Done] = loop.create_future()
        try:
            agent.channel.send(job, [descriptor])
        except OSError:  # no descriptor for it: who waits behind has its turn
            agent.admit()
            raise
        agent.waiting[job.job] = future
        done = await future
        agent.last_used = loop.time()
        return done

    async def _agent(self, order: _Order) -> _Agent:
        """The one that there is, or a new one."""
        async with self._opening.setdefault(order, asyncio.Lock()):
            agent = self._by_order.get(order)
            if agent is None or agent.channel.closed:  # it may have died at birth
                agent = self._by_order[order] = await self._open(order)
            return agent

    async def _open(self, order: _Order) -> _Agent:
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, self._path)
        except BaseException:
            sock.close()
            raise
        door: Channel[AgentOpened] = Channel(sock, AgentOpened)
        try:
            door.send(order)
            answer = await door.receive()
        finally:
            door.close()
        if answer is None:
            raise ChannelClosed("the delivery role does not answer")
        opened, descriptors = answer
        if opened.refusal:
            raise ChannelClosed(opened.refusal)
        agent = _Agent(Channel(socket.socket(fileno=descriptors[0]), _Done))
        agent.last_used = loop.time()
        listening = loop.create_task(self._listen(order, agent))
        self._tasks.add(listening)
        listening.add_done_callback(self._tasks.discard)
        loop.call_later(IDLE_SECONDS, self._retire_idle, order, agent)
        return agent

    async def _listen(self, order: _Order, agent: _Agent) -> None:
        while (received := await agent.channel.receive()) is not None:
            agent.answered(received[0])
        if self._by_order.get(order) is agent:
            del self._by_order[order]
        agent.lost()

    def _retire_idle(self, order: _Order, agent: _Agent) -> None:
        if self._by_order.get(order) is not agent:
            return
        loop = asyncio.get_running_loop()
        left = agent.last_used + IDLE_SECONDS - loop.time()
        if agent.waiting or left > 0:
            loop.call_later(max(1.0, left), self._retire_idle, order, agent)
            return
        del self._by_order[order]
        agent.channel.close()
