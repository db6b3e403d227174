"""Answers to commands that came upon messages whose files are damaged or cannot be read.

DESCRIPTION
    Such a message is left out, the client hears of all others, and at the end NO: what Dovecot does for SEARCH,
    and for FETCH with imap_fetch_failure=no-after.  The log says which files.

STANDARDS
    RFC 5530 §3 (SERVERBUG, NOPERM, INUSE, OVERQUOTA)
"""

import errno

from pillarbox.mailstore.mailbox import StoreBusy, StoreUnavailable
from pillarbox.observability.events import MailboxNotice
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.sessions.imap.endings import INTERNAL_ERROR


def complete(conversation: Conversation, tag: bytes, text: bytes, failed: int) -> None:
    """OK with this text, or NO if messages of the selected mailbox could not be read since `failed` was counted."""
    faults = conversation.selected.mailbox.failed_reads.since(failed)
    for fault in faults:
        log(conversation, fault)
    if faults:
        conversation.no(tag, refusal(faults[0]))
    else:
        conversation.ok(tag, text)


def log(conversation: Conversation, problem: StoreUnavailable) -> None:
    """Tell the admin."""
    conversation.sink(MailboxNotice(conversation.mail_user, "Error", str(problem)))


def refusal(problem: StoreUnavailable) -> bytes:
    """What the client hears of it, with the code of RFC 5530 §3; the log hears the rest."""
    cause = problem.__cause__
    number = cause.errno if isinstance(cause, OSError) else None
    if isinstance(problem, StoreBusy):
        return b"[INUSE] Timeout while waiting for lock"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return b"[NOPERM] Permission denied"
    if number == errno.ENOSPC:
        return b"[OVERQUOTA] Not enough disk space"
    return b"[SERVERBUG] " + INTERNAL_ERROR
