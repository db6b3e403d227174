"""The spawn role: one spawn(8) service of master.cf.

DESCRIPTION
    It serves as the service's user, without a way to other rights, so a command can have no more.  Who comes while
    as many commands run as the service may have waits in the listen queue.

    A command that ends badly, or takes longer than its time limit, is a line in the log; with the time limit it and
    whatever it has started are killed.  When the role is told to stop, commands are told by SIGTERM and, a second
    later, killed.

STANDARDS
    spawn(8), spawn_command(3)
"""

import asyncio
import os
import signal
import socket
from contextlib import suppress
from typing import Final

import msgspec

from pillarbox.daemons.startup import Control, Serve, run_role
from pillarbox.delivery.spawn import SpawnService
from pillarbox.net.accepting import AwaitedAcceptor
from pillarbox.net.startup import Drain, Startup
from pillarbox.observability.events import EventSink, Warned

_GRACE: Final = 1.0
"""Seconds between SIGTERM and SIGKILL."""


class SpawnServer:
    """Runs the service's command for whoever connects."""

    def __init__(self, service: SpawnService, *, tasks: asyncio.TaskGroup, tell: EventSink) -> None:
        self._service = service
        self._tasks = tasks
        self._tell = tell
        self._slots = asyncio.Semaphore(service.process_limit) if service.process_limit else None
        self._running: set[asyncio.Task[None]] = set()

    async def serve(self, listener: socket.socket) -> None:
        """Take connections until cancelled; their commands go on."""
        acceptor = AwaitedAcceptor(listener, tell=lambda text: self._tell(Warned(text)))
        while True:
            if self._slots is not None:
                await self._slots.acquire()
            try:
                client = await acceptor.next_client()
            except BaseException:
                self._free()
                raise
            task = self._tasks.create_task(self._serve(client))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def finished(self) -> None:
        """Wait for the last command."""
        while self._running:
            await asyncio.wait(self._running)

    async def stop(self) -> None:
        """End all commands."""
        for task in self._running:
            task.cancel()
        await self.finished()

    async def _serve(self, client: socket.socket) -> None:
        try:
            with client:
                client.setblocking(True)  # it is the command's from now on
                process = await self._start(client)
            if process is not None:
                await self._watch(process)
        finally:
            self._free()

    async def _start(self, client: socket.socket) -> asyncio.subprocess.Process | None:
        service = self._service
        try:
            return await asyncio.create_subprocess_exec(
                *service.command,
                stdin=client.fileno(),
                stdout=client.fileno(),
                stderr=client.fileno(),
                env=dict(service.environment),
                cwd=service.directory,
                start_new_session=True,
            )
        except OSError as error:
            self._tell(Warned(f"execvp {service.command[0]}: {error.strerror}"))
            return None

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        name = self._service.command[0]
        try:
            async with asyncio.timeout(self._service.time_limit or None):
                status = await process.wait()
        except TimeoutError:
            self._tell(Warned(f"{name}: process id {process.pid}: command time limit exceeded"))
            _signal(process, signal.SIGKILL)
            await process.wait()
            return
        except asyncio.CancelledError:
            _signal(process, signal.SIGTERM)
            # No asyncio.timeout: in a task that is cancelled, that of Python before 3.11.3 cancels once more.
            loop = asyncio.get_running_loop()
            killing = loop.call_later(_GRACE, _signal, process, signal.SIGKILL)
            await process.wait()
            killing.cancel()
            _signal(process, signal.SIGKILL)  # what it has started
            raise
        if status < 0:
            self._tell(Warned(f"command {name} killed by signal {-status}"))
        elif status:
            self._tell(Warned(f"command {name} exit status {status}"))

    def _free(self) -> None:
        if self._slots is not None:
            self._slots.release()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """To the command and all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def open_role(startup: Startup) -> Serve:
    """The service's sockets."""
    service = msgspec.msgpack.decode(startup.settings, type=SpawnService)
    sockets = [socket.socket(fileno=descriptor) for descriptor in startup.listeners.values()]

    async def serve(control: Control, tell: EventSink) -> None:
        async with asyncio.TaskGroup() as tasks:
            server = SpawnServer(service, tasks=tasks, tell=tell)
            accepting = [tasks.create_task(server.serve(sock)) for sock in sockets]
            control.ready()
            order = await control.order()
            for task in accepting:
                task.cancel()
            if isinstance(order, Drain):
                control.draining()
                stopped = tasks.create_task(_stopped(control))
                finished = tasks.create_task(server.finished())
                await asyncio.wait((stopped, finished), return_when=asyncio.FIRST_COMPLETED)
                stopped.cancel()
                finished.cancel()
            await server.stop()

    return serve


async def _stopped(control: Control) -> None:
    await control.order()


def main(startup: Startup) -> None:
    """Entry of the role."""
    run_role(open_role, startup)
