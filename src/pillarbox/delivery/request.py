"""What the queue manager asks of delivery agents, and what it hears back.

DESCRIPTION
    A job is one message for some of its recipients.  The agent gets the queue file's descriptor with it, and
    answers with one result per recipient.  A result is a value: an exception in an agent means that the agent
    itself broke, and the recipients are tried again.

    Mailboxes of virtual domains have one owner each: `DeliverToMailboxes` goes to an agent with that owner's
    rights.  What local(8) and pipe(8) do begins before an owner is known: `DeliverRecipients` goes to the local
    delivery process, which has agents of its own (delivery/local/).
"""

from typing import Final

import msgspec


class MailboxTarget(msgspec.Struct, frozen=True, array_like=True):
    """A recipient whose mail goes into a mailbox."""

    recipient: bytes  # external form, for Delivered-To:
    original: bytes  # external form, for X-Original-To:
    mailbox: str  # absolute path: a Maildir if it ends in a slash, else a file in mbox format
    offset: int = 0  # of its record in the queue file


class DeliverToMailboxes(msgspec.Struct, tag=True):
    """qmgr → agent; the queue file's descriptor is passed along."""

    job: int
    data_offset: int
    sender: bytes  # external form, for Return-Path:
    targets: list[MailboxTarget]
    is_noted: bool = False  # the queue file may have notes of earlier deliveries
    transport: str = "virtual"  # the service, whose limits and locks count


class JobRecipient(msgspec.Struct, frozen=True, array_like=True):
    """A recipient of a job for local delivery; addresses in internal form."""

    address: bytes
    original: bytes
    notify: int = 0
    dsn_original: bytes = b""
    offset: int = 0  # of its record in the queue file


class Forwarding(msgspec.Struct, frozen=True, array_like=True):
    """Addresses that share a new message; they are in internal form."""

    sender: bytes
    delivered: bytes  # for Delivered-To:
    recipients: list[JobRecipient]
    is_list: bool = False  # the sender is the owner of an alias: what the first one asked for is not


class DeliverRecipients(msgspec.Struct, tag=True):
    """qmgr → local delivery; the queue file's descriptor is passed along."""

    job: int
    transport: str  # the service's name in master.cf
    nexthop: str
    queue_id: str
    data_offset: int
    size: int  # octets of the content
    sender: bytes  # internal form
    recipients: list[JobRecipient]
    attributes: dict[bytes, bytes]  # of the queue file: client_address and others
    send_options: int = 0
    trace_only: bool = False  # nothing is delivered; the outcomes say what would be
    is_probe: bool = False  # for verify(8): what lists other addresses is not followed
    is_noted: bool = False  # the queue file may have notes of earlier deliveries
    forwards: list[Forwarding] = []
    """What is left to do for the one recipient, as an Outcome had it: nothing but that is done."""


class Attempt(msgspec.Struct, frozen=True, array_like=True):
    """What became of one address that a recipient stands for, where that is not the recipient itself.

    `passed` as its status means that another transport is to deliver to it; `text` is transport:nexthop then.
    """

    recipient: bytes  # external form
    original: bytes  # external form; empty if nobody may know
    status: str
    dsn: str
    text: str
    report_to: bytes | None = None  # who hears of a bounce instead of the sender; internal form
    agent: str = ""  # program of the log line; empty: the transport's name
    relay: str = ""
    diagnostic: str = ""  # as of an Outcome
    remote_mta: str = ""
    told: bool = False  # the agent has written the line itself, or there is none
    action: str = ""  # as an Outcome's, in its place
    tells_success: bool = True  # as an Outcome's
    only_success: bool = (
        False  # nothing was done: it stands for what NOTIFY=SUCCESS wants to hear of an alias
    )
    shown: str = ""  # in place of the status in the log


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What became of one recipient."""

    status: str  # sent, deferred or bounced
    dsn: str  # 2.0.0
    text: str  # for the log and the sender: `delivered to maildir`
    reason: str = ""  # private detail, for the log only; a warning for each line
    attempts: list[Attempt] | None = None
    """What was done for the recipient (aliases, .forward files), in order: for the log and for bounces.  None: the
    outcome itself says it.  `deferred` then means that the whole recipient is tried again."""
    relay: str = ""
    """As the log has it: `mx.example.org[192.0.2.1]:25`; empty: the transport's own name, or none."""
    diagnostic: str = ""  # `smtp; 550 5.1.1 no such user`, for Diagnostic-Code: (RFC 3464 §2.3.6)
    remote_mta: str = ""  # `dns; mx.example.org`, for Remote-MTA: (RFC 3464 §2.3.5)
    action: str = "delivered"  # of what is sent, for Action: (RFC 3464 §2.3.3): delivered, relayed, expanded
    tells_success: bool = True  # False: the notice that NOTIFY=SUCCESS asks for is the next system's business
    shown: str = ""  # in place of the status in the log
    forwards: list[Forwarding] | None = None
    """New messages that are to be queued if those to whom others pass on need not wait: or else these would be
    queued again each time."""

    @property
    def is_sent(self) -> bool:
        """Whether all that the recipient stands for have got it."""
        if self.attempts is None:
            return self.status == "sent"
        return self.status == "sent" and all(attempt.status == "sent" for attempt in self.attempts)


_SOFT_BOUNCE: Final = "SOFTBOUNCE"


def softened(outcome: Outcome) -> Outcome:
    """soft_bounce: what would be returned is tried again; the log says SOFTBOUNCE."""
    if outcome.attempts is None:
        if outcome.status != "bounced":
            return outcome
        return msgspec.structs.replace(
            outcome, status="deferred", dsn=f"4{outcome.dsn[1:]}", shown=_SOFT_BOUNCE
        )
    if all(attempt.status != "bounced" for attempt in outcome.attempts):
        return outcome
    attempts = [
        msgspec.structs.replace(attempt, status="deferred", dsn=f"4{attempt.dsn[1:]}", shown=_SOFT_BOUNCE)
        if attempt.status == "bounced"
        else attempt
        for attempt in outcome.attempts
    ]
    return msgspec.structs.replace(outcome, status="deferred", dsn=f"4{outcome.dsn[1:]}", attempts=attempts)


def would_be(status: str, *, cached: bool = True) -> str:
    """The log's word for the status of what was only tried out: deliverable or undeliverable.

    `cached`: verify(8) remembers it, or did not ask.
    """
    if status == "sent":
        return "deliverable"
    return "undeliverable" if cached else "undeliverable-but-not-cached"


class JobDone(msgspec.Struct, tag=True):
    """agent → qmgr: outcomes in the order of the targets."""

    job: int
    outcomes: list[Outcome]


class OpenAgent(msgspec.Struct, tag=True, frozen=True):
    """→ delivery role: an agent with these rights, please."""

    uid: int
    gid: int
    service: str = ""  # of local(8) or pipe(8) that the agent is for; empty: virtual mailboxes


class OpenLocalDelivery(msgspec.Struct, tag=True, frozen=True):
    """qmgr → delivery role: a local delivery process, please."""


class AgentOpened(msgspec.Struct, tag=True):
    """delivery role → its client: the channel's descriptor is passed along; `refusal` says why there is none."""

    refusal: str = ""
