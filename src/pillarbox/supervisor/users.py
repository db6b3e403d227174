"""The users of the passwd-file, as `pillarbox user` changes them.

DESCRIPTION
    A change writes the whole file anew and renames it into place, so that readers see the old or the new one.
    Lines that are not changed stay as they are, comments and all.  A running system is told (SIGHUP to the MTA's
    supervisor), because as root its roles may not read the file themselves.

FAULTS
    UserFault  one line: what is wrong and what to do
"""

import fcntl
import os
import signal
from collections.abc import Callable

from pillarbox.supervisor.first_run import user_line
from pillarbox.supervisor.home import Home
from pillarbox.supervisor.status_query import ask_status
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.secret import Secret


class UserFault(Exception):
    """The change cannot be made."""


class Users:
    """The file's users."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._path = home.users

    def names(self) -> list[str]:
        """All users, in the order of the file."""
        return [line.split(":", 1)[0] for line in self._lines() if _is_user(line)]

    def add(self, name: str, password: Secret) -> None:
        """A new user."""
        user = _checked(name)
        with _Lock(self._home):
            lines = self._lines()
            if user in self.names():
                raise UserFault(f"{user} exists already; `pillarbox user passwd` changes the password")
            self._write([*lines, user_line(user, password)])

    def change_password(self, name: str, password: Secret) -> None:
        """A new password for a user; the rest of the line stays."""
        user = _checked(name)
        stored = user_line(user, password).split(":")[1]
        with _Lock(self._home):
            self._replace(user, lambda line: ":".join([user, stored, *line.split(":")[2:]]))

    def remove(self, name: str) -> None:
        """Forget a user.  The mailbox stays where it is."""
        user = _checked(name)
        with _Lock(self._home):
            self._replace(user, lambda _: "")

    def _replace(self, user: str, change: Callable[[str], str]) -> None:
        lines = self._lines()
        if user not in self.names():
            raise UserFault(f"there is no user {user}; `pillarbox user list` shows who there is")
        self._write([change(line) if line.split(":", 1)[0] == user else line for line in lines])

    def _lines(self) -> list[str]:
        try:
            with open(self._path, encoding="utf-8") as file:
                return [line if line.endswith("\n") else line + "\n" for line in file]
        except FileNotFoundError:
            raise UserFault(f"{self._path} is missing; `pillarbox run` makes it at the first start") from None
        except OSError as error:
            raise UserFault(f"cannot read {self._path}: {error.strerror}") from error

    def _write(self, lines: list[str]) -> None:
        status = os.stat(self._path)
        temporary = self._path.with_name(f".users.{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
            if os.getuid() == 0:
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fchmod(file.fileno(), status.st_mode & 0o777)
        os.rename(temporary, self._path)
        self._tell()

    def _tell(self) -> None:
        status = ask_status(self._home.status_socket("mta"))
        pid = status.get("pid") if status else None
        if isinstance(pid, int) and os.getuid() == 0:
            os.kill(pid, signal.SIGHUP)


class _Lock:
    """One change at a time."""

    def __init__(self, home: Home) -> None:
        self._path = home.etc / ".users.lock"
        self._descriptor = -1

    def __enter__(self) -> None:
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UserFault(f"cannot write {self._path}: {error.strerror}") from error
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _is_user(line: str) -> bool:
    return bool(line.strip()) and line[0] not in "#:"


def _checked(name: str) -> str:
    """The name as the file has it: lower case, an address, nothing that ends a field."""
    try:
        address = Address.parse(name.encode("utf-8", "surrogateescape"))
    except ValueError:
        address = Address(b"", b"")
    if not address.local_part or not address.domain or any(mark in name for mark in ":/\n\r\0 "):
        raise UserFault(f'"{name}" is not user@domain')
    return name.lower()
