"""The queue manager's side of delivery agents: channels to them, jobs out, outcomes in.

DESCRIPTION
    Agents are asked for by uid and gid from the delivery role and kept while there is work, and a minute
    longer.  Jobs for the same owner go to the agent with the fewest in flight, up to `AGENTS_PER_OWNER`.

FAULTS
    No agent to be had, or one that died over a job: every target is deferred (4.3.0), and tried again.
"""

import asyncio
import itertools
import socket
from typing import Final

from pillarbox.delivery.request import (
    AgentOpened,
    DeliverToMailboxes,
    JobDone,
    MailboxTarget,
    OpenAgent,
    Outcome,
)
from pillarbox.net.channel import Channel, ChannelClosed
from pillarbox.observability.events import EventSink, Warned

AGENTS_PER_OWNER: Final = 1
"""One agent has larger batches, and so fewer directory fsyncs: 5 to 30 % more messages per second than two."""
IDLE_SECONDS: Final = 60.0

_GONE: Final = Outcome("deferred", "4.3.0", "delivery agent is gone")


class _Agent:
    """One agent process."""

    def __init__(self, channel: "Channel[JobDone]") -> None:
        self.channel = channel
        self.waiting: dict[int, asyncio.Future[list[Outcome]]] = {}
        self.last_used = 0.0

    def lost(self) -> None:
        """The process is gone: nobody will answer."""
        waiting, self.waiting = self.waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(ChannelClosed())


class Agents:
    """All agents of one queue manager."""

    def __init__(self, path: str, *, tell: EventSink) -> None:
        """`path` is the delivery role's socket."""
        self._path = path
        self._tell = tell
        self._by_owner: dict[tuple[int, int], list[_Agent]] = {}
        self._opening: dict[tuple[int, int], asyncio.Lock] = {}
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
    ) -> list[Outcome]:
        """Outcomes in the order of the targets."""
        try:
            agent = await self._agent(uid, gid)
            job = next(self._jobs)
            future: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
            agent.waiting[job] = future
            agent.channel.send(DeliverToMailboxes(job, data_offset, sender, targets), [descriptor])
            outcomes = await future
            agent.last_used = asyncio.get_running_loop().time()
            return outcomes
        except (OSError, ChannelClosed) as error:
            self._tell(Warned(f"delivery agent for uid {uid}: {error!r}"))
            return [_GONE] * len(targets)

    def close(self) -> None:
        """Let all agents go."""
        for agents in self._by_owner.values():
            for agent in agents:
                agent.channel.close()
        self._by_owner.clear()

    async def _agent(self, uid: int, gid: int) -> _Agent:
        """The agent with the least to do, or a new one."""
        agents = self._by_owner.setdefault((uid, gid), [])
        agents[:] = [agent for agent in agents if not agent.channel.closed]  # one may have died at birth
        if agents:
            best = min(agents, key=lambda agent: len(agent.waiting))
            if not best.waiting or len(agents) >= AGENTS_PER_OWNER:
                return best
        lock = self._opening.setdefault((uid, gid), asyncio.Lock())
        if agents and lock.locked():
            return min(agents, key=lambda agent: len(agent.waiting))
        async with lock:
            if len(agents) >= AGENTS_PER_OWNER:
                return min(agents, key=lambda agent: len(agent.waiting))
            agent = await self._open(uid, gid)
            agents.append(agent)
            return agent

    async def _open(self, uid: int, gid: int) -> _Agent:
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        await loop.sock_connect(sock, self._path)
        door: Channel[AgentOpened] = Channel(sock, AgentOpened)
        try:
            door.send(OpenAgent(uid, gid))
            answer = await door.receive()
        finally:
            door.close()
        if answer is None:
            raise ChannelClosed("the delivery role does not answer")
        opened, descriptors = answer
        if opened.refusal:
            raise ChannelClosed(opened.refusal)
        agent = _Agent(Channel(socket.socket(fileno=descriptors[0]), JobDone))
        agent.last_used = loop.time()
        listening = loop.create_task(self._listen((uid, gid), agent))
        self._tasks.add(listening)
        listening.add_done_callback(self._tasks.discard)
        loop.call_later(IDLE_SECONDS, self._retire_idle, (uid, gid), agent)
        return agent

    async def _listen(self, owner: tuple[int, int], agent: _Agent) -> None:
        while (received := await agent.channel.receive()) is not None:
            done, _ = received
            future = agent.waiting.pop(done.job, None)
            if future is not None and not future.done():
                future.set_result(done.outcomes)
        if agent in self._by_owner.get(owner, []):
            self._by_owner[owner].remove(agent)
        agent.lost()

    def _retire_idle(self, owner: tuple[int, int], agent: _Agent) -> None:
        if agent not in self._by_owner.get(owner, []):
            return
        loop = asyncio.get_running_loop()
        left = agent.last_used + IDLE_SECONDS - loop.time()
        if agent.waiting or left > 0:
            loop.call_later(max(1.0, left), self._retire_idle, owner, agent)
            return
        self._by_owner[owner].remove(agent)
        agent.channel.close()
