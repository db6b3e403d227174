"""passwd-file as passdb and userdb.

DESCRIPTION
    `args = scheme=CRYPT username_format=%u /etc/dovecot/users`; the path may have %-variables (`/etc/%d/passwd`).
    The file is looked at for each question and read anew when it has changed: who was added may log in at once,
    and an old password is wrong at once.

    A password that was right is remembered as a keyed digest, as long as the stored password stays the same, so
    that the next login of a busy client costs microseconds and not the 20 ms of ARGON2ID.

FAULTS
    DatabaseFault       the file is missing, unreadable or has a user twice; a user with an extra field that would
                        send him elsewhere (proxy, host)
    UnusablePassword    it is stored in a scheme that nobody knows
"""

import asyncio
import hashlib
import hmac
import os
from collections.abc import Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Final

from pillarbox.auth import fields
from pillarbox.auth.password_schemes import UnknownScheme, verify
from pillarbox.auth.user_database import (
    DatabaseFault,
    LoginRequest,
    PasswordRight,
    PasswordWrong,
    StoredPassword,
    UnknownUser,
    UnusablePassword,
    Verdict,
)
from pillarbox.config.dovecot.database_arguments import ELSEWHERE
from pillarbox.config.dovecot.variables import expand
from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.tables.passwd_file import PasswdFileEntry, read_passwd_file
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.vocabulary.secret import Secret

_REMEMBERED: Final = 10000
_MOST_FILES: Final = 1000


class PasswdFile:
    """Users of one file, or of one file for each domain."""

    driver = "passwd-file"

    def __init__(
        self, args: str, *, executor: Executor | None = None, file_system: FileSystem = DISK
    ) -> None:
        """`args` as in the configuration; passwords are hashed by the executor."""
        options, slash, path = f" {args}".partition(" /")
        self._path = slash[1:] + path.rstrip()
        given = fields.words(options)
        self._scheme = given.get("scheme", "CRYPT")
        self._format = given.get("username_format", "%u")
        self._executor = executor
        self._files = file_system
        self._read: dict[str, _File] = {}
        self._key = os.urandom(32)
        self._right: dict[tuple[str, str], tuple[bytes, bytes]] = {}

    def lookup_text(self, request: LoginRequest) -> str:
        """For auth_debug."""
        return f"lookup: user={expand(self._format, request.values())} file={self._file_of(request)}"

    async def verify(self, request: LoginRequest, password: Secret) -> Verdict:
        """Whether the password is the user's."""
        entry = self._entry(request)
        if entry is None:
            return UnknownUser()
        extra = self._extra(entry)
        if "nopassword" in extra and not entry.password.reveal():
            return PasswordRight(extra)
        stored = self._with_scheme(entry)
        name = (self._file_of(request), entry.user)
        user = request.user.encode()  # other users may have the same line (username_format), and {DIGEST-MD5}
        digest = hmac.digest(self._key, b"%b\0%b" % (user, password.reveal()), hashlib.sha256)
        known = self._right.get(name)
        if known is not None and known[0] == stored and hmac.compare_digest(known[1], digest):
            return PasswordRight(extra)
        loop = asyncio.get_running_loop()
        try:
            check = partial(verify, password.reveal(), stored, user=user)
            is_right = await loop.run_in_executor(self._executor, check)
        except UnknownScheme as fault:
            raise UnusablePassword(f"Unknown scheme {fault}") from fault
        if not is_right:
            return PasswordWrong("Password mismatch", no_delay="nodelay" in extra, fields=extra)
        if len(self._right) >= _REMEMBERED:
            self._right.clear()
        self._right[name] = (stored, digest)
        return PasswordRight(extra)

    async def stored(self, request: LoginRequest) -> StoredPassword | None:
        """The user's password as the file has it."""
        entry = self._entry(request)
        if entry is None:
            return None
        return StoredPassword(Secret(self._with_scheme(entry)), self._extra(entry))

    async def lookup(self, request: LoginRequest) -> Mapping[str, str] | None:
        """uid, gid, home and the fields userdb_x of the user; a line without these columns has no account."""
        entry = self._entry(request)
        if entry is None or not entry.has_account:
            return None
        found = {"uid": entry.uid, "gid": entry.gid, "home": entry.home}
        found |= {
            key.removeprefix("userdb_"): value for key, value in entry.extra if key.startswith("userdb_")
        }
        return {key: value for key, value in found.items() if value}

    async def users(self) -> list[str]:
        """All users, in the order of the file; none if there is a file for each domain."""
        return list(self._entries(self._path)) if "%" not in self._path else []

    def _extra(self, entry: PasswdFileEntry) -> dict[str, str]:
        for field, _ in entry.extra:
            if field in ELSEWHERE:
                raise DatabaseFault(f"{self._path}: user {entry.user}: extra field {field} is not served")
        return {key: value or "yes" for key, value in entry.extra}

    def _with_scheme(self, entry: PasswdFileEntry) -> bytes:
        stored = entry.password.reveal()
        return stored if stored.startswith(b"{") else b"{%s}%s" % (self._scheme.encode(), stored)

    def _entry(self, request: LoginRequest) -> PasswdFileEntry | None:
        name = expand(self._format, request.values())
        return self._entries(self._file_of(request)).get(name)

    def _file_of(self, request: LoginRequest) -> str:
        if "%" not in self._path:
            return self._path
        values = request.values()
        own = (value for name, value in values.items() if ":" not in name)  # fields are the admin's
        if any("/" in value or value in (".", "..") for value in own):
            raise DatabaseFault(f"{self._path}: a name with a slash")
        return expand(self._path, values)

    def _entries(self, path: str) -> dict[str, PasswdFileEntry]:
        if len(self._read) > _MOST_FILES:
            self._read.clear()
        file = self._read.setdefault(path, _File(path, self._files))
        return file.entries()


class _File:
    """One file as it is now."""

    def __init__(self, path: str, files: FileSystem) -> None:
        self._path = path
        self._files = files
        self._version: tuple[int, int, int] | None = None
        self._entries: dict[str, PasswdFileEntry] = {}

    def entries(self) -> dict[str, PasswdFileEntry]:
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
        return self._entries
