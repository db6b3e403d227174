"""What the queue manager asks of a delivery agent, and what it hears back.

DESCRIPTION
    A job is one message for some of its recipients.  The agent gets the queue file's descriptor with it, and
    answers with one result per recipient.  A result is a value: an exception in an agent means that the agent
    itself broke, and the recipients are tried again.
"""

import msgspec


class MailboxTarget(msgspec.Struct, frozen=True, array_like=True):
    """A recipient whose mail goes into a Maildir."""

    recipient: bytes  # external form, for Delivered-To:
    original: bytes  # external form, for X-Original-To:
    maildir: str  # absolute path


class DeliverToMailboxes(msgspec.Struct, tag=True):
    """qmgr → agent; the queue file's descriptor is passed along."""

    job: int
    data_offset: int
    sender: bytes  # external form, for Return-Path:
    targets: list[MailboxTarget]


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What became of one recipient."""

    status: str  # sent, deferred or bounced
    dsn: str  # 2.0.0
    text: str  # for the log and the sender: `delivered to maildir`
    reason: str = ""  # private detail, for the log only


class JobDone(msgspec.Struct, tag=True):
    """agent → qmgr: outcomes in the order of the targets."""

    job: int
    outcomes: list[Outcome]


class OpenAgent(msgspec.Struct, tag=True):
    """qmgr → delivery role: an agent with these rights, please."""

    uid: int
    gid: int


class AgentOpened(msgspec.Struct, tag=True):
    """delivery role → qmgr: its channel's descriptor is passed along; `refusal` says why there is none."""

    uid: int
    gid: int
    refusal: str = ""
