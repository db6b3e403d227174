"""Events as Postfix's and Dovecot's log lines.

DESCRIPTION
    `render()` gives program and text of the line that an event stands for: `("smtpd", "connect from …")`.
    fail2ban, pflogsumm, logwatch and metric exporters read these lines, so their form is an interface.
    What a peer sent cannot forge a line or a field: control characters become `?`, and addresses stand
    between angle brackets with `<`, `>` and blanks inside quoted by the address itself.

    Dovecot's programs are told from Postfix's by `DOVECOT` (the tag of their lines); what their lines say is in
    `mailbox_lines.py`.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import msgspec

from pillarbox.observability import events as e
from pillarbox.observability.mailbox_lines import mailbox_line
from pillarbox.vocabulary.address import Address

DOVECOT: Final = "dovecot"
"""Program name of lines that belong to the mailbox half."""

_UNPRINTABLE: Final = {
    code: "?" for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0xFEFF, *range(0xDC80, 0xDD00))
}  # octets that are no UTF-8, and a line break in any script ends a line for some reader


_NO_FIELD: Final = str.maketrans("<>, ;", "?????")
"""What a HELO name must not hold, lest it look like another field of the line."""


def printable(text: str | bytes) -> str:
    """Text that cannot break a log line."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    return text if text.isprintable() else text.translate(_UNPRINTABLE)


def printable_fields(text: str) -> str:
    """The same with tabs, which lines of Dovecot's have between fields of a protocol."""
    return text if text.isprintable() else "\t".join(map(printable, text.split("\t")))


DELAY_DIGITS: Final = 2
"""Digits behind the point of delays, unless delay_logging_resolution_limit says another number."""


def render(event: e.Event, *, internal: bool = False, digits: int = DELAY_DIGITS) -> tuple[str, str] | None:
    """Program and text of the event's line; None if it has none.

    With `internal` addresses are shown without their quotes (info_log_address_format).
    """
    if (line := mailbox_line(event)) is not None:
        return DOVECOT, printable(str(line))
    return render_of_mail(event, internal=internal, digits=digits)


def render_of_mail(
    event: e.Event, *, internal: bool = False, digits: int = DELAY_DIGITS
) -> tuple[str, str] | None:
    """The same for an event that is none of the mailbox half's."""
    kind = type(event)
    renderer = _RENDERERS.get(kind)
    if renderer is None:
        return None
    if internal:
        event = _without_quotes(event)
    program, text = _attempt(event, digits) if kind is e.AttemptMade else renderer(event)  # type: ignore[arg-type]
    return program, text if text.isprintable() else printable(text)


def delay_text(seconds: float, digits: int = DELAY_DIGITS) -> str:
    """A delay as `delay=` has it: two significant digits, at most `digits` behind the point; 0.05, 1.2, 35."""
    microseconds = int(max(0.0, seconds) * _MICROSECONDS)
    if microseconds < _MICROSECONDS and digits == DELAY_DIGITS:  # as nearly all are
        return _HUNDREDTHS[(microseconds + 5_000) // 10_000]
    if _MICROSECONDS <= microseconds < 10 * _MICROSECONDS and digits > 0:
        return _TENTHS[(microseconds + 50_000) // 100_000]
    resolution = _MICROSECONDS // 10**digits
    if microseconds < min(100 * resolution, _MICROSECONDS):
        return _short_delay((microseconds + resolution // 2) // resolution * resolution)
    whole, rest = divmod(microseconds, _MICROSECONDS)
    if resolution < _MICROSECONDS:
        if whole:
            resolution = _MICROSECONDS // (10 if whole < 10 else 1)
        else:
            while rest >= 100 * resolution:
                resolution *= 10
    rest += resolution // 2
    if rest >= _MICROSECONDS:
        whole, rest = whole + 1, rest - _MICROSECONDS
    behind = f"{rest // resolution * resolution:06d}".rstrip("0") if rest >= resolution else ""
    return f"{whole}.{behind}" if behind else f"{whole}"


def _short_delay(microseconds: int) -> str:
    """The same, rounded."""
    whole, rest = divmod(microseconds, _MICROSECONDS)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")


_MICROSECONDS: Final = 1_000_000
_TENTHS: Final = tuple(_short_delay(100_000 * number) for number in range(101))
_HUNDREDTHS: Final = tuple(_short_delay(10_000 * number) for number in range(101))


@lru_cache(maxsize=4)
def _delays_text(delays: tuple[float, ...], digits: int) -> str:
    """`delay=` and `delays=`; all recipients of a delivery have the same."""
    each = "/".join([delay_text(delay, digits) for delay in delays])
    return f"delay={delay_text(sum(delays), digits)}, delays={each}"


_ADDRESSES: Final[dict[type, tuple[str, ...]]] = {
    e.CommandRefused: ("sender", "recipient"),
    e.FilterAnswered: ("sender", "recipient"),
    e.ContentInspected: ("sender", "recipient"),
    e.MessagePickedUp: ("sender",),
    e.MessageActive: ("sender",),
    e.MessageExpired: ("sender",),
    e.AttemptMade: ("recipient", "original"),
}


def _without_quotes(event: e.Event) -> e.Event:
    changes: dict[str, bytes] = {}
    for name in _ADDRESSES.get(type(event), ()):
        address: bytes | None = getattr(event, name)
        if address and b'"' in address:
            try:
                changes[name] = Address.parse(address).internal
            except ValueError:
                continue  # what a client has said, and is no address
    return msgspec.structs.replace(event, **changes) if changes else event


def _disconnected(event: e.ClientDisconnected) -> tuple[str, str]:
    words = [
        f"{verb}={succeeded}" if succeeded == total else f"{verb}={succeeded}/{total}"
        for verb, succeeded, total in event.commands
    ]
    succeeded = sum(command[1] for command in event.commands)
    total = sum(command[2] for command in event.commands)
    if not words:
        words.append("commands=0/0")
    else:
        words.append(f"commands={succeeded}" if succeeded == total else f"commands={succeeded}/{total}")
    return "smtpd", f"disconnect from {event.client} {' '.join(words)}"


def _lost(event: e.ClientLost) -> tuple[str, str]:
    # Postfix 3.10 and later begin with the queue id or NOQUEUE; log readers know the older form.
    return "smtpd", f"{event.what} after {event.after} from {event.client}"


def _begun(event: e.MessageBegun) -> tuple[str, str]:
    text = f"{event.queue_id}: client={event.client}"
    if (
        event.sasl_method
        or event.sasl_username
        or event.sasl_sender
        or event.orig_queue_id
        or event.orig_client
    ):
        for name in ("sasl_method", "sasl_username", "sasl_sender", "orig_queue_id", "orig_client"):
            if value := getattr(event, name):
                text += f", {name}={value}"
    return "smtpd", text


def _refused(event: e.CommandRefused) -> tuple[str, str]:
    text = f"{event.queue_id or 'NOQUEUE'}: {event.verb}: {event.stage} from {event.client}: {_text(event.reply)};"
    if event.sender is not None:
        text += f" from=<{_text(event.sender)}>"
    if event.recipient is not None:
        text += f" to=<{_text(event.recipient)}>"
    if not event.protocol:  # it is about none of what the client has said
        return "smtpd", text[:-1]
    text += f" proto={event.protocol}"
    if event.helo:
        text += f" helo=<{_text(event.helo).translate(_NO_FIELD)}>"
    return "smtpd", text


def _filter_answered(event: e.FilterAnswered) -> tuple[str, str]:
    verb = "proxy-accept" if event.accepted else "proxy-reject"
    text = f"{verb}: END-OF-MESSAGE: {_text(event.reply)}; from=<{_text(event.sender)}>"
    text += f" to=<{_text(event.recipient)}> proto={event.protocol}"
    if event.helo:
        text += f" helo=<{_text(event.helo).translate(_NO_FIELD)}>"
    return "smtpd", text


def _inspected(event: e.ContentInspected) -> tuple[str, str]:
    text = (
        f"{event.queue_id}: {event.verb}: {event.kind} {_text(event.content[:200])} from {event.client}; "
        f"from=<{_text(event.sender)}> to=<{_text(event.recipient)}>"
    )
    if event.kind.startswith("mime-error"):
        return "cleanup", text
    if event.protocol:  # there is none for local mail
        text += f" proto={event.protocol}"
    if event.helo:
        text += f" helo=<{_text(event.helo)}>"
    return "cleanup", text + (f": {_text(event.text)}" if event.text else "")


def _authentication_failed(event: e.AuthenticationFailed) -> tuple[str, str]:
    return "smtpd", (
        f"warning: {event.client}: SASL {event.mechanism} authentication failed: "
        f"{event.reason or '(reason unavailable)'}, sasl_username={event.username or '(unavailable)'}"
    )


def _tls_established(event: e.TlsEstablished) -> tuple[str, str]:
    return "smtpd", (
        f"{event.trust} TLS connection established {event.direction} {event.peer}: "
        f"{event.protocol} with cipher {event.cipher} ({event.bits}/{event.bits} bits){event.figures}"
    )


def _attempt(event: e.AttemptMade, digits: int = DELAY_DIGITS) -> tuple[str, str]:
    to = f"to=<{_text(event.recipient)}>"
    if event.original != event.recipient and event.original.lower() != event.recipient.lower():
        to += f", orig_to=<{_text(event.original)}>"
    uses = f", conn_use={event.uses}" if event.uses else ""
    return event.agent, (
        f"{event.queue_id}: {to}, relay={event.relay}{uses}, {_delays_text(event.delays, digits)}, "
        f"dsn={event.dsn}, status={event.status} ({event.text})"
    )


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


_ESCAPES: Final = dict(zip(b"\a\b\f\n\r\t\v\\", r"\a \b \f \n \r \t \v \\".split(), strict=True))


def _escaped(octets: bytes) -> str:
    """What is not printable as in a string of C: `NOOP\\r\\n`, `\\000`."""
    written = []
    for octet in octets:
        if octet in _ESCAPES:
            written.append(_ESCAPES[octet])
        elif 32 <= octet < 127:
            written.append(chr(octet))
        else:
            written.append(f"\\{octet:03o}")
    return "".join(written)


_RENDERERS: Final[dict[type, Callable[[Any], tuple[str, str]]]] = {
    e.Warned: lambda event: (event.program, f"warning: {event.reason}"),
    e.Refused: lambda event: ("", f"fatal: {event.reason}"),
    e.Broke: lambda event: ("", f"panic: {event.reason}"),
    e.Noted: lambda event: (event.program, event.text),
    e.RoleStarted: lambda event: (
        "master",
        f"daemon started -- version {event.version}, configuration {event.configuration}",
    ),
    e.Reloaded: lambda event: (
        "master",
        f"reload -- version {event.version}, configuration {event.configuration}",
    ),
    e.Terminating: lambda event: ("master", f"terminating on signal {event.signal}"),
    e.ClientConnected: lambda event: ("smtpd", f"connect from {event.client}"),
    e.ClientDisconnected: _disconnected,
    e.ClientLost: _lost,
    e.ImproperPipelining: lambda event: (
        "smtpd",
        f"improper command pipelining after {event.after} from {event.client}: {_escaped(event.data[:100])}",
    ),
    e.NotSmtp: lambda event: (
        "smtpd",
        f"warning: non-SMTP command from {event.client}: {_escaped(event.line)[:100]}",
    ),
    e.MessageBegun: _begun,
    e.CommandRefused: _refused,
    e.FilterAnswered: _filter_answered,
    e.ContentInspected: _inspected,
    e.AuthenticationFailed: _authentication_failed,
    e.TlsEstablished: _tls_established,
    e.TlsFailed: lambda event: ("smtpd", f"SSL_accept error from {event.client}: {event.reason}"),
    e.MessagePickedUp: lambda event: (
        "pickup",
        f"{event.queue_id}: uid={event.uid} from=<{_text(event.sender)}>"
        + (f" orig_id={event.original_id}" if event.original_id else ""),
    ),
    e.MessageIdSeen: lambda event: (
        "cleanup",
        f"{event.queue_id}: {'resent-' if event.resent else ''}message-id={_text(event.message_id) or '<>'}",
    ),
    e.MessageActive: lambda event: (
        "qmgr",
        f"{event.queue_id}: from=<{_text(event.sender)}>, size={event.size}, "
        f"nrcpt={event.recipients} (queue active)",
    ),
    e.MessageRemoved: lambda event: ("qmgr", f"{event.queue_id}: removed"),
    e.MessageExpired: lambda event: (
        "qmgr",
        f"{event.queue_id}: from=<{_text(event.sender)}>, "
        f"status={'force-' * event.is_forced}expired, returned to sender",
    ),
    e.MessageCorrupt: lambda event: (
        "qmgr",
        f'saving corrupt file "{event.queue_id}" from queue "{event.queue}" to queue "corrupt": '
        f"{event.reason}",
    ),
    e.AttemptMade: _attempt,
    e.CacheCleaned: lambda event: (
        "verify",
        f"cache {event.name} full cleanup: retained={event.retained} dropped={event.dropped} entries",
    ),
    e.BounceQueued: lambda event: ("bounce", f"{event.queue_id}: {event.what}: {event.new_queue_id}"),
}
