"""The log: lines of all events of one turn of the loop, to a file or to syslog.

DESCRIPTION
    `LogFile` is an event sink over a descriptor that the supervisor opened.  A `LogForm` says what is behind it:

    maillog    a file (maillog_file, or the output of start-fg):
               Nov 22 13:36:37 mx postfix/smtpd[4946]: connect from localhost[127.0.0.1]
    dovecot    a file (log_path of dovecot.conf):
               Nov 22 13:36:37 imap-login: Info: Login: user=<…>
    syslog     the socket /dev/log, one datagram per line with facility and severity; here lines of the mailbox
               half have no `Info:`, as the severity says it

    Lines of the mailbox half that tell of no fault, and those that help to find one, may have files of their own
    (info_log_path, debug_log_path), or go to syslog while others go into a file.

    Whole lines go into a file in one write(2) with O_APPEND, so that lines of several processes never mix.  The
    time of a line is that of the event.  `named()` is the same log under another syslog_name: services of one
    process have names of their own.

FAULTS
    A log that cannot be written (disk full, no syslog daemon) loses lines, and never holds up mail for more than
    a second.  A syslog daemon that was started anew is found again.

STANDARDS
    RFC 3164 §4.1 as syslog(3) of the C library writes it: <PRI>, time, tag; no host name
"""

import os
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec

from pillarbox.config.dovecot.log_formats import TIMESTAMP, MailboxLines
from pillarbox.observability.events import Event
from pillarbox.observability.log_lines import (
    DELAY_DIGITS,
    DOVECOT,
    printable,
    printable_fields,
    render_of_mail,
)
from pillarbox.observability.mailbox_lines import MAILBOX_EVENTS, MailboxLine, mailbox_line
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.syslog_facilities import FACILITIES

SYSLOG_SOCKET: Final = "/dev/log"
_MAX_LINE: Final = 2000
_PATIENCE_SECONDS: Final = 1.0

_CRITICAL, _ERROR, _WARNING, _INFORMATION, _DEBUG = 2, 3, 4, 6, 7
_SEVERITIES: Final = {
    "fatal": _CRITICAL,
    "panic": _CRITICAL,
    "error": _ERROR,
    "warning": _WARNING,
    "debug": _DEBUG,
}
"""By the word that a line of Postfix's begins with, and by the names of Dovecot's severities."""


LogKind = Literal["maillog", "syslog", "dovecot"]


class LogForm(msgspec.Struct, frozen=True):
    """What is behind a log's descriptor."""

    kind: LogKind = "maillog"
    facility: str = "mail"
    internal_addresses: bool = False  # info_log_address_format = internal
    delay_digits: int = DELAY_DIGITS
    lines: MailboxLines = MailboxLines()
    timestamp: str = TIMESTAMP  # log_timestamp, of a Dovecot log that is a file
    others: tuple[LogKind, ...] = ()
    """What is behind further descriptors."""
    info: int = 0
    debug: int = 0
    """To which descriptor lines of these severities go."""


class ServiceLines(msgspec.Struct, frozen=True):
    """How the lines of one service are written, if options of its own say so."""

    syslog_name: str
    internal_addresses: bool = False  # info_log_address_format = internal
    delay_digits: int = DELAY_DIGITS  # delay_logging_resolution_limit


class LogFile:
    """Writes events as lines to a descriptor."""

    def __init__(
        self,
        *descriptors: int,
        program: str,
        clock: Clock,
        syslog_name: str = "postfix",
        form: LogForm | None = None,
        schedule: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        """`descriptors`: what the form's `kind` and `others` are of.

        `program` names lines that belong to no particular one; if it is empty, syslog_name is the whole tag.
        `schedule` is loop.call_soon; without it each line is written at once.
        """
        self._form = form or LogForm()
        self._program = program
        self._clock = clock
        self._syslog_name = syslog_name
        self._schedule = schedule
        self._host = socket.gethostname().partition(".")[0]
        self._pid = os.getpid()
        self._is_scheduled = False
        self._second = -1
        self._stamp = ""
        self._tags: dict[tuple[str, str], str] = {}
        self._open(descriptors)

    def __call__(self, event: Event) -> None:
        """Log an event."""
        self.log(event, self._syslog_name)

    def named(self, syslog_name: str, program: str = "", *, of_cleanup: str = "") -> Callable[[Event], None]:
        """The same log for a service with a syslog_name, and perhaps a program's name, of its own.

        `of_cleanup` is the syslog_name of the cleanup service: what is done to a message is logged by that.
        """
        return lambda event: self.log(event, syslog_name, program, of_cleanup=of_cleanup)

    def of_service(self, lines: ServiceLines, program: str) -> Callable[[Event], None]:
        """The same log for a service with such lines."""
        return lambda event: self.log(event, lines.syslog_name, program, lines=lines)

    def log(
        self,
        event: Event,
        syslog_name: str,
        service_program: str = "",
        *,
        of_cleanup: str = "",
        lines: ServiceLines | None = None,
    ) -> None:
        """Log an event under a name; `lines` of a service are in place of what the log's form says."""
        form = self._form
        if type(event) in MAILBOX_EVENTS:
            line = mailbox_line(event, form.lines)
            assert line is not None, "each of them has one"
            output = self._by_severity.get(line.severity, self._main)
            output.lines.append(self._mailbox_line(line, output.kind))
        else:
            own = lines or form
            rendered = render_of_mail(event, internal=own.internal_addresses, digits=own.delay_digits)
            if rendered is None:
                return
            program, text = rendered
            program = program or service_program or self._program
            if of_cleanup and program == "cleanup":
                syslog_name = of_cleanup
            self._main.lines.append(self._line(syslog_name, program, text[:_MAX_LINE]))
        if self._schedule is None:
            self.flush()
        elif not self._is_scheduled:
            self._is_scheduled = True
            self._schedule(self.flush)

    def flush(self) -> None:
        """Write what has gathered."""
        self._is_scheduled = False
        for output in self._outputs:
            if output.lines:
                lines, output.lines = output.lines, []
                output.writer.write(lines)

    def redirect(self, *descriptors: int) -> None:
        """Go on in other files of the same form."""
        self.flush()
        self._open(descriptors)

    def close(self) -> None:
        """Write what has gathered, and no more.  The descriptors are their owner's to close."""
        self.flush()
        for output in self._outputs:
            output.writer.close()

    def _open(self, descriptors: Sequence[int]) -> None:
        form = self._form
        self._outputs: list[_Output] = []
        for kind, descriptor in zip((form.kind, *form.others), descriptors, strict=True):
            is_syslog = kind == "syslog"
            writer = Syslog(descriptor, clock=self._clock) if is_syslog else _FileWriter(descriptor)
            self._outputs.append(_Output(kind, writer, []))
        self._main = self._outputs[0]
        self._by_severity = {"Info": self._outputs[form.info], "Debug": self._outputs[form.debug]}

    def _mailbox_line(self, line: MailboxLine, kind: str) -> str:
        prefix, text = printable(line.prefix), printable_fields(line.text)[:_MAX_LINE]
        if kind == "syslog":
            shown = text if line.severity == "Info" else f"{line.severity}: {text}"
            severity = _SEVERITIES.get(line.severity.lower(), _INFORMATION)
            return f"{self._priority(severity)}{self._time()} {DOVECOT}: {prefix}{shown}"
        stamp = f"{self._time()} {self._host} {DOVECOT}: " if kind == "maillog" else self._dovecot_time()
        return f"{stamp}{prefix}{line.severity}: {text}\n"

    def _line(self, syslog_name: str, program: str, text: str) -> str:
        kind = self._main.kind
        if kind == "dovecot":
            return f"{self._dovecot_time()}{text}\n"
        stamp = self._time()
        tag = self._tags.get((syslog_name, program))
        if tag is None:
            name = f"{syslog_name}/{program}" if program else syslog_name
            tag = f"{name}[{self._pid}]:"
            self._tags[syslog_name, program] = tag
        if kind == "maillog":
            return f"{stamp} {self._host} {tag} {text}\n"
        word = text.partition(": ")[0]
        severity = _SEVERITIES.get(word.lower(), _INFORMATION)
        return f"{self._priority(severity)}{stamp} {tag} {text}"

    def _priority(self, severity: int) -> str:
        return f"<{FACILITIES.index(self._form.facility) * 8 + severity}>"

    def _dovecot_time(self) -> str:
        """log_timestamp."""
        form = self._form.timestamp
        return (
            f"{self._time()} "
            if form == TIMESTAMP
            else time.strftime(form, time.localtime(self._clock.now()))
        )

    def _time(self) -> str:
        second = int(self._clock.now())
        if second != self._second:
            self._second = second
            local = time.localtime(second)
            self._stamp = f"{_MONTHS[local.tm_mon - 1]} {local.tm_mday:2d} {time.strftime('%H:%M:%S', local)}"
        return self._stamp


class _Output(msgspec.Struct):
    """One of the places that lines go to."""

    kind: str
    writer: "Syslog | _FileWriter"
    lines: list[str]


class _FileWriter:
    """All lines in one write."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def close(self) -> None:
        """It has nothing of its own."""

    def write(self, lines: list[str]) -> None:
        """Append the lines."""
        try:
            os.write(self._descriptor, "".join(lines).encode("utf-8", "replace"))
        except OSError:
            pass  # see FAULTS


class Syslog:
    """One datagram per line.

    `descriptor` is a datagram socket, connected or not; when nobody listens it is tried anew, once a second.
    """

    def __init__(self, descriptor: int, *, clock: Clock, path: str = SYSLOG_SOCKET) -> None:
        self._sock = socket.socket(fileno=os.dup(descriptor))
        self._sock.settimeout(_PATIENCE_SECONDS)
        self._clock = clock
        self._path = path
        self._last_try = -_PATIENCE_SECONDS

    def write(self, lines: list[str]) -> None:
        """Send the lines."""
        for line in lines:
            message = line.encode("utf-8", "replace")
            if not self._send(message) and self._reconnect():
                self._send(message)

    def close(self) -> None:
        """Close this writer's own descriptor."""
        self._sock.close()

    def _send(self, message: bytes) -> bool:
        try:
            self._sock.send(message)
        except TimeoutError:
            return True  # the daemon is there, and too busy: see FAULTS
        except OSError:
            return False
        return True

    def _reconnect(self) -> bool:
        now = self._clock.monotonic()
        if now - self._last_try < _PATIENCE_SECONDS:
            return False
        self._last_try = now
        try:
            self._sock.connect(self._path)
        except OSError:
            return False
        return True


def syslog_descriptor(path: str = SYSLOG_SOCKET) -> int:
    """A socket for `LogForm("syslog")`, connected if there is a daemon."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sock.connect(path)
    except OSError:
        pass  # a later line tries again
    return sock.detach()


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
