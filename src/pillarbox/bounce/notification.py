"""Notices to senders and to postmaster: multipart/report in Postfix's layout.

DESCRIPTION
    `compose()` writes a notice: a text for people (templates.py), a report for programs, and the message itself, or
    its header if it is larger than bounce_size_limit, if the sender asked for that (RET=HDRS), or if the notice is
    not about a failure.

STANDARDS
    RFC 3464 (delivery-status), RFC 6522 (multipart/report), RFC 6533 (addresses in UTF-8), RFC 3834
    (Auto-Submitted)
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec

from pillarbox.bounce.templates import Template, sender_of
from pillarbox.queue.mail_date import mail_date
from pillarbox.queue.recipient_log import LogEntry

Kind = Literal["failure", "delay", "success", "verify"]


class Original(msgspec.Struct, frozen=True, kw_only=True):
    """What is reported on."""

    queue_id: str
    sender: bytes  # external form
    arrival_time: float
    envelope_id: bytes = b""
    content: bytes  # CRLF; the header alone if `headers_only`
    headers_only: bool = False
    encoding: str = "8bit"  # of the notice: 8bit, 7bit or ""
    smtputf8: bool = False
    retry_until: float = 0.0  # for delays
    message_id: bytes = b""  # with angle brackets; empty: no thread is made (enable_threaded_bounces)


class Style(msgspec.Struct, frozen=True, kw_only=True):
    """What main.cf says of notices."""

    host: bytes  # myhostname
    mail_name: bytes
    type_name: bytes  # the same as a part of names of fields and types: `Some-Mail`
    names_in_comments: bool = False  # header_from_format = obsolete
    value: Callable[[str], str]  # of a parameter, for templates


_WIDTH: Final = 79
_INDENTED: Final = b"    "


def compose(
    kind: Kind,
    original: Original,
    entries: Sequence[LogEntry],
    *,
    template: Template,
    style: Style,
    recipient: bytes,
    for_postmaster: bool,
    queue_id: str,
    now: float,
    warn: Callable[[str], None] = lambda _text: None,
) -> bytes:
    """The notice's content with CRLF line ends.  `queue_id` is its own, `recipient` in external form.

    `warn` hears of times in the template whose unit does not fit.
    """
    boundary = b"%s.%d/%s" % (queue_id.encode(), int(now), style.host)
    encoding = f"Content-Transfer-Encoding: {original.encoding}\n".encode() if original.encoding else b""
    of_parts = encoding if original.encoding != "7bit" else b""  # what they have anyway (RFC 2045 §6.1)
    report = b"global-delivery-status" if original.smtputf8 else b"delivery-status"
    subject = template.postmaster_subject if for_postmaster else template.subject
    head = b"".join(
        (
            b"From: %s\n" % sender_of(template, in_comment=style.names_in_comments).encode(),
            b"Subject: %s\n" % subject.encode(),
            b"To: %s\n" % recipient,
            b"References: %s\nIn-Reply-To: %s\n" % (original.message_id, original.message_id)
            if original.message_id
            else b"",
            b"Auto-Submitted: %s\n" % (b"auto-generated" if for_postmaster else b"auto-replied"),
            b"MIME-Version: 1.0\n",
            # RFC 6522 §3: the type is that of the second part.  The longer one has a line of its own.
            b'Content-Type: multipart/report;%sreport-type=%s;\n\tboundary="%s"\n'
            % (b"\n\t" if original.smtputf8 else b" ", report, boundary),
            encoding,
            b"\nThis is a MIME-encapsulated message.\n",
        )
    )
    # As bounce(8): the postmaster needs no introduction.
    told = b"" if for_postmaster else template.expanded(style.value, kind=kind, warn=warn).encode() + b"\n"
    text = _text_part(original, entries, told, charset=template.charset, encoding=of_parts)
    status = b"".join(
        (
            b"Content-Description: Delivery report\nContent-Type: message/%s\n" % report,
            of_parts if original.smtputf8 else b"",
            _message_fields(original, style),
            *(_recipient_fields(kind, original, entry, style) for entry in entries),
        )
    )
    parts = b"".join(
        b"\n--%s\n%s" % (boundary, part) for part in (text, status, _returned(kind, original, of_parts))
    )
    return (head + parts + b"\n--%s--\n" % boundary).replace(b"\n", b"\r\n")


def _text_part(
    original: Original, entries: Sequence[LogEntry], told: bytes, *, charset: str, encoding: bytes
) -> bytes:
    """What people read: what is `told`, and a paragraph for each recipient."""
    # As bounce(8): what may be in 8bit is more than US-ASCII, a recipient's reason for instance.
    is_wider = original.encoding == "8bit" and charset.lower() == "us-ascii"
    charset = "utf-8" if is_wider else charset
    return b"".join(
        (
            b"Content-Description: Notification\nContent-Type: text/plain; charset=%s\n" % charset.encode(),
            encoding,
            b"\n",
            told,
            *(_paragraph(entry) for entry in entries),
        )
    )


def _paragraph(entry: LogEntry) -> bytes:
    """`<recipient> (expanded from <original>): reason`"""
    original = entry.original_recipient
    expanded = b""
    if original and original.lower() != entry.recipient.lower():
        expanded = b" (expanded from <%s>)" % original
    return b"\n" + _wrapped(
        b"<%s>%s: %s" % (entry.recipient, expanded, _reason(entry).encode("utf-8", "replace"))
    )


def _message_fields(original: Original, style: Style) -> bytes:
    """RFC 3464 §2.2"""
    envelope_id = b"Original-Envelope-Id: %s\n" % original.envelope_id if original.envelope_id else b""
    kind = b"rfc822" if original.sender.isascii() or not original.smtputf8 else b"utf-8"
    return b"".join(
        (
            b"\nReporting-MTA: dns; %s\n" % style.host,
            envelope_id,
            b"X-%s-Queue-ID: %s\n" % (style.type_name, original.queue_id.encode()),
            b"X-%s-Sender: %s; %s\n" % (style.type_name, kind, original.sender),
            b"Arrival-Date: %s\n" % mail_date(original.arrival_time),
        )
    )


def _reason(entry: LogEntry) -> str:
    return entry.reason or "(description unavailable)"


def _recipient_fields(kind: Kind, original: Original, entry: LogEntry, style: Style) -> bytes:
    """RFC 3464 §2.3"""
    utf8 = b"utf-8" if original.smtputf8 and not entry.recipient.isascii() else b"rfc822"
    utf8_given = b"utf-8" if original.smtputf8 and not entry.original_recipient.isascii() else b"rfc822"
    given = entry.dsn_original
    if not given and entry.original_recipient.lower() not in (b"", entry.recipient.lower()):
        given = utf8_given + b";" + entry.original_recipient  # as in a log (recipient_log.py)
    mta_kind, _, mta = entry.remote_mta.partition("; ")
    diagnostic = entry.diagnostic or f"X-{style.type_name.decode()}; {_reason(entry)}"
    lines = [
        b"\nFinal-Recipient: %s; %s\n" % (utf8, entry.recipient),
        b"Original-Recipient: %s\n" % given if given else b"",
        b"Action: %s\n" % entry.action.encode(),
        b"Status: %s\n" % entry.status.encode(),
    ]
    if mta:
        lines.append(b"Remote-MTA: %s; %s\n" % (mta_kind.encode(), mta.encode()))
    lines.append(_wrapped(b"Diagnostic-Code: " + diagnostic.encode("utf-8", "replace")))
    if kind == "delay" and original.retry_until:
        lines.append(b"Will-Retry-Until: %s\n" % mail_date(original.retry_until))
    return b"".join(lines)


def _returned(kind: Kind, original: Original, encoding: bytes) -> bytes:
    undelivered = b"" if kind in ("success", "verify") else b"Undelivered "
    if original.headers_only:
        description = undelivered + b"Message Headers"
        media = b"message/global-headers" if original.smtputf8 else b"text/rfc822-headers"
    else:
        description = undelivered + b"Message"
        media = b"message/global" if original.smtputf8 else b"message/rfc822"
    return b"Content-Description: %s\nContent-Type: %s\n%s\nReturn-Path: <%s>\n%s" % (
        description,
        media,
        encoding,
        original.sender,
        original.content.replace(b"\r\n", b"\n"),
    )


def _wrapped(line: bytes) -> bytes:
    """A long line in several, the later ones indented; octets are counted, not characters (RFC 5322 §2.1.1)."""
    line = line.rstrip()
    lines: list[bytes] = []
    width = _WIDTH
    while len(line) > width:
        end = line.rfind(b" ", 1, width + 1)
        end = end if end > 0 else line.find(b" ", width)
        if end < 0:
            break
        lines.append(line[:end].rstrip())
        line = line[end:].lstrip()
        width = _WIDTH - len(_INDENTED)
    return (b"\n" + _INDENTED).join((*lines, line)) + b"\n"
