"""The Received: header that smtpd(8) puts in front of every message (RFC 5321 §4.4)."""

from collections.abc import Sequence

from pillarbox.access.client import ClientFacts
from pillarbox.queue.mail_date import mail_date


def received_header(
    client: ClientFacts,
    *,
    host: bytes,
    mail_name: bytes,
    queue_id: str,
    recipient: bytes | None,
    now: float,
    protocol: str,
    hidden: bool = False,
    authenticated: bool,
    tls: Sequence[str],
) -> list[bytes]:
    """Lines without line ends.  `recipient` is given only if there is one: others must stay unknown.

    Without `queue_id` the message is in no queue yet: a filter gets it first.
    `authenticated` is smtpd_sasl_authenticated_header, `tls` are smtpd_tls_received_header's texts, folded.
    With `hidden` (smtpd_hide_client_session) nothing is said of the client and its session.
    """
    date = mail_date(now)
    identified = b" id " + queue_id.encode() if queue_id else b""
    if hidden:
        by = b"Received: by %s (%s)%s" % (host, mail_name, identified)
        return [by + b";", b"\t" + date] if recipient is None else [by, b"\tfor <%s>; %s" % (recipient, date)]
    name = client.name.encode("ascii", "replace")
    lines = [b"Received: from %s (%s [%s])" % (client.helo or name, name, client.literal.encode())]
    for text in tls:
        lines += (b"\t(%s)" % text.encode()).split(b"\n")
    if authenticated and client.sasl_username:
        lines.append(b"\t(Authenticated sender: %s)" % comment_text(client.sasl_username))
    by = b"\tby %s (%s) with %s%s" % (host, mail_name, protocol.encode(), identified)
    if recipient is None:
        return [*lines, by + b";", b"\t" + date]
    return [*lines, by, b"\tfor <%s>; %s" % (recipient, date)]


def protocol_name(client: ClientFacts, *, smtputf8: bool) -> str:
    """`ESMTPSA` and the like: the `with` keyword (RFC 3848, RFC 6531 §4.3)."""
    if client.protocol != "ESMTP" and not smtputf8:
        return "SMTP"
    name = "UTF8SMTP" if smtputf8 else "ESMTP"
    return name + ("S" if client.uses_tls else "") + ("A" if client.sasl_username else "")


def comment_text(text: str) -> bytes:
    """Text that cannot end a comment."""
    return "".join(
        letter if letter.isprintable() and letter not in "()\\" else "?" for letter in text
    ).encode()
