"""A command of the doveadm service: done in a child, as if it had been given here, and what it says.

DESCRIPTION
    Its standard output and its standard error are pipes; input is a file, or, for dsync-server, what the client
    sends.  A line of standard error is one of the log: it goes there, and to who listens.

FAULTS
    OSError  the client is gone: the command hears that when it writes, and ends
"""

import io
import os
import re
import selectors
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

import msgspec

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.net.forks import die_with
from pillarbox.observability.events import EventSink, MailboxNotice
from pillarbox.tools import doveadm
from pillarbox.tools.doveadm_commands.faults import EX_TEMPFAIL
from pillarbox.tools.doveadm_commands.options import SERVED_USER

_AT_ONCE: Final = 1 << 16
_LINE: Final = re.compile(
    r"(?:(?P<who>doveadm|doveadm\([^)]*\)|dsync-\w+\([^)]*\))(?:<[^>]*>)*: )?"
    r"(?P<severity>Debug|Info|Warning|Error|Fatal|Panic): (?P<text>.*)"
)


class Command(msgspec.Struct, frozen=True):
    """What is to be done."""

    words: Sequence[str]
    user: str = ""
    """Whose mailboxes it is for, if the words do not say it."""
    form: str = "server"
    input: int = -1
    """Descriptor of its standard input; none: it is empty."""
    feed: socket.socket | None = None
    """Where more of it comes from, for as long as the command runs."""


class Execution:
    """Does commands for one client."""

    def __init__(self, configuration: Configuration, program: str, tell: EventSink) -> None:
        """`program`: who says it in the log, where the command does not."""
        self._configuration = configuration
        self._program = program
        self._tell = tell

    def run(
        self, command: Command, output: Callable[[bytes], object], logged: Callable[[str, str], object]
    ) -> int:
        """Do it; its exit status.  `logged` hears severity and text of each line."""
        own_input, fed = os.pipe()
        read_output, its_output = os.pipe()
        read_errors, its_errors = os.pipe()
        its_input = own_input if command.input < 0 else command.input
        parent = os.getpid()
        child = os.fork()
        if not child:
            for descriptor in (fed, read_output, read_errors):
                os.close(descriptor)
            self._become(command, parent, its_input, its_output, its_errors)
        for descriptor in (own_input, its_output, its_errors):
            os.close(descriptor)
        if command.feed is None:
            os.close(fed)
            fed = -1
        lines = _Lines(self._program, self._tell, logged)
        status = EX_TEMPFAIL
        try:
            self._pass_on(command.feed, fed, read_output, read_errors, output, lines.add)
            lines.end()
        finally:
            os.close(read_output)
            os.close(read_errors)
            _, ended = os.waitpid(child, 0)
            status = os.waitstatus_to_exitcode(ended)
        return status if status >= 0 else EX_TEMPFAIL

    def _pass_on(
        self,
        feed: socket.socket | None,
        fed: int,
        read_output: int,
        read_errors: int,
        output: Callable[[bytes], object],
        errors: Callable[[bytes], object],
    ) -> None:
        """Until the command has closed both."""
        takers = {read_output: output, read_errors: errors}
        with selectors.DefaultSelector() as selector:
            for descriptor in takers:
                selector.register(descriptor, selectors.EVENT_READ)
            if feed is not None:
                selector.register(feed, selectors.EVENT_READ)
            try:
                while takers:
                    for key, _ in selector.select():
                        if key.fd in takers:
                            octets = os.read(key.fd, _AT_ONCE)
                            takers[key.fd](octets)
                            if not octets:
                                selector.unregister(key.fd)
                                del takers[key.fd]
                        elif not _feed(feed, fed):
                            selector.unregister(key.fd)
                            os.close(fed)
                            fed = -1
            finally:
                if fed >= 0:
                    os.close(fed)

    def _become(
        self, command: Command, parent: int, its_input: int, its_output: int, its_errors: int
    ) -> NoReturn:
        """In the child."""
        status = EX_TEMPFAIL
        try:
            die_with(parent)
            for standard, descriptor in enumerate((its_input, its_output, its_errors)):
                os.dup2(descriptor, standard)
            sys.stdin = io.TextIOWrapper(open(0, "rb", closefd=False))
            sys.stdout = io.TextIOWrapper(open(1, "wb", closefd=False), encoding="utf-8")
            sys.stderr = io.TextIOWrapper(
                open(2, "wb", buffering=0, closefd=False), encoding="utf-8", write_through=True
            )
            os.environ.pop("USER", None)
            SERVED_USER.set(command.user)
            status = doveadm.carry_out(list(command.words), command.form, lambda: self._configuration)
            sys.stdout.flush()
        except BrokenPipeError:
            pass  # the client is gone
        finally:
            os._exit(status)


def _feed(feed: socket.socket | None, fed: int) -> bool:
    """More from the client; whether there may be more."""
    octets = feed.recv(_AT_ONCE) if feed is not None else b""
    view = memoryview(octets)
    try:
        while view:
            view = view[os.write(fed, view) :]
    except BrokenPipeError:
        return False  # the command wants no more
    return bool(octets)


class _Lines:
    """Standard error, line by line."""

    def __init__(self, program: str, tell: EventSink, logged: Callable[[str, str], object]) -> None:
        self._program = program
        self._tell = tell
        self._logged = logged
        self._rest = b""

    def add(self, octets: bytes) -> None:
        """More of it."""
        *lines, self._rest = (self._rest + octets).split(b"\n")
        for line in lines:
            self._take(line.decode("utf-8", "surrogateescape"))

    def end(self) -> None:
        """There is no more."""
        if self._rest:
            self.add(b"\n")

    def _take(self, line: str) -> None:
        if not line.strip():
            return
        found = _LINE.fullmatch(line)
        who = (found and found["who"]) or self._program
        severity, text = (found["severity"], found["text"]) if found else ("Error", line)
        self._tell(MailboxNotice(who, severity, text))
        self._logged(severity, f"{who}: {text}")
