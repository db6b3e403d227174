"""Where the log of a half goes: syslog, a file, or standard output; opened by its supervisor for all roles.

FAULTS
    ConfigurationFault  a maillog_file outside maillog_file_prefixes, or one that cannot be opened
"""

import os
from typing import Final, Literal

import msgspec

from pillarbox.config.parameters.logging import Logging
from pillarbox.config.snapshot import Snapshot
from pillarbox.observability.log_file import LogForm, syslog_descriptor
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.vocabulary.syslog_facilities import FACILITY_NAMES

STANDARD_OUTPUT: Final = "/dev/stdout"


class LogTarget(msgspec.Struct, frozen=True):
    """Open descriptors and what is behind them."""

    descriptor: int
    form: LogForm = LogForm()
    others: tuple[int, ...] = ()
    """What the form's `others` are of."""

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All of them."""
        return (self.descriptor, *self.others)

    def close(self) -> None:
        """Close this process's descriptors; roles keep theirs."""
        for descriptor in self.descriptors:
            os.close(descriptor)


def file_target(path: str, *, mode: int = 0o600, form: LogForm | None = None) -> LogTarget:
    """A file to append to."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, mode)
    return LogTarget(descriptor, form or LogForm())


def mta_log(snapshot: Snapshot) -> LogTarget:
    """What maillog_file says: a file, standard output, or syslog if it is empty."""
    settings = snapshot.group(Logging)
    path = settings.maillog_file
    if not path:
        facility = settings.syslog_facility
        if facility not in FACILITY_NAMES:
            raise ConfigurationFault(
                snapshot.where("syslog_facility"),
                f'parameter syslog_facility: "{facility}" is no facility',
                mend="mail is the usual one",
            )
        return LogTarget(syslog_descriptor(), _form(settings, "syslog"))
    check_maillog_file(snapshot)
    try:
        if path == STANDARD_OUTPUT:
            return LogTarget(os.dup(1), _form(settings, "maillog"))
        return file_target(path, mode=settings.maillog_file_permissions, form=_form(settings, "maillog"))
    except OSError as error:
        where = snapshot.where("maillog_file")
        raise ConfigurationFault(where, f"cannot open maillog_file {path}: {error.strerror}") from error


def _form(settings: Logging, kind: Literal["maillog", "syslog"]) -> LogForm:
    return LogForm(
        kind,
        settings.syslog_facility,
        settings.info_log_address_format == "internal",
        settings.delay_logging_resolution_limit,
    )


def check_maillog_file(snapshot: Snapshot) -> None:
    """maillog_file lies below one of maillog_file_prefixes."""
    settings = snapshot.group(Logging)
    path = settings.maillog_file
    prefixes = settings.maillog_file_prefixes
    below = (path == prefix or path.startswith(prefix.rstrip("/") + "/") for prefix in prefixes)
    if path and (not any(below) or "/../" in path):
        raise ConfigurationFault(
            snapshot.where("maillog_file"),
            f"maillog_file value '{path}' does not match any prefix in maillog_file_prefixes",
        )
