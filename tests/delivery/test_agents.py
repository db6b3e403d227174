"""Agents as those see them who have work for them, with an agent that answers when it is told to."""

import asyncio
import os
import socket
from pathlib import Path

from pillarbox.delivery.agents import IN_FLIGHT, Agents
from pillarbox.delivery.request import (
    AgentOpened,
    DeliverToMailboxes,
    JobDone,
    MailboxTarget,
    OpenAgent,
    Outcome,
)
from pillarbox.net.channel import Channel
from pillarbox.observability.events import Event

TARGETS = [MailboxTarget(b"a@b", b"a@b", "/m/")]
SENT = Outcome("sent", "2.0.0", "delivered to maildir")


class Role:
    """The delivery role's socket; each agent is the other end of a channel."""

    def __init__(self, root: Path, tasks: asyncio.TaskGroup) -> None:
        self.path = f"{root}/delivery"
        self._tasks = tasks
        self.agents: list[Channel[DeliverToMailboxes]] = []
        self.jobs: list[int] = []
        self._came = asyncio.Event()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen()
        self._listener.setblocking(False)
        self._serving = tasks.create_task(self._serve())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(self._listener)
            door: Channel[OpenAgent] = Channel(client, OpenAgent)
            assert await door.receive() is not None
            ours, theirs = socket.socketpair()
            with theirs:
                door.send(AgentOpened(), [theirs.fileno()])
            agent: Channel[DeliverToMailboxes] = Channel(ours, DeliverToMailboxes)
            self.agents.append(agent)
            self._tasks.create_task(self._read(agent))

    async def _read(self, agent: "Channel[DeliverToMailboxes]") -> None:
        while (received := await agent.receive()) is not None:
            job, (descriptor,) = received
            os.close(descriptor)
            self.jobs.append(job.job)
            self._came.set()

    async def until(self, jobs: int) -> None:
        """So many jobs have come."""
        while len(self.jobs) < jobs:
            self._came.clear()
            await self._came.wait()

    def answer(self, jobs: list[int]) -> None:
        """They are done."""
        for job in jobs:
            self.agents[-1].send(JobDone(job, [SENT]))

    def close(self) -> None:
        """No more."""
        self._serving.cancel()
        for agent in self.agents:
            agent.close()
        self._listener.close()


async def deliver(agents: Agents, uid: int = 1, *, descriptor: int = 0) -> str:
    """What became of a message."""
    (outcome,) = await agents.deliver(descriptor, data_offset=0, sender=b"", targets=TARGETS, uid=uid, gid=1)
    return outcome.status


def test_a_job_that_cannot_be_sent_leaves_its_turn_to_the_next(tmp_path: Path) -> None:
    """It is deferred, as there is no descriptor for it; those behind it are done."""

    async def run() -> None:
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            role = Role(tmp_path, tasks)
            told: list[Event] = []
            agents = Agents(role.path, tell=told.append)
            descriptors = [0] * IN_FLIGHT + [-1, -1, 0, 0]
            jobs = [tasks.create_task(deliver(agents, descriptor=one)) for one in descriptors]
            await role.until(IN_FLIGHT)
            role.answer(role.jobs[:2])
            await role.until(IN_FLIGHT + 2)
            role.answer(role.jobs[2:])
            assert await asyncio.gather(*jobs) == ["deferred" if one < 0 else "sent" for one in descriptors]
            assert len(told) == 2
            agents.close()
            role.close()

    asyncio.run(run())


def test_no_more_jobs_than_the_kernel_passes_descriptors(tmp_path: Path) -> None:
    """Others wait until one is done, each for its turn, and a job that is given up leaves its turn to the next."""

    async def run() -> None:
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            role = Role(tmp_path, tasks)
            agents = Agents(role.path, tell=_silent)
            jobs = [tasks.create_task(deliver(agents)) for _ in range(IN_FLIGHT + 3)]
            await role.until(IN_FLIGHT)
            assert sorted(role.jobs) == list(range(1, IN_FLIGHT + 1))
            jobs[IN_FLIGHT].cancel()
            role.answer(role.jobs[:2])
            await role.until(IN_FLIGHT + 2)
            role.answer(role.jobs[2:])
            outcomes = await asyncio.gather(*jobs, return_exceptions=True)
            assert [one for one in outcomes if one != "sent"] == [outcomes[IN_FLIGHT]]
            assert isinstance(outcomes[IN_FLIGHT], asyncio.CancelledError)
            assert len(role.agents) == 1
            role.close()
            agents.close()

    asyncio.run(run())


def test_an_agent_that_is_gone(tmp_path: Path) -> None:
    """What it had and what waited for it is tried again; the next job gets a new agent."""
    told: list[Event] = []

    async def run() -> None:
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            role = Role(tmp_path, tasks)
            agents = Agents(role.path, tell=told.append)
            jobs = [tasks.create_task(deliver(agents)) for _ in range(IN_FLIGHT + 2)]
            await role.until(IN_FLIGHT)
            role.agents[0].close()
            assert await asyncio.gather(*jobs) == ["deferred"] * len(jobs)
            assert len(told) == len(jobs)
            role.jobs.clear()
            last = tasks.create_task(deliver(agents))
            await role.until(1)
            role.answer(role.jobs)
            assert await last == "sent"
            assert len(role.agents) == 2
            role.close()
            agents.close()

    asyncio.run(run())


def _silent(_: Event) -> None:
    """Nothing is told."""
