"""virtual(8)'s work: a message from its queue file into Maildirs and mbox files.

DESCRIPTION
    Jobs that wait together are delivered together: every message's content is read once, a large one in blocks for
    each mailbox, and `mailstore.deliver` shares the directory fsync of messages for the same Maildir.  Each copy
    gets Return-Path:, X-Original-To: and Delivered-To: in front (virtual(8)).

    A mailbox whose path does not end in a slash is a file in mbox format, locked as virtual_mailbox_lock says
    (delivery/mbox.py).  virtual_mailbox_limit is the largest message in a Maildir, and the largest mbox file.

    Delivered-To: is not looked at: virtual(8) forwards nothing, and a message that a user sends again has one.

FAULTS
    A queue file that cannot be read, a full disk, a Maildir that cannot be written: the recipients are deferred.
    What is too large, and an mbox file that is none, is bounced.
"""

import os
import stat
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain
from typing import Final

import msgspec

from pillarbox.delivery.mbox import (
    WRITE_DIAGNOSTIC,
    MboxFault,
    MboxLocks,
    append,
    as_mbox,
    dsn_of,
    mbox_from_line,
)
from pillarbox.delivery.message_text import MessageText
from pillarbox.delivery.request import DeliverToMailboxes, MailboxTarget, Outcome
from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.mailstore.cache.arrivals import ArrivalNotes
from pillarbox.mailstore.deliver import (
    Delivery,
    Stored,
    TooLarge,
    Unreadable,
    deliver_batch,
    sync_earlier,
)
from pillarbox.mailstore.mailbox import OverQuota, StoreUnavailable
from pillarbox.net.system_clock import SystemClock
from pillarbox.queue.delivery_notes import THIS_RUN, DeliveryNotes, delivery_key
from pillarbox.vocabulary.clock import Clock

_CLOCK: Final = SystemClock()

SENT: Final = Outcome("sent", "2.0.0", "delivered to maildir")
_SENT_TO_FILE: Final = Outcome("sent", "2.0.0", "delivered to mailbox")
_TOO_LARGE: Final = Outcome(
    "bounced",
    "5.2.2",
    "maildir delivery failed: error writing message: File too large",
    diagnostic=WRITE_DIAGNOSTIC,
)


class _Waiting(msgspec.Struct):
    job: int
    at: int
    delivery: Delivery
    notes: DeliveryNotes
    key: bytes


class MailboxRules(msgspec.Struct, frozen=True):
    """What main.cf says of mailboxes of virtual domains."""

    size_limit: int = 0  # virtual_mailbox_limit, octets; 0: none
    locks: MboxLocks = MboxLocks()
    strict_ownership: bool = True  # strict_mailbox_ownership
    writes_original: bool = True  # X-Original-To:, enable_original_recipient


def deliver_jobs(
    jobs: Sequence[tuple[DeliverToMailboxes, int]],
    *,
    rules: MailboxRules,
    files: FileSystem = DISK,
    clock: Clock = _CLOCK,
    notes: ArrivalNotes | None = None,
    run: bytes = THIS_RUN,
) -> dict[int, list[Outcome]]:
    """Outcomes by job number.  Each job comes with the descriptor of its queue file, which stays open.

    `notes` remembers what was stored in Maildirs.  `run` is that of the kernel (queue/delivery_notes.py).
    """
    outcomes: dict[int, list[Outcome]] = {}
    waiting: list[_Waiting] = []
    synced: dict[str, StoreUnavailable | OverQuota | None] = {}
    for request, descriptor in jobs:
        outcomes[request.job] = [SENT] * len(request.targets)
        noted = DeliveryNotes(descriptor, has_some=request.is_noted, files=files, run=run)
        try:
            text = MessageText(descriptor, request.data_offset, files=files)
        except Unreadable as fault:
            outcomes[request.job] = [_failed(fault)] * len(request.targets)
            continue
        for at, target in enumerate(request.targets):
            head = _prefix(request.sender, target, writes_original=rules.writes_original)
            maildir = target.mailbox.rstrip("/")
            key = delivery_key(target.offset, os.fsencode(target.mailbox), head)
            if noted.has(key):
                outcomes[request.job][at] = _earlier(target, synced, files)
                continue
            try:
                if _is_maildir(target):
                    delivery = text.delivery(
                        maildir, head, size_limit=rules.size_limit, named=partial(noted.make, key)
                    )
                    waiting.append(_Waiting(request.job, at, delivery, noted, key))
                else:
                    line = mbox_from_line(request.sender, now=clock.now())
                    chunks = chain((line + head,), as_mbox(text.blocks()))
                    outcomes[request.job][at] = _append(target, chunks, rules, files, noted, key)
            except (TooLarge, Unreadable) as fault:
                outcomes[request.job][at] = _failed(fault)
    deliveries = [one.delivery for one in waiting]
    results = deliver_batch(deliveries, files=files)
    if notes is not None:
        notes.remember(deliveries, results)
    for one, result in zip(waiting, results, strict=True):
        if not isinstance(result, Stored):
            one.notes.withdraw(one.key)
            outcomes[one.job][one.at] = _failed(result)
    return outcomes


def _earlier(
    target: MailboxTarget, synced: dict[str, StoreUnavailable | OverQuota | None], files: FileSystem
) -> Outcome:
    """Somebody has delivered it, and was killed; the disk is waited for once for each directory."""
    directory = os.path.dirname(target.mailbox)
    if directory not in synced:
        synced[directory] = sync_earlier(directory, files=files)
    fault = synced[directory]
    if fault is not None:
        return _failed(fault)
    return SENT if _is_maildir(target) else _SENT_TO_FILE


def _is_maildir(target: MailboxTarget) -> bool:
    return target.mailbox.endswith("/")


def _append(
    target: MailboxTarget,
    chunks: Iterable[bytes],
    rules: MailboxRules,
    files: FileSystem,
    notes: DeliveryNotes,
    key: bytes,
) -> Outcome:
    recipient = target.recipient.decode("utf-8", "replace")
    warnings: list[str] = []

    def check(status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            warnings.append(f"recipient {recipient}: destination {target.mailbox} is not a regular file")
            raise MboxFault("5.3.5", "mail system configuration error")
        if rules.strict_ownership and status.st_uid != os.geteuid():
            warnings.append('specify "strict_mailbox_ownership = no" to ignore mailbox ownership mismatch')
            raise MboxFault("4.2.0", f"destination {target.mailbox} is not owned by recipient")

    try:
        append(
            os.fsencode(target.mailbox),
            chunks,
            locks=rules.locks,
            size_limit=rules.size_limit,
            check=check,
            default_dsn="4.2.0",
            written=lambda: notes.make(key),
            undone=lambda: notes.withdraw(key),
            files=files,
        )
    except MboxFault as fault:
        status = "deferred" if fault.dsn.startswith("4") else "bounced"
        text = f"delivery failed to mailbox {target.mailbox}: {fault.text}"
        return Outcome(status, fault.dsn, text, "\n".join(warnings), diagnostic=fault.diagnostic)
    return _SENT_TO_FILE


def _prefix(sender: bytes, target: MailboxTarget, *, writes_original: bool) -> bytes:
    original = b"X-Original-To: %s\n" % target.original if writes_original else b""
    return b"Return-Path: <%s>\n%sDelivered-To: %s\n" % (sender, original, target.recipient)


def maildir_trouble(cause: OSError) -> str:
    """As Postfix has it: which file cannot be made, or that it cannot be written."""
    if cause.filename is None:
        return f"error writing message: {cause.strerror}"
    return f"create maildir file {os.fsdecode(cause.filename)}: {cause.strerror}"


def _failed(fault: Exception) -> Outcome:
    """As virtual(8) has it: what may mend itself waits."""
    if isinstance(fault, TooLarge):
        return _TOO_LARGE
    if isinstance(fault, Unreadable):
        return Outcome("deferred", "4.3.0", "queue file read error", str(fault))
    cause = fault.__cause__
    if not isinstance(cause, OSError):
        return Outcome("deferred", "4.2.0", f"maildir delivery failed: {fault}")
    dsn = dsn_of(cause, "4.2.0")
    text = maildir_trouble(cause)
    reason = (
        f"maildir access problem for UID/GID={os.geteuid()}/{os.getegid()}: {text}\n"
        "perhaps you need to create the maildirs in advance"
    )
    return Outcome(
        "deferred" if dsn.startswith("4") else "bounced",
        dsn,
        f"maildir delivery failed: {text}",
        reason if isinstance(cause, PermissionError) else "",
        diagnostic=WRITE_DIAGNOSTIC if cause.filename is None else "",
    )
