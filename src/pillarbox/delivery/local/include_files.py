""":include: files that aliases list: read by ourselves if they are root's, else by their owner's agent.

FAULTS
    IncludeFault  the file is not read; what the log is told, and whether mail for it waits

STANDARDS
    aliases(5), local(8)
"""

import os

from pillarbox.delivery.local.frames import Account
from pillarbox.delivery.local.listed_files import NotRead, include_status, not_readable, read_list
from pillarbox.delivery.local.users import account_of
from pillarbox.files.file_system import FileSystem


class IncludeFault(Exception):
    """Why a file is not read, as lines for the log.  Mail `waits` for what root has to mend, else it is bounced."""

    def __init__(self, *warnings: str, waits: bool = False) -> None:
        super().__init__(*warnings)
        self.warnings = warnings
        self.status, self.dsn = ("deferred", "4.3.5") if waits else ("bounced", "5.3.5")


def read_include(path: bytes, files: FileSystem) -> tuple[Account | None, bytes]:
    """Whose agent is to read the file, or, if it is root's, None and what it says.  IncludeFault."""
    shown = os.fsdecode(path)
    try:
        status = include_status(path, files)
        if status.st_uid:
            return _owner(status.st_uid, shown), b""
        return None, read_list(path, files, what=f":include: file {shown}", owners=(0,))
    except PermissionError as error:
        text = f"cannot open include file {shown}: Permission denied; it must be readable by the mail system"
        raise IncludeFault(text, waits=True) from error
    except OSError as error:
        raise IncludeFault(str(not_readable(path, error))) from error
    except NotRead as fault:
        raise IncludeFault(str(fault)) from fault


def _owner(uid: int, shown: str) -> Account:
    account = account_of(uid)
    if account is None:
        raise IncludeFault(
            f"cannot find username for uid {uid}",
            f"{shown}: cannot find :include: file owner username",
            waits=True,
        )
    return account
