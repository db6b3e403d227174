"""Untagged answers about the selected mailbox that more than one command gives.

STANDARDS
    RFC 3501 §7.2.6 (FLAGS), §7.1 (PERMANENTFLAGS), §7.4.2 (FETCH); RFC 7162 §3.1.2.1 (HIGHESTMODSEQ)
"""

from bisect import bisect_left
from collections.abc import Iterator

from pillarbox.mailstore.mailbox import MAX_KEYWORDS
from pillarbox.mailstore.view import MailboxView, Told
from pillarbox.sessions.imap.flag_rendering import FlagRenderer
from pillarbox.sessions.imap.flag_rights import CHANGE, storable_names
from pillarbox.wire.imap import responses


def flags_of(view: MailboxView) -> tuple[bytes, bytes]:
    """FLAGS and PERMANENTFLAGS of a mailbox."""
    keywords = view.mailbox.keywords
    if view.rights & CHANGE == CHANGE or view.read_only:
        more = len(keywords) < MAX_KEYWORDS
        permanent = responses.permanent_flags(keywords, read_only=view.read_only, more=more)
    else:
        permanent = responses.some_permanent_flags(storable_names(view.rights, keywords))
    return responses.flags(keywords), permanent


def highest_modseq_of(view: MailboxView) -> bytes:
    """`OK [HIGHESTMODSEQ 4] Highest`"""
    return b"OK [HIGHESTMODSEQ %d] Highest" % view.mailbox.highest_modseq


def flag_changes(
    told: Told, view: MailboxView, *, with_uid: bool, with_modseq: bool, with_recent: bool, uid_only: bool
) -> Iterator[bytes]:
    """`2 FETCH (UID 7 MODSEQ (4) FLAGS (\\Seen))` of each message whose flags are told.

    With `uid_only`, `7 UIDFETCH (MODSEQ (4) FLAGS (\\Seen))` (RFC 9586 §3.3).
    """
    flags = FlagRenderer(view, with_recent=with_recent)
    messages = view.mailbox.messages
    for number, uid in told.flags:
        row = bisect_left(messages.uids, uid)
        words = [b"UID %d" % uid] if with_uid and not uid_only else []
        if with_modseq:
            words.append(b"MODSEQ (%d)" % messages.modseqs[row])
        words.append(b"FLAGS (%b)" % flags.of_row(row))
        kind = b"%d UIDFETCH" % uid if uid_only else b"%d FETCH" % number
        yield b"%b (%b)" % (kind, b" ".join(words))
