"""STORE, COPY, MOVE, EXPUNGE and CHECK.

STANDARDS
    RFC 3501 §6.4; RFC 2180 §4.2 (STORE of messages that are gone); RFC 4315 (UIDPLUS); RFC 6851 (MOVE); RFC 5530
    (response codes); RFC 7162 §3.1.3 (UNCHANGEDSINCE)
"""

from bisect import bisect_left, bisect_right
from typing import Final

from pillarbox.mailstore.mailbox import (
    FlagAction,
    FlagChange,
    Mailbox,
    MessageGone,
    NoSuchMailbox,
    PermissionDenied,
)
from pillarbox.mailstore.sharing.acl_file import Rights
from pillarbox.mailstore.view import MailboxView
from pillarbox.sessions.imap import logged_changes
from pillarbox.sessions.imap.conversation import Conversation, InvalidMessageSet
from pillarbox.sessions.imap.flag_rights import kept, permitted
from pillarbox.sessions.imap.mailbox_commands import refusal
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid
from pillarbox.vocabulary.number_set import NumberSet, compact
from pillarbox.wire.imap import responses
from pillarbox.wire.imap.commands import Check, Copy, Expunge, Move, Store, StoreAction

BATCH: Final = 1000
"""Messages whose flags are changed in one go."""

_DELETED: Final = bytes(bool(flags & Flag.DELETED) for flags in range(256))
_ACTIONS: Final = {
    StoreAction.REPLACE: FlagAction.REPLACE,
    StoreAction.ADD: FlagAction.ADD,
    StoreAction.REMOVE: FlagAction.REMOVE,
}


def deleted_uids(view: MailboxView, uids: NumberSet | None = None) -> list[Uid]:
    """Messages with \\Deleted that the client knows of, all or those among `uids`."""
    table = view.mailbox.messages
    marks = table.flags.translate(_DELETED)
    marked: list[Uid] = []
    row = marks.find(1)
    while row >= 0:
        marked.append(Uid(table.uids[row]))
        row = marks.find(1, row + 1)
    last = view.last_uid
    spans = [(0, last)] if uids is None else uids.spans(last)
    return [
        uid
        for low, high in spans
        for uid in marked[bisect_left(marked, low) : bisect_right(marked, min(high, last))]
    ]


async def store(conversation: Conversation, command: Store) -> None:
    """STORE and UID STORE: those whose flags really change are told, as Dovecot does."""
    chosen = _choose(conversation, command)
    if chosen is None:
        return
    view = conversation.selected
    if view.read_only:
        await _ignore_store(conversation, command)
        return
    gone = not command.by_uid and view.expunges_pend and _has_gone(view, chosen)
    modified: set[Uid] = set()
    expected: dict[int, tuple[int, int]] | None = None
    if command.unchanged_since is not None:
        await conversation.enable_condstore()
        expected = _unchanged(view, chosen, command.unchanged_since)
        modified = _changed_since(view, set(chosen), command.unchanged_since)
        chosen = [uid for uid in chosen if uid in expected]
    change = FlagChange(_ACTIONS[command.action], command.flags, command.keywords, expected)
    # A silent change is one that the view knows to be its own; others it tells like anybody's.
    origin = view if command.silent else None
    try:
        for start in range(0, len(chosen), BATCH):
            batch = chosen[start : start + BATCH]
            changed = await _change(conversation, batch, change, origin)
            if expected is not None:
                # Somebody was faster between our look and the change: theirs has a newer mod-sequence.
                modified |= _changed_since(view, set(batch) - set(changed), command.unchanged_since or 0)
            if command.silent and conversation.condstore:
                conversation.tell_modseqs(changed, with_uid=command.by_uid)
            if change.flags & Flag.DELETED and change.action is not FlagAction.REMOVE:
                conversation.figures.deleted += len(changed)
            await conversation.tell_changes(expunges=False, with_uid=command.by_uid)
            await conversation.flush_if_much()
    except OverflowError:
        conversation.no(command.tag, b"[LIMIT] Too many keywords in this mailbox")
        return
    await conversation.tell_changes(expunges=command.by_uid, with_uid=command.by_uid)
    if modified:
        names = [uid if command.by_uid else view.number_of(uid) for uid in sorted(modified)]
        code = b"[MODIFIED %b]" % compact(name for name in names if name is not None)
        conversation.ok(command.tag, code + b" Conditional store failed")
    elif gone:  # RFC 5530 §3; numbers mean them until the client hears of it
        conversation.ok(command.tag, b"[EXPUNGEISSUED] Some messages were already expunged")
    else:
        conversation.ok(command.tag, b"Store completed")


def _has_gone(view: MailboxView, uids: list[Uid]) -> bool:
    """Whether a message that the client knows of is not there any more."""
    table = view.mailbox.messages
    return any(table.row(uid) is None for uid in uids)


async def _ignore_store(conversation: Conversation, command: Store) -> None:
    """The answer of a mailbox that was opened for reading: OK as ever, but nothing conditional has been done."""
    if command.unchanged_since is None:
        conversation.ok(command.tag, b"Store ignored with read-only mailbox")
        return
    await conversation.enable_condstore()
    conversation.no(command.tag, b"[READ-ONLY] CONDSTORE failed: Mailbox is read-only")


def _unchanged(view: MailboxView, uids: list[Uid], modseq: int) -> dict[int, tuple[int, int]]:
    """Flags and keyword bits of those that nobody has changed since that mod-sequence."""
    table = view.mailbox.messages
    rows = [row for uid in uids if (row := table.row(uid)) is not None and table.modseqs[row] <= modseq]
    return {table.uids[row]: (table.flags[row], table.keywords[row]) for row in rows}


def _changed_since(view: MailboxView, uids: set[Uid], modseq: int) -> set[Uid]:
    table = view.mailbox.messages
    return {uid for uid in uids if (row := table.row(uid)) is not None and table.modseqs[row] > modseq}


async def _change(
    conversation: Conversation, uids: list[Uid], change: FlagChange, origin: object | None
) -> list[Uid]:
    """Change what the user may change."""
    allowed = permitted(change, conversation.selected.rights)
    return await logged_changes.change_flags(conversation, uids, allowed, origin=origin)


async def copy(conversation: Conversation, command: Copy) -> None:
    """COPY and UID COPY."""
    chosen = await _choose_to_copy(conversation, command)
    if not chosen:
        return
    target = await _target(conversation, command)
    if target is None:
        return
    try:
        rights = await conversation.rights(command.mailbox)
        pairs = await logged_changes.copy(conversation, chosen, target, command.mailbox, kept(rights))
        _count_trashed(conversation, command, len(pairs))
    except MessageGone:
        await conversation.tell_changes()
        raise
    finally:
        target.close()
    await conversation.refresh()
    await conversation.tell_changes(asked=True)
    # RFC 4315 §3: to who may not SELECT the target, "it would disclose information about the mailbox"
    code = responses.copy_uid(target.uid_validity, pairs) + b" " if Rights.READ in rights else b""
    conversation.ok(command.tag, code + b"Copy completed")


async def move(conversation: Conversation, command: Move) -> None:
    """MOVE and UID MOVE: COPYUID is told before the EXPUNGEs (RFC 6851 §4.3)."""
    chosen = await _choose_to_copy(conversation, command)
    if not chosen:
        return
    view = conversation.selected
    if view.read_only:
        conversation.no(command.tag, b"[READ-ONLY] Mailbox is read-only")
        return
    if Rights.EXPUNGE not in view.rights:
        raise PermissionDenied
    target = await _target(conversation, command)
    if target is None:
        return
    try:
        rights = await conversation.rights(command.mailbox)
        pairs = await logged_changes.move(conversation, chosen, target, command.mailbox, kept(rights))
    except MessageGone:
        await conversation.tell_changes()
        raise
    finally:
        target.close()
    if Rights.READ in rights:
        code = responses.copy_uid(target.uid_validity, pairs)
        conversation.engine.untagged(b"OK %s Moved UIDs." % code)
    _count_trashed(conversation, command, len(pairs))
    await conversation.tell_changes(asked=True)
    conversation.ok(command.tag, b"Move completed")


def _count_trashed(conversation: Conversation, command: Copy | Move, count: int) -> None:
    if command.mailbox in conversation.options.trash:
        conversation.figures.trashed += count


async def expunge(conversation: Conversation, command: Expunge) -> None:
    """EXPUNGE and UID EXPUNGE; nothing happens in a mailbox that is only looked at."""
    view = conversation.selected
    conversation.take_in()
    if not view.read_only:
        deleted = _expungeable(conversation, command)
        if deleted and Rights.EXPUNGE not in view.rights:
            raise PermissionDenied
        if deleted:
            await logged_changes.expunge(conversation, deleted)
    await conversation.refresh()
    await conversation.tell_changes(asked=True)
    conversation.ok(command.tag, b"Expunge completed")


def _expungeable(conversation: Conversation, command: Expunge) -> list[Uid]:
    """What EXPUNGE removes; `UID EXPUNGE $` is about what the last search has saved (RFC 5182 §2.1)."""
    if command.uids is None or not command.uids.saved:
        return deleted_uids(conversation.selected, command.uids)
    saved = set(conversation.saved_result)
    return [uid for uid in deleted_uids(conversation.selected) if uid in saved]


async def check(conversation: Conversation, command: Check) -> None:
    """CHECK: everything is on disk already; tells what is new, like NOOP."""
    await conversation.refresh()
    await conversation.tell_changes(asked=True)
    conversation.ok(command.tag, b"Check completed")


def _choose(conversation: Conversation, command: Store | Copy | Move) -> list[Uid] | None:
    """The messages, or None after BAD."""
    name = type(command).__name__.upper().encode("ascii")
    try:
        chosen = conversation.choose(command.messages, by_uid=command.by_uid)
    except InvalidMessageSet:
        if command.by_uid:
            name = b"UID " + name
        conversation.bad(command.tag, b"Error in IMAP command %s: Invalid messageset" % name)
        return None
    return [Uid(uid) for uid in chosen.uids]


async def _choose_to_copy(conversation: Conversation, command: Copy | Move) -> list[Uid] | None:
    """The messages; none after an answer, which tells what is new and does not depend on where they were to go."""
    chosen = _choose(conversation, command)
    if chosen is not None and not chosen:
        await conversation.refresh()
        await conversation.tell_changes(asked=True)
        conversation.ok(command.tag, b"No messages found")
    return chosen


async def _target(conversation: Conversation, command: Copy | Move) -> Mailbox | None:
    """The mailbox to copy to, or None after an answer."""
    try:
        return await conversation.open_target(command.mailbox)
    except NoSuchMailbox as fault:
        conversation.no(command.tag, refusal(conversation, command.mailbox, fault, b"TRYCREATE"))
        return None
