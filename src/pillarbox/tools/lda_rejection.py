"""What dovecot-lda sends back where a mailbox has no room: a report to the message's sender.

DESCRIPTION
    The report says rejection_reason and has the header of the message, by sendmail_path; the sender is that of -f,
    or of Return-Path.  A message without one is refused in silence, and the log says why.

FAULTS
    RejectionFailed  the report could not be sent: the message is to be tried again

STANDARDS
    Dovecot 2.3: rejection_reason, rejection_subject, postmaster_address, sendmail_path; RFC 3464; RFC 3834 §5
"""

import os
import re
import subprocess
from email.header import Header
from email.utils import formatdate
from typing import Final

import msgspec

from pillarbox.config.dovecot import variables
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.config.host_facts import host_facts
from pillarbox.message.encoded_words import decode_words
from pillarbox.message.header_fields import first_value, select_fields
from pillarbox.message.structured_fields import parse_addresses
from pillarbox.net.system_clock import SystemClock

_TEXT: Final = {
    "n": "crlf", "r": "reason", "s": "subject", "t": "to",
    **{name: name for name in ("crlf", "reason", "subject", "to")},
}  # fmt: skip
_UNKNOWN: Final = re.compile(r"%(?!%)[-0-9.A-Z]*(?:([a-z])|\{([a-z_]+)\})", re.ASCII)
_MAX_SUBJECT: Final = 80
_PATIENCE_SECONDS: Final = 60


class RejectionFailed(Exception):
    """`Temporarily failed to send rejection: …`"""


class Rejecting(msgspec.Struct, frozen=True):
    """The settings, expanded as far as the user decides."""

    hostname: str
    postmaster: str
    reason: str
    subject: str
    sendmail: tuple[str, ...]

    @classmethod
    def of(cls, configuration: Configuration, user: str, hostname: str) -> "Rejecting":
        """Those that count for lda.  ValueError: postmaster_address has a variable that does not exist."""
        values = variables.user_values(user) | {"hostname": hostname}
        postmaster = variables.expand(configuration.value("postmaster_address"), values)
        if "<" not in postmaster:
            postmaster = f"Postmaster <{postmaster}>"
        return cls(
            hostname,
            postmaster,
            configuration.value("rejection_reason"),
            configuration.value("rejection_subject"),
            tuple(configuration.value("sendmail_path").split(" ")),
        )

    def send(self, header: bytes, *, sender: str, recipient: str, reason: str) -> None:
        """Tell the sender.  RejectionFailed."""
        content = self.report(header, sender=sender, recipient=recipient, reason=reason)
        command = [*self.sendmail, "-i", "-f", "<>", "--", sender]
        try:
            done = subprocess.run(command, input=content, timeout=_PATIENCE_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RejectionFailed(str(error)) from error
        if done.returncode:
            raise RejectionFailed("Sendmail program returned error")

    def report(self, header: bytes, *, sender: str, recipient: str, reason: str) -> bytes:
        """The message, with LF line ends."""
        subject = decode_words(first_value(header, b"subject") or b"").strip()[:_MAX_SUBJECT]
        values = {"crlf": "\n", "reason": reason, "subject": subject, "to": recipient}
        now = SystemClock().now()
        boundary = f"{os.getpid()}/{self.hostname}"
        identity = f"<dovecot-{int(now)}-{int(now * 1e6) % 1_000_000}-0@{host_facts().hostname}>"
        head = (
            f"Message-ID: {identity}\n"
            f"Date: {formatdate(now, localtime=True)}\n"
            f"From: {self.postmaster}\n"
            f"To: <{sender}>\n"
            "MIME-Version: 1.0\n"
            "Content-Type: multipart/report; report-type=delivery-status;\n"
            f'\tboundary="{boundary}"\n'
        )
        about = _encoded(_expanded(self.subject, values))
        rest = (
            "Auto-Submitted: auto-replied (rejected)\n"
            "Precedence: bulk\n"
            "\n"
            "This is a MIME-encapsulated message\n"
            "\n"
            f"--{boundary}\n"
            "Content-Type: text/plain; charset=utf-8\n"
            "Content-Disposition: inline\n"
            "Content-Transfer-Encoding: 8bit\n"
            "\n"
            f"{_expanded(self.reason, values)}\n"
            f"--{boundary}\n"
            "Content-Type: message/delivery-status\n"
            "\n"
            f"Reporting-MTA: dns; {self.hostname}\n"
            f"Final-Recipient: rfc822; {recipient}\n"
            "Action: failed\n"
            "Status: 5.2.2\n"
            "\n"
            f"--{boundary}\n"
            "Content-Type: message/rfc822\n"
            "\n"
        )
        original = select_fields(header, (b"content-type",), keep=False)
        end = f"\n\n--{boundary}--\n"
        return (
            b"".join(
                [head.encode("utf-8", "replace"), b"Subject: ", about, b"\n", rest.encode("utf-8", "replace")]
            )
            + original
            + end.encode()
        )


def _encoded(text: str) -> bytes:
    """RFC 2047, where it is not ASCII."""
    return (text if text.isascii() else Header(text, "utf-8").encode()).encode("ascii", "replace")


def sender_of(header: bytes) -> str:
    """Return-Path's address; empty for none."""
    return address_of(first_value(header, b"return-path") or b"")


def address_of(value: bytes) -> str:
    """The first address of a field's value; empty for none."""
    for address in parse_addresses(value):
        if address.mailbox and address.domain:
            return (b"%b@%b" % (address.mailbox, address.domain)).decode("utf-8", "replace")
    return ""


def _expanded(template: str, values: dict[str, str]) -> str:
    """With what is not known as Dovecot shows it."""
    known = _UNKNOWN.sub(
        lambda match: match[0] if (name := match[1] or match[2]) in _TEXT else f"UNSUPPORTED_VARIABLE_{name}",
        template,
    )
    return variables.expand(known, values, letters=_TEXT)
