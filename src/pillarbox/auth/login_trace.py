"""auth_debug and auth_debug_passwords: every step of a login and of a lookup, told in Dovecot's lines.

DESCRIPTION
    What clients say and hear, which databases are asked and which are left out:

        auth: Debug: client in: AUTH 1 PLAIN service=imap session=AbC rip=192.0.2.7 resp=<hidden>
        auth: Debug: passwd-file(me,192.0.2.7,<AbC>): Performing passdb lookup
        auth: Debug: passwd-file(me,192.0.2.7,<AbC>): lookup: user=me file=/etc/dovecot/users
        auth: Debug: passwd-file(me,192.0.2.7,<AbC>): Finished passdb lookup
        auth: Debug: client passdb out: FAIL 1 user=me

    Fields stand with a tab between them.  What may hold a password is told with auth_debug_passwords only.  The
    cookie with which logins are redeemed is never told.

STANDARDS
    Dovecot 2.3, auth_debug, auth_debug_passwords
"""

from collections.abc import Sequence
from typing import Final

from pillarbox.auth.user_database import LoginRequest, PasswordDatabase, UserDatabase
from pillarbox.observability.events import EventSink, MailboxNotice
from pillarbox.vocabulary.secret import Secret

_SENSITIVE: Final = " (previous base64 data may contain sensitive data)"


class LoginTrace:
    """Tells, if it `is_on`; whoever has much to prepare for a line asks first."""

    __slots__ = ("_tell", "is_on", "shows_passwords")

    def __init__(self, tell: EventSink, *, debug: bool = False, passwords: bool = False) -> None:
        """`debug`, `passwords`: auth_debug, auth_debug_passwords, which means both."""
        self._tell = tell
        self.is_on = debug or passwords
        self.shows_passwords = passwords

    def say(self, text: str) -> None:
        """One line."""
        if self.is_on:
            self._tell(MailboxNotice("auth", "Debug", text))

    def of(self, driver: str, request: LoginRequest, text: str) -> None:
        """A line about one login, or one lookup."""
        if self.is_on:
            self.say(f"{described(driver, request)}: {text}")

    def begins(self, kind: str, database: PasswordDatabase | UserDatabase, request: LoginRequest) -> None:
        """A database is asked: `kind` is passdb or userdb.  DatabaseFault."""
        if self.is_on:
            self.of(database.driver, request, f"Performing {kind} lookup")
            if text := database.lookup_text(request):
                self.of(database.driver, request, text)

    def ends(self, kind: str, driver: str, request: LoginRequest) -> None:
        """It has answered, or could not."""
        self.of(driver, request, f"Finished {kind} lookup")

    def mismatch(self, driver: str, request: LoginRequest, given: Secret, stored: Secret) -> None:
        """Which password was given, and which is stored as `{SCHEME}text`."""
        if self.shows_passwords:
            scheme, _, text = stored.reveal().decode("utf-8", "replace").removeprefix("{").partition("}")
            said = given.reveal().decode("utf-8", "replace")
            self.of(driver, request, f"{scheme}({said}) != '{text}'")

    def client_said(self, fields: Sequence[bytes]) -> None:
        """A line of the protocol from a client that has logins checked."""
        if not self.is_on:
            return
        if not self.shows_passwords and fields[0] == b"CONT":
            self.say("client in: CONT<hidden>")
            return
        holds_password = fields[0] == b"CONT" or any(field.startswith(b"resp=") for field in fields)
        if self.shows_passwords:
            self.say(f"client in: {_line(fields)}{_SENSITIVE if holds_password else ''}")
            return
        told = [b"resp=<hidden>" if field.startswith(b"resp=") else field for field in fields]
        self.say(f"client in: {_line(told)}")

    def client_hears(self, line: bytes) -> None:
        """The answer to it, with its line end."""
        if self.is_on:
            self.say(f"client passdb out: {_text(line)}")

    def master_said(self, fields: Sequence[bytes]) -> None:
        """A line of the protocol from a client that redeems logins or looks users up."""
        if self.is_on:
            told = [*fields[:4], b"<hidden>", *fields[5:]] if fields[0] == b"REQUEST" else fields
            self.say(f"master in: {_line(told)}")

    def master_hears(self, line: bytes, *, login: bool) -> None:
        """The answer to it: of a login that was redeemed, or of a lookup."""
        if self.is_on:
            self.say(f"{'master ' if login else ''}userdb out: {_text(line)}")


def described(driver: str, request: LoginRequest) -> str:
    """`passwd-file(me,192.0.2.7,<AbC>)`"""
    session = request.session and f"<{request.session}>"
    return f"{driver}({','.join(filter(None, (request.user or '?', request.remote, session)))})"


def _silence(_: object) -> None:
    """No events."""


SILENT: Final = LoginTrace(_silence)


def _line(fields: Sequence[bytes]) -> str:
    return b"\t".join(fields).decode("utf-8", "replace")


def _text(line: bytes) -> str:
    return line.rstrip(b"\n").decode("utf-8", "replace")
