"""Events of the mailbox half as Dovecot's log lines: who says it, how bad it is, and what.

DESCRIPTION
    `mailbox_line(event, lines)` gives the parts of `imap(me)<42><AbC>: Info: Disconnected: Logged out …`; the
    templates of dovecot.conf (`MailboxLines`) say how lines of logins and of mail users look.
"""

import os
from collections.abc import Callable
from typing import Any, Final

import msgspec

from pillarbox.config.dovecot.log_formats import MailboxLines
from pillarbox.config.dovecot.variables import field_values, named_values, user_values
from pillarbox.observability import events as e

_USUAL: Final = MailboxLines()


class MailboxLine(msgspec.Struct, frozen=True):
    """A line in its parts; its text is that of a log file."""

    prefix: str  # `auth: `, `imap(me)<42><AbC>: `
    severity: str  # Debug, Info, Warning, Error, Fatal
    text: str

    def __str__(self) -> str:
        return f"{self.prefix}{self.severity}: {self.text}"


def mailbox_line(event: e.Event, lines: MailboxLines = _USUAL) -> MailboxLine | None:
    """The line of an event; None if it is none of the mailbox half's."""
    renderer = _RENDERERS.get(type(event))
    return None if renderer is None else renderer(event, lines)


def _notice(event: e.MailboxNotice, lines: MailboxLines) -> MailboxLine:
    program = event.program
    prefix = f"{program}: " if isinstance(program, str) else _prefix(program, lines)
    return MailboxLine(prefix, event.severity, event.text)


def _prefix(who: e.MailUser, lines: MailboxLines) -> str:
    """mail_log_prefix."""
    user = user_values(who.user)
    return lines.mail_prefix(
        who.service,
        user
        | {
            "service": who.service,
            "lip": who.local,
            "rip": who.remote,
            "pid": str(os.getpid()),
            "session": who.session,
            "uid": str(os.getuid()),
            "gid": str(os.getgid()),
            **named_values("auth", who.fields.get("auth_user", who.user)),
            **field_values("userdb", who.fields),
            "hostname": os.uname().nodename,
        },
    )


def _login(
    event: e.LoggedIn | e.LoginEnded | e.LoginTrouble | e.ClientIdentified,
    lines: MailboxLines,
    message: str,
    *,
    severity: str = "Info",
    service: str = "imap",
    user: str = "",
    method: str = "",
    worker: str = "",
) -> MailboxLine:
    """login_log_format."""
    names = user_values(user)
    values = {
        **names,
        "service": service,
        "lip": event.local,
        "rip": event.remote,
        "pid": str(os.getpid()),
        "mech": method,
        "secured": event.security,
        "mail_pid": worker,
        "session": event.session,
        "real_lip": event.local,
        "real_rip": event.remote,
        **named_values("orig", user),
        **named_values("auth", user),
        **event.facts,
    }
    return MailboxLine(f"{service}-login: ", severity, lines.login(service, message, values))


def _logged_in(event: e.LoggedIn, lines: MailboxLines) -> MailboxLine:
    return _login(
        event,
        lines,
        "Login",
        service=event.service,
        user=event.user,
        method=event.method,
        worker=str(event.worker),
    )


def _login_ended(event: e.LoginEnded, lines: MailboxLines) -> MailboxLine:
    message = f"Disconnected: {event.reason.removeprefix('Disconnected: ')}"
    return _login(event, lines, message, service=event.service, user=event.user, method=event.method)


def _login_trouble(event: e.LoginTrouble, lines: MailboxLines) -> MailboxLine:
    return _login(
        event, lines, event.text, severity=event.severity, service=event.service, method=event.method
    )


def _client_identified(event: e.ClientIdentified, lines: MailboxLines) -> MailboxLine:
    return _login(event, lines, f"ID sent: {event.text}")


def _password_refused(event: e.PasswordRefused, _: MailboxLines) -> MailboxLine:
    session = event.session and f"<{event.session}>"
    who = ",".join(filter(None, (event.user or "?", event.remote, session)))
    return MailboxLine("auth: ", "Info", f"{event.driver}({who}): {event.reason}")


def _mail_session_ended(event: e.MailSessionEnded, lines: MailboxLines) -> MailboxLine:
    who = e.MailUser(event.service, event.user, event.session, event.remote, event.local, event.fields)
    return MailboxLine(_prefix(who, lines), "Info", f"Disconnected: {event.reason} {event.figures}")


_RENDERERS: Final[dict[type, Callable[[Any, MailboxLines], MailboxLine]]] = {
    e.MailboxNotice: _notice,
    e.LoggedIn: _logged_in,
    e.ClientIdentified: _client_identified,
    e.LoginEnded: _login_ended,
    e.LoginTrouble: _login_trouble,
    e.PasswordRefused: _password_refused,
    e.MailSessionEnded: _mail_session_ended,
}
MAILBOX_EVENTS: Final = frozenset(_RENDERERS)
"""Those that `mailbox_line()` has lines for."""
