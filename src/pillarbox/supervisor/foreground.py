"""`pillarbox run`: both halves, the log on the terminal, and Ctrl-C.

DESCRIPTION
    Two supervisor processes are forked, each the leader of its own session, from this one, which has loaded what
    both need, and has read no configuration: a half's zygote knows none.  They wait until the configuration is
    found to be good.  When both are ready, addresses and lines to try are printed, then the log.  Ctrl-C, SIGTERM,
    SIGHUP, or the end of either half stops both, at any moment; a second signal does not wait for what is being
    finished.  nohup(1) keeps SIGHUP away.

FAULTS
    StartFault  a half could not start, and everything is stopped again; or the directory's path is too long
"""

import asyncio
import contextlib
import datetime
import os
import re
import select
import signal
import socket
import sys
import traceback
from types import FrameType
from typing import Final, NoReturn

from pillarbox.config.host_facts import host_facts
from pillarbox.config.reading import read_configuration
from pillarbox.config.value_checks import check_values
from pillarbox.net.command_line import show_command_line
from pillarbox.net.startup import Surroundings
from pillarbox.supervisor.first_run import prepare
from pillarbox.supervisor.home import USER, Home
from pillarbox.supervisor.listeners import StartFault
from pillarbox.supervisor.log_follower import LogFollower
from pillarbox.supervisor.main import MODULES, supervise
from pillarbox.supervisor.mta_half import make_queue
from pillarbox.supervisor.role_process import Zygotes
from pillarbox.supervisor.role_process import prepare as prepare_roles
from pillarbox.supervisor.status_query import ask_status
from pillarbox.supervisor.system_users import system_users
from pillarbox.vocabulary.faults import ConfigurationFault

_START_SECONDS = 60
_STOP_SECONDS = 10
_LONGEST_ROOT = 82
"""Octets: a socket's name has up to 107 (unix(7)), and the mailbox half's are below the directory."""
_GO: Final = b"go"
_STOPPED = (0, -signal.SIGTERM)
"""What a supervisor's end looks like that was told to; the second if it had only just begun."""


def run_in_foreground(home: Home, *, listen: str, port_offset: int) -> int:
    """Run until stopped; the exit status."""
    if not 0 <= port_offset <= 64000:
        raise StartFault(f"--port-offset {port_offset}: choose a number from 0 to 64000")
    if len(os.fsencode(home.root)) > _LONGEST_ROOT:
        limit = f"more than {_LONGEST_ROOT} octets, too many for the names of sockets"
        raise StartFault(f"{home.root}: {limit}; choose another directory with --data")
    told: list[int] = []

    def end_now(number: int, _frame: FrameType | None) -> NoReturn:
        """Nothing serves yet: stopped is stopped.  What is raised while a weak reference ends, say, is lost."""
        told.append(number)
        raise SystemExit(0)

    for number in _stopping_signals():
        signal.signal(number, end_now)
    halves: list[_HalfProcess] = []
    try:
        prepare_roles([module for modules in MODULES.values() for module in modules])
        for name in MODULES:
            halves += [_HalfProcess(name, home, listen, port_offset)]
        _prepare(home)
        return asyncio.run(_run(home, halves, told))
    finally:
        for half in halves:
            half.close()


def _stopping_signals() -> list[signal.Signals]:
    """Those that are not ignored, as nohup(1) or a shell's background would have it."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def _prepare(home: Home) -> None:
    """What the first start makes, and whether the configuration is one to start with.  StartFault if not."""
    owners = system_users() if os.getuid() == 0 else None
    prepare(home, owners=owners, now=datetime.datetime.now(datetime.UTC))
    try:
        configuration = read_configuration(str(home.etc), facts=host_facts())
        check_values(configuration)  # here as well: nothing needs to be started to find a mistake
        # Before either half: the mailbox half puts a socket for the MTA into the queue's private/.
        make_queue(configuration.snapshot, owners.mail_owner if owners is not None else None)
    except ConfigurationFault as fault:
        raise StartFault(str(fault)) from fault
    except OSError as error:
        raise StartFault(f"cannot write {error.filename}: {error.strerror}") from error


async def _run(home: Home, halves: list["_HalfProcess"], told: list[int]) -> int:
    """Start both and wait for their end, unless the command has been `told` to stop before; the exit status."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop() -> None:
        stopped.set()
        for half in reversed(halves):
            half.stop()

    def ended(half: _HalfProcess) -> None:
        loop.remove_reader(half.sock.fileno())
        if not stopped.is_set():
            sys.stderr.write(f"pillarbox: the {half.name} supervisor ended; stopping\n")
            stop()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop)
    if told:
        return 0
    follower = LogFollower(home.log)
    for half in halves:
        half.go()
    waits = [loop.create_task(half.until_ready(stopped)) for half in halves]
    try:
        await asyncio.gather(*waits)
        if not stopped.is_set():
            follower.start(_welcome(home))
            for half in halves:
                loop.add_reader(half.sock.fileno(), ended, half)
            await stopped.wait()
    finally:
        for wait in waits:
            wait.cancel()  # the one that could start is not waited for if the other could not
        if not stopped.is_set():
            stop()
        for half in halves:
            await loop.run_in_executor(None, half.wait)
    follower.finish()
    return 0 if all(half.status in _STOPPED for half in halves) else 1


class _HalfProcess:
    """One supervisor, forked from this process."""

    def __init__(self, name: str, home: Home, listen: str, port_offset: int) -> None:
        """It waits for `go()`, and ends if there is none."""
        self.name = name
        self.status: int | None = None
        """Of its end; of a signal, its number below 0."""
        self.sock, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            _become_supervisor(name, home, listen, port_offset, theirs)
        self._end = os.pidfd_open(self._pid)
        theirs.close()

    def go(self) -> None:
        """Have it read the configuration, and start its roles."""
        with contextlib.suppress(BrokenPipeError):  # it has ended, and will not be ready
            self.sock.send(_GO)

    async def until_ready(self, stopped: asyncio.Event) -> None:
        """Wait for `ready`; StartFault with what it says instead."""
        loop = asyncio.get_running_loop()
        self.sock.setblocking(False)
        try:
            async with asyncio.timeout(_START_SECONDS):
                answer = await loop.sock_recv(self.sock, 4096)
        except TimeoutError:
            raise StartFault(f"the {self.name} supervisor does not answer") from None
        if answer != b"ready\n" and not stopped.is_set():
            text = answer.decode("utf-8", "replace").strip()
            raise StartFault(text or f"the {self.name} supervisor ended; the log says why")

    def stop(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def wait(self) -> None:
        """Wait for it; kill it if it takes too long."""
        if self.status is not None:
            return
        if not select.select([self._end], [], [], _STOP_SECONDS)[0]:
            self._send(signal.SIGKILL)
        self.status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        os.close(self._end)

    def close(self) -> None:
        """See that it has ended, whatever state it is in: the end of the socket tells it."""
        self.sock.close()
        self.wait()

    def _send(self, number: signal.Signals) -> None:
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._end, number)


def _become_supervisor(
    name: str, home: Home, listen: str, port_offset: int, starter: socket.socket
) -> NoReturn:
    """In the child: be the half's supervisor, to its end, with nothing of the command's but its screen."""
    status = 1
    try:
        for number in _stopping_signals():
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for descriptor in {int(entry) for entry in os.listdir("/proc/self/fd")} - {0, 1, 2, starter.fileno()}:
            with contextlib.suppress(OSError):  # the listing's own
                os.close(descriptor)
        show_command_line([sys.orig_argv[0], "-I", "-m", "pillarbox.supervisor.main", name, str(home.root)])
        zygotes = Zygotes(MODULES[name])
        zygotes.begin()
        if starter.recv(len(_GO)):
            status = supervise(
                name,
                home,
                listen=listen,
                port_offset=port_offset,
                starter=starter,
                zygotes=zygotes,
                surroundings=Surroundings(),
            )
        else:
            zygotes.close()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _welcome(home: Home) -> str:
    """Addresses, and lines that send and read a message."""
    ports: dict[str, tuple[str, int]] = {}
    for name in ("mta", "mailbox"):
        status = ask_status(home.status_socket(name))
        listeners = status["listeners"] if status else []
        for entry in listeners if isinstance(listeners, list) else []:
            ports[entry["name"]] = (entry["address"], entry["port"])
    password = home.password.read_text().strip() if home.password.exists() else "PASSWORD"
    lines = ["", f"Pillarbox runs.  User {USER}, password {password}", ""]
    lines += [f"  {name:<12} {address}:{port}" for name, (address, port) in ports.items()]
    lines += ["", *_examples(ports, password), "", f"The log ({home.log}); Ctrl-C stops everything:", ""]
    return "\n".join(lines)


def _examples(ports: dict[str, tuple[str, int]], password: str) -> list[str]:
    smtp = _endpoint(ports.get("smtp", ("127.0.0.1", 25)))
    imap, pop3 = _endpoint(ports["imap"]), _endpoint(ports["pop3"])
    login = f"{USER}:{password}"
    return [
        "Send a message:",
        f"  printf 'From: {USER}\\nTo: {USER}\\nSubject: hello\\n\\nHello.\\n' | \\",
        f"    curl -sS smtp://{smtp} --mail-from {USER} --mail-rcpt {USER} -T -",
        f"  swaks --server {smtp} --from {USER} --to {USER}",
        "Read it:",
        f"  curl -sS 'imap://{imap}/INBOX;MAILINDEX=1' -u '{login}'",
        f"  curl -sS 'pop3://{pop3}/1' -u '{login}'",
        "  python3 -c \"import imaplib; i = imaplib.IMAP4('{}', {}); i.login('{}', '{}'); "
        "i.select(); print(i.fetch('1:*', '(ENVELOPE)'))\"".format(*_split(imap), USER, password),
    ]


def _endpoint(listener: tuple[str, int]) -> str:
    address, port = listener
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _split(endpoint: str) -> tuple[str, str]:
    host, _, port = endpoint.rpartition(":")
    return re.sub(r"[\[\]]", "", host), port
