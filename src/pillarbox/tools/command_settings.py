"""What the commands have in common: -c, MAIL_CONFIG, and messages on standard error.

FAULTS
    Stop  `NAME: fatal: …` on standard error, and an exit status of sysexits(3)
"""

import os
import re
import sys
from typing import Final

from pillarbox.config.host_facts import host_facts
from pillarbox.config.parameters.paths import Paths
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.reading import read_configuration
from pillarbox.config.snapshot import Snapshot
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.vocabulary.faults import ConfigurationFault

EX_USAGE: Final = 64
EX_NOUSER: Final = 67
EX_UNAVAILABLE: Final = 69
EX_SOFTWARE: Final = 70
EX_TEMPFAIL: Final = 75
EX_NOPERM: Final = 77

_DEFAULT_DIRECTORY: Final = "/etc/postfix"
_LOGGED: Final = {
    **{name: name for name in ("newaliases", "postalias", "postdrop", "postmap", "postqueue", "sendmail")},
    "mailq": "sendmail",
}
"""Commands whose troubles stand in the mail log, too, and as whose: callers such as cron show them to nobody."""


_UNPRINTABLE: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]")


class Stop(Exception):
    """The command ends here."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


def read_settings(directory: str, *, status: int = 1) -> Snapshot:
    """main.cf of the directory that -c or MAIL_CONFIG names; that one must be there."""
    named = directory or os.environ.get("MAIL_CONFIG", "")
    main_cf = os.path.join(named or _DEFAULT_DIRECTORY, "main.cf")
    if named:
        try:
            os.lstat(main_cf)
        except OSError as error:
            raise Stop(f"open {main_cf}: {error.strerror}", status) from error
    try:
        snapshot = read_configuration(named or _DEFAULT_DIRECTORY, facts=host_facts()).snapshot
    except ConfigurationFault as fault:
        raise Stop(f"{fault.where}: {fault.what}" if fault.where else fault.what, status) from fault
    _log.snapshot = snapshot
    return snapshot


def queue_of(snapshot: Snapshot) -> QueueDirectories:
    """The queue that the settings describe."""
    manager = snapshot.group(QueueManager)
    return QueueDirectories(
        snapshot.group(Paths).queue_directory,
        hashed=manager.hash_queue_names,
        depth=manager.hash_queue_depth,
    )


class _MailLog:
    """The mail log, as the settings that the command has read last describe it; or else those of MAIL_CONFIG."""

    snapshot: Snapshot | None = None

    def write(self, program: str, text: str) -> None:
        from pillarbox.tools.system_log import SystemLog  # most commands have no trouble

        if self.snapshot is None:
            try:
                read_settings("")
            except Stop:
                pass  # it goes to syslog
        log = SystemLog(self.snapshot, program=program, label=program)
        log.record(text)
        log.close()


_log: Final = _MailLog()


def tell(program: str, text: str) -> None:
    """A line on standard error, after what was printed before it; a fault or a warning is logged, too.

    What a terminal would not show as text, and octets that are no UTF-8, are question marks, as Postfix has it.
    """
    text = _UNPRINTABLE.sub("?", text)
    sys.stdout.flush()
    print(f"{program}: {text}", file=sys.stderr)
    if program in _LOGGED and text.startswith(("fatal: ", "warning: ")):
        _log.write(_LOGGED[program], text)


def fatal(program: str, stop: Stop) -> int:
    """The last words of a command; its exit status."""
    tell(program, f"fatal: {stop}")
    return stop.status
