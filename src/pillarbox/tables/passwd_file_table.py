"""`passwd-file:/path` as a lookup table: a user's Maildir, from the very file that authentication reads.

DESCRIPTION
    The key is a user, `me@pillarbox.test`; the value is the mailbox below virtual_mailbox_base as virtual(8)
    takes it: the home's path and `/Maildir/`, without a leading slash.  Passwords are not kept.

    The file is looked at once a second at most, as Dovecot does, and before a user is said to be missing: smtpd and
    qmgr must not differ about somebody who has just been added.  A role that dropped the right to read the file
    keeps what it has until it is replaced.

FAULTS
    ConfigurationFault  at open; at query, a file that went bad is `LookupFault`
"""

from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.tables.passwd_file import read_passwd_file
from pillarbox.tables.table import LookupFault, Opening
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.faults import ConfigurationFault


class PasswdFileTable:
    """Users and their Maildirs."""

    partial_keys = False
    owner_uid = 0  # its values are mailboxes, never commands

    def __init__(self, path: str, *, clock: Clock, file_system: FileSystem = DISK) -> None:
        self.name = f"passwd-file:{path}"
        self._path = path
        self._clock = clock
        self._files = file_system
        self._checked = clock.monotonic()
        self._version = self._file_version()
        self._mailboxes = self._read()

    def query(self, key: str) -> str | None:
        """The mailbox of a user."""
        user = key.lower()
        now = self._clock.monotonic()
        if now - self._checked >= 1 or user not in self._mailboxes:
            self._checked = now
            self._refresh()
        return self._mailboxes.get(user)

    def _refresh(self) -> None:
        try:
            version = self._file_version()
            if version != self._version:
                self._mailboxes = self._read()
                self._version = version
        except ConfigurationFault as fault:
            if "Permission denied" not in fault.what:
                raise LookupFault(self.name, str(fault)) from fault

    def _file_version(self) -> tuple[int, int, int]:
        try:
            status = self._files.stat(self._path)
        except OSError as error:
            raise ConfigurationFault(self._path, f"cannot open table: {error.strerror}") from error
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> dict[str, str]:
        try:
            content = self._files.read_file(self._path)
        except OSError as error:
            raise ConfigurationFault(self._path, f"cannot open table: {error.strerror}") from error
        return {
            entry.user.lower(): f"{entry.home.strip('/')}/Maildir/"
            for entry in read_passwd_file(content, path=self._path)
        }


def open_passwd_file(path: str, opening: Opening) -> PasswdFileTable:
    """The table of a file.  OSError."""
    return PasswdFileTable(path, clock=opening.clock)
