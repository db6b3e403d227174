"""Where commands of the MTA log: the system's log, and a terminal if there is one on standard error.

DESCRIPTION
    A command's lines go where the daemons' go: syslog, or maillog_file when it is set, with the command's own
    tag, `postfix/postsuper[123]: …`.  On a terminal they are shown as `postsuper: …` too; a script sees on
    standard error only what ended the command.
"""

import sys
from typing import Final

from pillarbox.config.snapshot import Snapshot
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import Event, EventSink, Noted, Refused, Warned
from pillarbox.observability.log_file import LogFile, LogForm, syslog_descriptor
from pillarbox.observability.log_lines import render
from pillarbox.supervisor.log_target import LogTarget, mta_log
from pillarbox.vocabulary.faults import ConfigurationFault

_FALLBACK: Final = LogForm("syslog", "mail")


class SystemLog:
    """The log of one command.

    `program` is its name in the log, `label` what stands before its lines on a terminal.  With `shows_all` they
    stand on standard error whatever that is.
    """

    def __init__(
        self,
        snapshot: Snapshot | None,
        *,
        program: str,
        label: str,
        shows_all: bool = False,
        tag: str = "",
    ) -> None:
        """`tag` stands in the log instead of syslog_name/program."""
        self._label = label
        self._shows_all = shows_all
        self._target = target = _target(snapshot)
        self._log = LogFile(
            *target.descriptors,
            program="" if tag else program,
            clock=SystemClock(),
            syslog_name=tag or (snapshot.value("syslog_name") if snapshot is not None else "postfix"),
            form=target.form,
        )

    @property
    def sink(self) -> EventSink:
        """For events of what the command runs; nobody else sees them."""
        return self._log

    def note(self, text: str) -> None:
        """Something was done."""
        self._tell(Noted(text), to_script=False)

    def caution(self, text: str) -> None:
        """Something is wrong, and the command goes on."""
        self._tell(Warned(text), to_script=False)

    def advise(self, text: str) -> None:
        """The same, and whoever runs the command is to see it, be it a script."""
        self._tell(Warned(text), to_script=True)

    def refuse(self, text: str) -> None:
        """The command cannot go on."""
        self._tell(Refused(text), to_script=True)

    def record(self, line: str) -> None:
        """A line for the log alone: whoever runs the command has been told."""
        self._log(Noted(line))

    def close(self) -> None:
        """No more lines."""
        self._log.close()
        self._target.close()

    def _tell(self, event: Event, *, to_script: bool) -> None:
        self._log(event)
        rendered = render(event)
        if rendered is not None and (to_script or self._shows_all or sys.stderr.isatty()):
            sys.stderr.write(f"{self._label}: {rendered[1]}\n")
            sys.stderr.flush()


def _target(snapshot: Snapshot | None) -> LogTarget:
    if snapshot is not None and snapshot.value("maillog_file") != "/dev/stdout":
        try:
            return mta_log(snapshot)
        except ConfigurationFault:
            pass  # the daemons refuse to start with it and say so; here the line goes to syslog
    return LogTarget(syslog_descriptor(), _FALLBACK)
