"""What the queue manager asks of the SMTP and LMTP clients, and what it hears back.

DESCRIPTION
    A job is one message for recipients of one destination.  The clients write the delivery lines themselves, with
    their own process id; the queue manager gets the outcomes, and whether the destination as a whole could not
    be used (`SmtpDone.site_fault`), which makes the scheduler more careful with it.
"""

from typing import Final

import msgspec

from pillarbox.delivery.request import Outcome

SEND_SMTPUTF8: Final = 1
"""Of `send_options`: MAIL had SMTPUTF8."""
_SEND_UTF8_HEADER: Final = 2
_SEND_UTF8_SENDER: Final = 4


class SmtpRecipient(msgspec.Struct, frozen=True, array_like=True):
    """A recipient; addresses in external form."""

    address: bytes
    original: bytes
    notify: int = 0
    dsn_original: bytes = b""
    offset: int = 0  # of its record in the queue file
    is_traced: bool = False  # the queue manager writes down that it was delivered, and then marks the record


class DeliverBySmtp(msgspec.Struct, tag=True, kw_only=True):
    """qmgr → smtp; the queue file's descriptor is passed along."""

    job: int
    service: str  # its name in master.cf
    nexthop: str
    queue_id: str
    sender: bytes  # external form
    recipients: list[SmtpRecipient]
    data_offset: int
    size: int  # octets of the content
    arrival_time: float
    active_time: float  # when the queue manager took it
    attributes: dict[bytes, bytes] = {}  # of the queue file: encoding, envelope_id, log_client_name …
    send_options: int = 0
    more_follows: bool = False  # other mail for the destination waits, or is to be expected
    may_pass: bool = True  # on to best_mx_transport
    trace_only: bool = False  # the server is asked about the recipients and sent no message
    is_cached: bool = True  # verify(8) remembers what the server does not take, or has not asked

    @property
    def needs_smtputf8(self) -> bool:
        """Whether it may only go to servers that offer SMTPUTF8 (RFC 6531 §3.1)."""
        if self.send_options & SEND_SMTPUTF8 == 0:
            return False
        return (
            bool(self.send_options & (_SEND_UTF8_HEADER | _SEND_UTF8_SENDER))
            or not self.sender.isascii()
            or any(not recipient.address.isascii() for recipient in self.recipients)
        )

    @property
    def encoding(self) -> bytes:
        """What BODY of MAIL was, `7bit` or `8bit`; empty: not known."""
        return self.attributes.get(b"encoding", b"")


class Oddity(msgspec.Struct, frozen=True):
    """A session in which a server did not understand us, or we did not understand it."""

    server: str  # mx.example.org[192.0.2.1]:25
    transcript: list[bytes]


class SmtpProgress(msgspec.Struct, tag=True):
    """smtp → qmgr: outcomes that the role cannot make last by itself, while the rest of the job goes on."""

    job: int
    outcomes: list[tuple[int, Outcome]]  # by the recipients' places in the job


class SmtpDone(msgspec.Struct, tag=True):
    """smtp → qmgr: outcomes in the order of the recipients."""

    job: int
    outcomes: list[Outcome]
    site_fault: tuple[str, str] | None = None  # status code and text, if the destination could not be used
    oddities: list[Oddity] = []  # for postmaster
    passed: str = ""  # transport:nexthop that is to deliver instead; there are no outcomes then
