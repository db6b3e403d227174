"""The log: lines of all events of one turn of the loop, in one write.

DESCRIPTION
    `LogFile` is an event sink.  Lines have the form of maillog_file and syslog files,

        Nov 22 13:36:37 mx postfix/smtpd[4946]: connect from localhost[127.0.0.1]

    and are appended to a descriptor that the supervisor opened (O_APPEND), whole lines in one write(2), so
    that lines of several processes never mix.  The time of a line is that of the event.

FAULTS
    A log that cannot be written (disk full) loses lines, and never holds up mail.
"""

import os
import socket
import time
from collections.abc import Callable
from typing import Final

from pillarbox.observability.events import Event
from pillarbox.observability.log_lines import DOVECOT, render
from pillarbox.vocabulary.clock import Clock

_MAX_LINE: Final = 2000


class LogFile:
    """Writes events as lines to a descriptor."""

    def __init__(
        self,
        descriptor: int,
        *,
        program: str,
        clock: Clock,
        syslog_name: str = "postfix",
        schedule: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        """`program` names lines that belong to no particular one.  `schedule` is loop.call_soon; without it
        each line is written at once."""
        self._descriptor = descriptor
        self._program = program
        self._clock = clock
        self._syslog_name = syslog_name
        self._schedule = schedule
        self._host = socket.gethostname().partition(".")[0]
        self._pid = os.getpid()
        self._lines: list[str] = []
        self._second = -1
        self._stamp = ""

    def __call__(self, event: Event) -> None:
        """Log an event."""
        rendered = render(event)
        if rendered is None:
            return
        program, text = rendered
        program = program or self._program
        tag = f"{DOVECOT}:" if program == DOVECOT else f"{self._syslog_name}/{program}[{self._pid}]:"
        first = not self._lines
        self._lines.append(f"{self._time()} {self._host} {tag} {text[:_MAX_LINE]}\n")
        if self._schedule is None:
            self.flush()
        elif first:
            self._schedule(self.flush)

    def flush(self) -> None:
        """Write what has gathered."""
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        try:
            os.write(self._descriptor, "".join(lines).encode("utf-8", "replace"))
        except OSError:
            pass  # see FAULTS

    def _time(self) -> str:
        second = int(self._clock.now())
        if second != self._second:
            self._second = second
            local = time.localtime(second)
            self._stamp = f"{_MONTHS[local.tm_mon - 1]} {local.tm_mday:2d} {time.strftime('%H:%M:%S', local)}"
        return self._stamp


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
