"""Commands that take mail: how they are started, watched, and what their end means.

DESCRIPTION
    A command runs in a session of its own, with the message as standard input and an environment that is built
    from nothing.  A shell is used as Postfix uses it: when local_command_shell says so, when the text has
    characters that mean something to a shell, or when its first word is no program on the path (a shell's own
    command); then it is /bin/sh -c.  Otherwise the words of the text are the program and its arguments.

    The message is a file in memory, so that a command may read as little as it likes.  Up to 4096 octets of what
    it writes are kept for the report.

    `Running` is one command; who started it watches `descriptors` and calls `look()`, until there is a `Result`.

FAULTS
    A command that cannot be started ends with EX_TEMPFAIL and says why, as if it had failed itself.

STANDARDS
    sysexits.h; Postfix's pipe_command, exec_command (which characters need a shell, what an exit status means)
"""

import errno
import os
import re
import resource
import signal
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from typing import Final, NoReturn

import msgspec

from pillarbox.delivery.local.frames import Piece

OUTPUT_LIMIT: Final = 4096
TIME_IS_OVER: Final = "pipe_command_read: read time limit exceeded"
"""The log's warning of a command that was ended."""
_PIPE: Final = 65536
"""As much as a pipe holds."""

_NEEDS_NO_SHELL: Final = re.compile(rb"[1234567890!@%\-_=+:,./a-zA-Z \t]*")
_BLANKS: Final = re.compile(rb"[ \t]+")
_SHELL: Final = b"/bin/sh"
_TEMPORARY: Final = 75  # EX_TEMPFAIL
_OWN_STATUS: Final = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|$)", re.ASCII)

SYSEXITS: Final[dict[int, tuple[str, str]]] = {
    64: ("5.3.0", "command line usage error"),
    65: ("5.6.0", "data format error"),
    66: ("5.3.0", "cannot open input"),
    67: ("5.1.1", "user unknown"),
    68: ("5.1.2", "host name unknown"),
    69: ("5.3.0", "service unavailable"),
    70: ("5.3.0", "internal software error"),
    71: ("4.3.0", "system resource problem"),
    72: ("5.3.0", "critical OS file missing"),
    73: ("5.2.0", "can't create user output file"),
    74: ("5.3.0", "input/output error"),
    75: ("4.3.0", "temporary failure"),
    76: ("5.5.0", "remote error in protocol"),
    77: ("5.7.0", "permission denied"),
    78: ("5.3.5", "local configuration error"),
}


class CommandRun(msgspec.Struct, frozen=True, kw_only=True):
    """A command to be run with the rights that this process has."""

    name: str  # the command as reports show it
    command: bytes = b""  # a line for the shell's rules, or
    arguments: tuple[bytes, ...] = ()  # a program and its arguments
    shell: bytes = b""  # local_command_shell
    content: Iterable[bytes]  # is read when the command is started
    environment: tuple[tuple[bytes, bytes], ...]
    directory: bytes
    must_enter: bool = False  # whether a directory that cannot be entered is an error
    time_limit: float
    file_size_limit: int = 0
    recipient: bytes = b""  # whose mail it is: so many run at once for one


class CommandResult(msgspec.Struct, frozen=True):
    """How a command ended."""

    status: int  # exit status, or the negative number of a signal
    output: str
    timed_out: bool = False


class Running:
    """One command that was started."""

    def __init__(self, run: CommandRun, *, started: float) -> None:
        """`started` is a monotonic time.  OSError if no process can be made; what reading `content` raises."""
        self.run = run
        self.deadline = started + run.time_limit
        self._output = bytearray()
        self._timed_out = self._at_end = False
        message = os.memfd_create("message")
        try:
            for chunk in run.content:
                view = memoryview(chunk)
                while view:
                    view = view[os.write(message, view) :]
            os.lseek(message, 0, os.SEEK_SET)
            self._reading, writing = os.pipe2(os.O_CLOEXEC)
            try:
                self._pid = os.fork()
                if not self._pid:
                    _become(run, message, writing)
            except OSError:  # no room for another process
                os.close(self._reading)
                raise
            finally:
                os.close(writing)
        finally:
            os.close(message)
        os.set_blocking(self._reading, False)
        self._pidfd = os.pidfd_open(self._pid)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What becomes readable when there is something to look at."""
        return (self._pidfd,) if self._at_end else (self._reading, self._pidfd)

    def kill(self) -> None:
        """The time is up: the command and everything in its session go."""
        self._timed_out = True
        with suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)

    def look(self) -> CommandResult | None:
        """The result, once the command has ended."""
        self._read()
        ended, status = os.waitpid(self._pid, os.WNOHANG)
        if not ended:
            return None
        self._read()  # what it wrote last
        os.close(self._reading)
        os.close(self._pidfd)
        return CommandResult(
            os.waitstatus_to_exitcode(status), _shown(bytes(self._output)), timed_out=self._timed_out
        )

    def _read(self) -> None:
        """One piece: a command that writes without end must not keep us from looking at its time and at others."""
        with suppress(BlockingIOError):
            part = os.read(self._reading, _PIPE)
            self._output += part[: OUTPUT_LIMIT - len(self._output)]
            self._at_end = not part


def _shown(output: bytes) -> str:
    """Output on one line: blanks for line ends and tabs, underscores for what cannot be printed."""
    text = output.translate(bytes.maketrans(b"\t\n", b"  ")).decode("utf-8", "surrogateescape")
    return "".join(character if character.isprintable() else "_" for character in text)


def _become(run: CommandRun, message: int, output: int) -> NoReturn:
    """In the child: become the command."""
    try:
        os.setsid()
        os.dup2(message, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.closerange(3, 4096)
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        if run.file_size_limit:
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (run.file_size_limit, hard))
        try:
            os.chdir(run.directory)
        except OSError as error:
            if run.must_enter:
                caller = "pipe: fatal" if run.arguments else "local: fatal"
                directory = os.fsdecode(run.directory)
                _fail(f'cannot change directory to "{directory}": {error.strerror}', caller=caller)
            os.chdir("/")
        _execute(run)
        _fail("no shell")
    except BaseException as error:  # whatever it is, this process must not go on as the agent
        _fail(str(error))


def _execute(run: CommandRun) -> None:
    environment = dict(run.environment)
    if run.arguments:
        _exec(run.arguments, environment, caller="pipe: fatal: pipe_command")
    if run.shell:
        _exec((*_words(run.shell), run.command), environment, caller="local: fatal: pipe_command")
    if _NEEDS_NO_SHELL.fullmatch(run.command) and (words := _words(run.command)):
        _exec(words, environment, else_shell=b"/" not in words[0])
    _exec((_SHELL, b"-c", run.command), environment, name=b"sh")


def _exec(
    arguments: Sequence[bytes],
    environment: dict[bytes, bytes],
    *,
    name: bytes = b"",
    else_shell: bool = False,
    caller: str = "local: fatal",
) -> None:
    """As execvp(3): a file that is no program is a script of the shell's.

    Returns only for a program that is not there, if there is `else_shell` to try.
    """
    program, *rest = arguments
    try:
        os.execvpe(program, [name or program, *rest], environment)  # noqa: S606 - with the user's own rights
    except OSError as error:
        fault = error
    if fault.errno == errno.ENOEXEC:
        os.execve(_SHELL, [_SHELL, *arguments], environment)  # noqa: S606 - as above
    if not else_shell or fault.errno != errno.ENOENT:
        _fail(f"execvp {os.fsdecode(program)}: {fault.strerror}", caller=caller)


def _words(text: bytes) -> tuple[bytes, ...]:
    return tuple(word for word in _BLANKS.split(text) if word)


def _fail(reason: str, *, caller: str = "local: fatal") -> NoReturn:
    os.write(2, f"{caller}: {reason}\n".encode("utf-8", "replace"))
    os._exit(_TEMPORARY)


def outcome_of(run: CommandRun, result: CommandResult) -> Piece:
    """What the end of a command means for the mail."""
    output = f". Command output: {result.output}" if result.output else ""
    if result.timed_out:
        text = f'Command time limit exceeded: "{run.name}"{output}'
        return _failed("5.3.0", text, result.output or SYSEXITS[70][1])
    if result.status == 0:
        return Piece("sent", "2.0.0", f"delivered to command: {run.name}")
    if result.status < 0:
        text = f'Command died with signal {-result.status}: "{run.name}"{output}'
        return _failed("4.3.0", text, result.output or SYSEXITS[70][1])
    own = _OWN_STATUS.match(result.output)
    if own is not None:
        dsn, text = own[1], result.output[own.end() :]
        if dsn[0] == "2":  # it says that all is well, and its exit status that it is not
            dsn = "5.0.0"
        detail = text
    elif result.status in SYSEXITS:
        dsn, reason = SYSEXITS[result.status]
        text = f"{reason}{output}"
        detail = result.output or reason
    else:
        dsn, text = "5.3.0", f'Command died with status {result.status}: "{run.name}"{output}'
        detail = result.output or f"unknown mail system error {result.status}"
    return _failed(dsn, text, detail)


def _failed(dsn: str, text: str, detail: str) -> Piece:
    status = "deferred" if dsn.startswith("4") else "bounced"
    diagnostic = f"x-unix; {detail}" if detail else ""
    return Piece(status, dsn, text, to_owner=True, diagnostic=diagnostic)


def censored(value: bytes, allowed: str) -> bytes:
    """A value for a command's environment: what command_expansion_filter does not name becomes `_`."""
    return value.translate(_censor_table(allowed))


@cache
def _censor_table(allowed: str) -> bytes:
    keep = frozenset(allowed.encode("utf-8", "surrogateescape"))
    return bytes(code if code in keep else 0x5F for code in range(256))
