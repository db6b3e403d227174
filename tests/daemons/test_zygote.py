"""Roles are forked by a zygote: with their descriptors, whatever number those have there."""

import os
import resource
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pillarbox.delivery.spawn import SpawnService
from pillarbox.net.descriptors import MANY
from pillarbox.net.startup import MAX_PASSED, Startup
from pillarbox.supervisor import mailbox_half, mta_half
from pillarbox.supervisor.role_process import RoleProcess, Zygotes

SPAWN = "pillarbox.daemons.spawn"


@pytest.fixture
def zygotes() -> Iterator[Zygotes]:
    """With one that is exec'd: a test's own process has threads."""
    made = Zygotes([SPAWN])
    yield made
    made.close()


def startup(tmp_path: Path, listeners: dict[str, int]) -> Startup:
    """Of a role that answers whoever connects."""
    service = SpawnService(
        name="greeter",
        command=("/bin/echo", "hello"),
        uid=os.getuid(),
        gid=os.getgid(),
        directory=str(tmp_path),
        environment=(),
    )
    log = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    return Startup(
        role="greeter",
        program="spawn",
        listeners=listeners,
        log=(log,),
        settings=msgspec.msgpack.encode(service),
    )


def until_ready(role: RoleProcess) -> None:
    """Wait for it to serve."""
    while not role.is_ready:
        assert select.select([role.control], [], [], 30)[0]
        assert role.hear()


def test_roles_may_have_many_descriptors(tmp_path: Path) -> None:
    """Whatever shell the system was started from: each session and each active message needs one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        zygotes = Zygotes([SPAWN])
        role = zygotes.start("greeter", SPAWN, startup(tmp_path, {}))
        until_ready(role)
        assert resource.prlimit(role.pid, resource.RLIMIT_NOFILE) == (min(MANY, hard), hard)
        role.stop()
        assert role.wait() == 0
        role.close()
        zygotes.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_role_that_breaks_says_why(zygotes: Zygotes, tmp_path: Path) -> None:
    """In the log: what it writes to standard error nobody reads."""
    broken = msgspec.structs.replace(startup(tmp_path, {}), settings=b"no settings")
    role = zygotes.start("greeter", SPAWN, broken)
    assert role.wait() == 1
    role.close()
    assert "panic: ValidationError: " in (tmp_path / "log").read_text()


def test_programs_of_a_role_inherit_nothing(zygotes: Zygotes, tmp_path: Path) -> None:
    """Each descriptor that it is given is closed by exec."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        role = zygotes.start("greeter", SPAWN, startup(tmp_path, {"a": sock.fileno()}))
        until_ready(role)
        kept = [
            os.readlink(f"/proc/{role.pid}/fd/{number}")
            for number in os.listdir(f"/proc/{role.pid}/fd")
            if int(number) > 2 and not _is_closed_by_exec(role.pid, number)
        ]
        assert not os.get_inheritable(role.end)
        role.stop()
        assert role.wait() == 0
        role.close()
    assert kept == []


def _is_closed_by_exec(pid: int, number: str) -> bool:
    facts = Path(f"/proc/{pid}/fdinfo/{number}").read_text()
    flags = next(line.split()[1] for line in facts.splitlines() if line.startswith("flags:"))
    return bool(int(flags, 8) & os.O_CLOEXEC)


def test_role_has_all_its_listeners(zygotes: Zygotes, tmp_path: Path) -> None:
    """More than one message can carry."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(MAX_PASSED + 5)]
    given = startup(tmp_path, {str(number): sock.fileno() for number, sock in enumerate(sockets)})
    role = zygotes.start("greeter", SPAWN, given)
    until_ready(role)
    for sock in (sockets[0], sockets[-1]):
        with socket.create_connection(sock.getsockname()) as client:
            assert client.recv(100) == b"hello\n"
    assert not role.has_ended()
    role.stop()
    assert role.wait() == 0
    assert role.has_ended()
    role.close()
    for sock in sockets:
        sock.close()
    os.close(*given.log)


def test_end_of_a_role_is_told(zygotes: Zygotes, tmp_path: Path) -> None:
    """Its exit status, or the signal that killed it."""
    broken = msgspec.structs.replace(startup(tmp_path, {}), settings=b"")
    role = zygotes.start("greeter", SPAWN, broken)
    assert role.wait() == 1
    role.close()
    role = zygotes.start(
        "greeter", SPAWN, msgspec.structs.replace(broken, settings=startup(tmp_path, {}).settings)
    )
    until_ready(role)
    role.kill()
    assert role.wait() == -signal.SIGKILL
    role.close()


def test_unknown_module_is_an_error(tmp_path: Path) -> None:
    """As a program that cannot be exec'd."""
    strange = Zygotes(["pillarbox.daemons.no_such_role"])
    with pytest.raises(OSError, match=f"^no process for {SPAWN}: the zygote has ended$"):
        strange.start("greeter", SPAWN, startup(tmp_path, {}))
    strange.close()


def test_command_line_is_that_of_the_role() -> None:
    """And no longer than what the process was exec'd with."""
    program = (
        "from pillarbox.net.command_line import show_command_line as show;"
        "show(['python', '-m', 'role']); print(open('/proc/self/cmdline').read().rstrip(chr(0)).split(chr(0)));"
        "show(['x' * 5000]); print(len(open('/proc/self/cmdline').read().rstrip(chr(0))))"
    )
    command = [sys.executable, "-c", program]
    shown, length = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert shown == "['python', '-m', 'role']"
    assert int(length) == len("\0".join(command))


def test_modules_of_roles_load_no_certificate_reader() -> None:
    """cryptography takes 9 MiB; whoever needs it loads it at his start."""
    modules = [*mta_half.MODULES, *mailbox_half.MODULES]
    program = (
        f"import sys, importlib; [importlib.import_module(name) for name in {modules}]; print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "pillarbox.daemons.smtp" in loaded
    assert [name for name in loaded if name.startswith("cryptography")] == []
