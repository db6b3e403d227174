"""passwd-file as passdb and userdb.

DESCRIPTION
    The file is looked at for each question and read anew when it has changed: who was added may log in at once,
    and an old password is wrong at once.  A uid or gid that a line does not
    give comes from the defaults (mail_uid, mail_gid).

    A password that was right is remembered as a keyed digest, as long as the stored password stays the same, so
    that the next login of a busy client costs microseconds and not the 20 ms of ARGON2ID.

FAULTS
    DatabaseFault  the file is missing, unreadable or has a user twice
"""

import grp
import hashlib
import hmac
import os
import pwd
from collections.abc import Callable
from typing import Final

from pillarbox.auth.password_schemes import UnknownScheme, verify
from pillarbox.auth.user_database import DatabaseFault, UserAccount
from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.tables.passwd_file import PasswdFileEntry, read_passwd_file
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.vocabulary.secret import Secret

_REMEMBERED: Final = 10000


class PasswdFile:
    """Users of one file."""

    driver = "passwd-file"

    def __init__(
        self, path: str, *, default_uid: int, default_gid: int, file_system: FileSystem = DISK
    ) -> None:
        self._path = path
        self._default = (default_uid, default_gid)
        self._files = file_system
        self._version: tuple[int, int, int] | None = None
        self._entries: dict[str, PasswdFileEntry] = {}
        self._key = os.urandom(32)
        self._right: dict[str, tuple[bytes, bytes]] = {}

    def check(self, user: str, password: Secret) -> str | None:
        """None if the password is right, else why not."""
        entry = self._entry(user)
        if entry is None:
            return "unknown user"
        for field, _ in entry.extra:
            # allow_nets, nologin and the like keep somebody out: to skip one would let him in.
            if not field.startswith("userdb_"):
                raise DatabaseFault(f"{self._path}: user {entry.user}: extra field {field} is not served")
        stored = entry.password.reveal()
        digest = hmac.digest(self._key, password.reveal(), hashlib.sha256)
        known = self._right.get(entry.user)
        if known is not None and known[0] == stored and hmac.compare_digest(known[1], digest):
            return None
        try:
            if not verify(password.reveal(), stored):
                return "Password mismatch"
        except UnknownScheme as fault:
            raise DatabaseFault(
                f"{self._path}: user {entry.user}: unknown password scheme {fault}"
            ) from fault
        if len(self._right) >= _REMEMBERED:
            self._right.clear()
        self._right[entry.user] = (stored, digest)
        return None

    def account(self, user: str) -> UserAccount | None:
        """The user's account."""
        entry = self._entry(user)
        if entry is None:
            return None
        uid = self._number(entry.uid, self._default[0], lambda name: pwd.getpwnam(name).pw_uid)
        gid = self._number(entry.gid, self._default[1], lambda name: grp.getgrnam(name).gr_gid)
        return UserAccount(entry.user, uid, gid, entry.home)

    def users(self) -> list[str]:
        """All users, in the order of the file."""
        self._refresh()
        return list(self._entries)

    def _entry(self, user: str) -> PasswdFileEntry | None:
        self._refresh()
        return self._entries.get(user.lower())

    def _number(self, text: str, default: int, by_name: Callable[[str], int]) -> int:
        if not text:
            return default
        try:
            return int(text) if text.isascii() and text.isdigit() else by_name(text)
        except KeyError:
            raise DatabaseFault(f"{self._path}: no such uid or gid: {text}") from None

    def _refresh(self) -> None:
        try:
            status = self._files.stat(self._path)
            version = (status.st_mtime_ns, status.st_size, status.st_ino)
            if version != self._version:
                content = self._files.read_file(self._path)
                self._entries = {entry.user: entry for entry in read_passwd_file(content, path=self._path)}
                self._version = version
        except OSError as error:
            raise DatabaseFault(f"{self._path}: {error.strerror}") from error
        except ConfigurationFault as fault:
            raise DatabaseFault(str(fault)) from fault
