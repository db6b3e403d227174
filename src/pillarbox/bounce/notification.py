"""Non-delivery notifications: multipart/report in Postfix's layout.

DESCRIPTION
    `non_delivery()` composes the message that tells a sender which recipients did not get a message, and why:
    a text for people, a report for programs, and the message itself, or its header if it is larger than
    bounce_size_limit or the sender asked for that (RET=HDRS).

STANDARDS
    RFC 3464 (delivery-status), RFC 6522 (multipart/report), RFC 6533 (addresses in UTF-8)
"""

import textwrap
from collections.abc import Sequence

import msgspec

from pillarbox.queue.mail_date import mail_date
from pillarbox.queue.recipient_log import LogEntry


class Original(msgspec.Struct, frozen=True, kw_only=True):
    """What is reported on."""

    queue_id: str
    sender: bytes  # external form
    arrival_time: float
    envelope_id: bytes
    content: bytes  # CRLF
    headers_only: bool


_INTRODUCTION = b"""This is the mail system at host %s.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

For further assistance, please send mail to postmaster.

If you do so, please include this problem report. You can
delete your own text from the attached returned message.

                   The mail system
"""


def non_delivery(
    original: Original,
    failures: Sequence[LogEntry],
    *,
    host: bytes,
    mail_name: bytes,
    queue_id: str,
    now: float,
) -> bytes:
    """The notification's content with CRLF line ends.  `queue_id` is its own."""
    boundary = b"%s.%d/%s" % (queue_id.encode(), int(now), host)
    utf8 = any(not entry.recipient.isascii() for entry in failures) or not original.sender.isascii()
    report_type = b"global-delivery-status" if utf8 else b"delivery-status"
    charset = b"utf-8" if utf8 else b"us-ascii"
    header = [
        b"From: Mail Delivery System <MAILER-DAEMON@%s>" % host,
        b"Subject: Undelivered Mail Returned to Sender",
        b"To: " + original.sender,
        b"Auto-Submitted: auto-replied",
        b"MIME-Version: 1.0",
        b"Content-Type: multipart/report; report-type=%s;"
        % (b"global-delivery-status" if utf8 else b"delivery-status"),
        b'\tboundary="%s"' % boundary,
    ]
    if not original.content.isascii():
        header.append(b"Content-Transfer-Encoding: 8bit")
    parts = [
        _part(
            b"Notification",
            b"text/plain; charset=" + charset,
            _text(host, failures),
        ),
        _part(
            b"Delivery report",
            b"message/" + report_type,
            _report(original, failures, host=host, mail_name=mail_name),
        ),
        _returned(original, utf8=utf8),
    ]
    delimiter = b"--%s\r\n" % boundary
    body = b"".join(delimiter + part for part in parts)
    preamble = b"This is a MIME-encapsulated message.\r\n\r\n"
    return b"\r\n".join(header) + b"\r\n\r\n" + preamble + body + b"--%s--\r\n" % boundary


def _part(description: bytes, kind: bytes, body: bytes) -> bytes:
    return b"Content-Description: %s\r\nContent-Type: %s\r\n\r\n%s\r\n" % (description, kind, body)


def _text(host: bytes, failures: Sequence[LogEntry]) -> bytes:
    paragraphs = [_INTRODUCTION % host]
    for entry in failures:
        line = f"<{entry.recipient.decode('utf-8', 'replace')}>: {entry.reason}"
        wrapped = textwrap.wrap(
            line, 79, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
        )
        paragraphs.append("\n".join(wrapped).encode() + b"\n")
    return b"\n".join(paragraphs).replace(b"\n", b"\r\n")


def _report(original: Original, failures: Sequence[LogEntry], *, host: bytes, mail_name: bytes) -> bytes:
    """RFC 3464 §2: fields of the message, then of each recipient."""
    message = [b"Reporting-MTA: dns; " + host]
    if original.envelope_id:
        message.append(b"Original-Envelope-Id: " + original.envelope_id)
    message += [
        b"X-%s-Queue-ID: %s" % (mail_name, original.queue_id.encode()),
        b"X-%s-Sender: rfc822; %s" % (mail_name, original.sender),
        b"Arrival-Date: " + mail_date(original.arrival_time),
    ]
    blocks = [message]
    for entry in failures:
        kind = b"rfc822" if entry.recipient.isascii() else b"utf-8"
        blocks.append(
            [
                b"Final-Recipient: %s; %s" % (kind, entry.recipient),
                b"Original-Recipient: " + (entry.dsn_original or b"rfc822;" + entry.original_recipient),
                b"Action: failed",
                b"Status: " + entry.status.encode(),
                b"Diagnostic-Code: X-%s; %s" % (mail_name, entry.reason.encode("utf-8", "replace")),
            ]
        )
    return b"\r\n".join(b"".join(line + b"\r\n" for line in block) for block in blocks)


def _returned(original: Original, *, utf8: bool) -> bytes:
    encoding = b"" if original.content.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"
    if original.headers_only:
        description, kind = (
            b"Undelivered Message Headers",
            b"message/global-headers" if utf8 else b"text/rfc822-headers",
        )
        content = original.content.partition(b"\r\n\r\n")[0] + b"\r\n"
    else:
        description = b"Undelivered Message"
        kind = b"message/global" if utf8 else b"message/rfc822"
        content = original.content
    return b"Content-Description: %s\r\nContent-Type: %s\r\n%s\r\n%s\r\n" % (
        description,
        kind,
        encoding,
        content,
    )
