"""A session whose client rests, written down: so that its process can end and another one can go on with it.

DESCRIPTION
    `parked()` makes a `ParkedSession` of a session that waits for its client, between two commands or in IDLE;
    `go_on()` gives a new session everything that the old one knew, and opens the mailbox again.  What has happened
    to the mailbox meanwhile is told as if the session had been there.

    Not every session can be parked (`can_be_parked`): NOTIFY may watch too many mailboxes or annotations; and
    nobody waits for a client that has not taken all that was sent, or is in the midst of a command.

FAULTS
    Disconnect  of `go_on`: the mailbox has been deleted, or is another one by now
    ViewLost    what has happened to it cannot be told to this client any more

STANDARDS
    RFC 3501 §5.2; RFC 2177; RFC 5182 (`$`); RFC 5267 §4.3 (results that are kept up to date)
"""

import zlib
from typing import Final

import msgspec

from pillarbox.mailstore.mailbox import MailboxNameRefused, NoSuchMailbox, PermissionDenied, StoreUnavailable
from pillarbox.mailstore.view import ViewLost
from pillarbox.mailstore.view_state import ViewState, pack_uids, unpack_uids
from pillarbox.sessions.imap import failed_reads, notify
from pillarbox.sessions.imap.compression import CompressedTransport, Standing
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.sessions.imap.endings import (
    INTERNAL_ERROR,
    Disconnect,
    Figures,
    mailbox_deleted,
)
from pillarbox.sessions.imap.notify import Notifications
from pillarbox.sessions.imap.notify_state import ParkedNotify
from pillarbox.sessions.imap.search_contexts import SearchContext, SearchContexts
from pillarbox.wire.deflate import WINDOW

_LEVEL: Final = 6
"""zlib's middle."""


class ParkedMailbox(msgspec.Struct, frozen=True, array_like=True):
    """The selected mailbox of a parked session."""

    name: str
    uid_validity: int
    read_only: bool
    view: ViewState
    results: list[SearchContext] | None = None  # that are kept up to date


class ParkedSession(msgspec.Struct, frozen=True, array_like=True):
    """All that a session knows of its client.  Moments are those of CLOCK_MONOTONIC, which all processes share."""

    idle_tag: bytes  # of the IDLE that waits for DONE; empty between two commands
    idle_began: float
    waits_since: float  # when it was told something last, keep-alives too
    silent_since: float  # when the client said something last
    bytes_in: int
    bytes_out: int
    figures: Figures
    condstore: bool
    qresync: bool
    rev2: bool
    utf8_accept: bool
    saved_result: bytes  # packed UIDs
    untold_modseq: int
    bad_commands: int
    last_command: str
    last_time: float
    mailbox: ParkedMailbox | None = None
    compressed: Standing | None = (
        None  # under COMPRESS: where the client's stream stands, the text deflated itself
    )
    notify: ParkedNotify | None = None
    uid_only: bool = False


def can_be_parked(conversation: Conversation) -> bool:
    """Whether all that the session is can be written down, as it waits for its client now."""
    notifications = conversation.notifications
    return (
        conversation.transport.is_quiet
        and conversation.engine.is_resting
        and (
            notifications is None
            or (isinstance(notifications, Notifications) and notifications.can_be_parked)
        )
        and not conversation.runs_beside
        and not conversation.coming.any
        and isinstance(conversation.updates, SearchContexts | None)
    )


def parked_mailbox(conversation: Conversation) -> ParkedMailbox | None:
    """What the client knows of its selected mailbox.  ViewLost."""
    view = conversation.view
    if view is None:
        return None
    updates = conversation.updates
    return ParkedMailbox(
        conversation.account.name_of(view.mailbox),
        view.mailbox.uid_validity,
        view.read_only,
        view.state(),
        updates.contexts if isinstance(updates, SearchContexts) else None,
    )


def saved_uids(conversation: Conversation) -> bytes:
    """`$`, packed."""
    return pack_uids(sorted(conversation.saved_result))


def standing_of_stream(conversation: Conversation) -> Standing | None:
    """What DEFLATE has to remember of what the client has said; None without COMPRESS."""
    transport = conversation.transport
    if not isinstance(transport, CompressedTransport) or transport.standing is None:
        return None
    window, missing = transport.standing
    return zlib.compress(window, _LEVEL), missing


def parked_notify(conversation: Conversation) -> ParkedNotify | None:
    """What NOTIFY watches."""
    notifications = conversation.notifications
    return notifications.state if isinstance(notifications, Notifications) else None


async def go_on(conversation: Conversation, parked: ParkedSession) -> None:
    """Know what the parked session knew.  Disconnect, ViewLost."""
    engine = conversation.engine
    if parked.compressed is not None:
        window, missing = parked.compressed
        standing = zlib.decompressobj().decompress(window, WINDOW), missing
        conversation.use_transport(CompressedTransport(conversation.transport, goes_on=standing))
    engine.bytes_in, engine.bytes_out = parked.bytes_in, parked.bytes_out
    engine.utf8_names = parked.utf8_accept or parked.rev2
    conversation.figures = parked.figures
    conversation.condstore, conversation.qresync = parked.condstore, parked.qresync
    conversation.rev2, conversation.utf8_accept = parked.rev2, parked.utf8_accept
    conversation.uid_only = parked.uid_only
    conversation.untold_modseq = parked.untold_modseq
    if parked.mailbox is not None:
        await _enter(conversation, parked.mailbox)
        conversation.saved_result = unpack_uids(parked.saved_result).tolist()
    if parked.notify is not None:
        await notify.go_on(conversation, parked.notify)
    if parked.idle_tag:
        engine.expect_line(parked.idle_tag)


async def _enter(conversation: Conversation, parked: ParkedMailbox) -> None:
    try:
        mailbox = await conversation.account.open(parked.name, read_only=parked.read_only)
    except (NoSuchMailbox, MailboxNameRefused, PermissionDenied):
        raise mailbox_deleted() from None
    except StoreUnavailable as problem:
        failed_reads.log(conversation, problem)
        raise Disconnect("Internal error", bye=INTERNAL_ERROR) from problem
    try:
        if mailbox.uid_validity != parked.uid_validity:
            raise mailbox_deleted()
        if conversation.condstore or mailbox.has_modseqs:
            await mailbox.track_modseqs()
        rights = await conversation.rights(parked.name)
        conversation.enter_mailbox(mailbox, read_only=parked.read_only, rights=rights, known=parked.view)
    except ValueError:
        mailbox.close()
        raise ViewLost from None
    except BaseException:
        mailbox.close()
        raise
    if parked.results is not None:
        conversation.updates = SearchContexts(conversation, parked.results)
