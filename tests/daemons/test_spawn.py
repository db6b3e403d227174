"""spawn(8): a command for each connection."""

import asyncio
import os
import re
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from pillarbox.config.computed_defaults import HostFacts
from pillarbox.config.master_cf import parse_master_cf
from pillarbox.config.snapshot import Snapshot
from pillarbox.daemons.spawn import SpawnServer
from pillarbox.delivery.spawn import SpawnService
from pillarbox.observability.events import Event, Warned
from pillarbox.vocabulary.faults import ConfigurationFault

SHELL = "/bin/sh"


def service(*command: str, directory: str = "/", **limits: float) -> SpawnService:
    """A service that runs this command."""
    found = SpawnService(
        name="policy",
        command=command,
        uid=os.getuid(),
        gid=os.getgid(),
        directory=directory,
        environment=((b"PATH", b"/usr/bin:/bin"), (b"TZ", b"UTC")),
    )
    return msgspec.structs.replace(found, **limits)


Play = Callable[[SpawnServer, Callable[[], socket.socket]], Awaitable[None]]


def play(spawned: SpawnService, scene: Play) -> list[str]:
    """What is logged while a scene is played with a server and a way to connect to it."""
    told: list[Event] = []

    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = listener.getsockname()
            async with asyncio.timeout(45), asyncio.TaskGroup() as tasks:
                server = SpawnServer(spawned, tasks=tasks, tell=told.append)
                accepting = tasks.create_task(server.serve(listener))
                await scene(server, lambda: socket.create_connection(address, timeout=45))
                accepting.cancel()
                await server.stop()

    asyncio.run(run())
    return [event.reason for event in told if isinstance(event, Warned)]


async def heard(client: socket.socket) -> bytes:
    """All that the command says, to its end."""
    with client, client.makefile("rb") as lines:
        return await asyncio.to_thread(lines.read)


def test_the_connection_is_input_output_and_errors(tmp_path: Path) -> None:
    """Each has a command of its own, in the queue directory, with no more than the environment of the service."""
    script = "read line; echo $line; pwd >&2; env"
    os.environ["SECRET"] = "x"

    async def scene(server: SpawnServer, connect: Callable[[], socket.socket]) -> None:
        one, other = connect(), connect()
        other.sendall(b"second\n")
        one.sendall(b"first\n")
        for client, word in ((one, "first"), (other, "second")):
            lines = (await heard(client)).decode().splitlines()
            assert lines[:2] == [word, str(tmp_path)]
            assert {
                line for line in lines[2:] if not line.startswith(("PWD=", "_=", "SHLVL=", "OLDPWD="))
            } == {
                "PATH=/usr/bin:/bin",
                "TZ=UTC",
            }

    assert play(service(SHELL, "-c", script, directory=str(tmp_path)), scene) == []


@pytest.mark.parametrize(
    ("command", "logged"),
    [
        ((SHELL, "-c", "exit 3"), "command /bin/sh exit status 3"),
        ((SHELL, "-c", "kill -9 $$"), "command /bin/sh killed by signal 9"),
        (("/nonexistent/policy",), "execvp /nonexistent/policy: No such file or directory"),
    ],
)
def test_a_bad_end_is_logged(command: tuple[str, ...], logged: str) -> None:
    """And the client sees the end of the connection."""

    async def scene(server: SpawnServer, connect: Callable[[], socket.socket]) -> None:
        assert await heard(connect()) == b""
        await server.finished()

    assert play(service(*command), scene) == [logged]


def test_the_time_limit() -> None:
    """The command is killed with all that it has started."""
    script = "sleep 1000 & echo ready; wait"

    async def scene(server: SpawnServer, connect: Callable[[], socket.socket]) -> None:
        assert await heard(connect()) == b"ready\n"  # the end: nobody holds the connection any more
        await server.finished()

    (line,) = play(service(SHELL, "-c", script, time_limit=0.3), scene)
    assert re.fullmatch(r"/bin/sh: process id \d+: command time limit exceeded", line)


def test_the_process_limit() -> None:
    """Who comes too early waits, and is served when another has left."""

    async def scene(server: SpawnServer, connect: Callable[[], socket.socket]) -> None:
        first, second = connect(), connect()
        second.sendall(b"two\n")
        first.sendall(b"one\n")
        assert await asyncio.to_thread(first.recv, 100) == b"one\n"
        second.settimeout(0.2)
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(second.recv, 100)
        second.settimeout(45)
        first.close()
        assert await asyncio.to_thread(second.recv, 100) == b"two\n"
        second.close()

    assert play(service("/bin/cat", process_limit=1), scene) == []


def test_commands_end_with_the_service() -> None:
    """SIGTERM first; what does not hear it is killed."""
    script = "trap '' TERM; echo ready; while :; do sleep 1000; done"

    async def scene(server: SpawnServer, connect: Callable[[], socket.socket]) -> None:
        with connect() as one, connect() as other:
            for client in (one, other):
                assert await asyncio.to_thread(client.recv, 100) == b"ready\n"
            await server.stop()
            assert one.recv(100) == other.recv(100) == b""

    assert play(service(SHELL, "-c", script), scene) == []


LINES = [
    ("", "missing argv= command-line attribute"),
    ("user=nobody", "missing argv= command-line attribute"),
    ("argv=/bin/cat", "missing user= command-line attribute"),
    ("user=root argv=/bin/cat", "user= command-line attribute specifies root privileges"),
    ("user=nobody:root argv=/bin/cat", "user= command-line attribute specifies privileged group id 0"),
    ("user=no-such-user argv=/bin/cat", "unknown username: no-such-user"),
    ("flags=D user=nobody argv=/bin/cat", "unknown attribute: flags=D"),
]


@pytest.mark.parametrize(("arguments", "fault"), LINES)
def test_lines_that_cannot_be_served(arguments: str, fault: str) -> None:
    """In Postfix's words, with file and line."""
    (found,) = parse_master_cf(f"policy unix - n n - 0 spawn {arguments}\n").services
    with pytest.raises(ConfigurationFault, match=re.escape(f"spawn service policy: {fault}")) as caught:
        SpawnService.of(found, Snapshot.of({}, facts=HostFacts(hostname="mx.test")))
    assert "master.cf, line 1" in str(caught.value)


def test_chroot_is_refused() -> None:
    """The command would not be there."""
    (found,) = parse_master_cf("policy unix - n y - 0 spawn user=nobody argv=/bin/cat\n").services
    with pytest.raises(ConfigurationFault, match="chroot is not served: write n in the fifth column"):
        SpawnService.of(found, Snapshot.of({}, facts=HostFacts(hostname="mx.test")))
