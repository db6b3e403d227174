"""Changes of the selected mailbox, which the log may have to tell of (sessions/mail_log.py)."""

from collections.abc import Sequence

from pillarbox.mailstore.mailbox import FlagChange, KeptFlags, Mailbox
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.sessions.mail_log import Snapshot
from pillarbox.vocabulary.identifiers import Uid


async def expunge(conversation: Conversation, uids: Sequence[Uid]) -> None:
    """Remove messages for good."""
    view = conversation.selected
    gone = await conversation.mail_log.expunge(
        view.mailbox, _box(conversation), uids, recent=view.recent_ranges, origin=view
    )
    conversation.figures.expunged += len(gone)


async def change_flags(
    conversation: Conversation, uids: Sequence[Uid], change: FlagChange, *, origin: object | None
) -> list[Uid]:
    """Change flags; the UIDs whose flags really changed.  OverflowError."""
    view = conversation.selected
    return await conversation.mail_log.change_flags(
        view.mailbox, _box(conversation), uids, change, recent=view.recent_ranges, origin=origin
    )


async def copy(
    conversation: Conversation, uids: Sequence[Uid], target: Mailbox, name: str, keeping: KeptFlags
) -> list[tuple[Uid, Uid]]:
    """Copy messages into the mailbox of that name; (source UID, target UID) pairs.  MessageGone."""
    before = await _snapshot(conversation, uids, "copy")
    pairs = await conversation.selected.mailbox.copy(uids, target, keeping=keeping)
    conversation.mail_log.tell_copies(_box(conversation), name, before, pairs)
    return pairs


async def move(
    conversation: Conversation, uids: Sequence[Uid], target: Mailbox, name: str, keeping: KeptFlags
) -> list[tuple[Uid, Uid]]:
    """The same, and they are gone here."""
    view, log = conversation.selected, conversation.mail_log
    before = await _snapshot(conversation, uids, "copy", "expunge")
    pairs = await view.mailbox.move(uids, target, keeping=keeping, origin=view)
    log.tell_copies(_box(conversation), name, before, pairs)
    log.tell("expunge", _box(conversation), before, [uid for uid, _ in pairs])
    return pairs


async def tell_saved(conversation: Conversation, mailbox: Mailbox, name: str, uids: Sequence[Uid]) -> None:
    """Messages have been appended to the mailbox of that name."""
    log = conversation.mail_log
    if log.wants("save"):
        log.tell("save", name, await log.snapshot(mailbox, uids), uids)


async def _snapshot(conversation: Conversation, uids: Sequence[Uid], *events: str) -> Snapshot:
    view = conversation.selected
    if not conversation.mail_log.wants(*events):
        return {}
    return await conversation.mail_log.snapshot(view.mailbox, uids)


def _box(conversation: Conversation) -> str:
    """The selected mailbox's name for the log."""
    return conversation.account.name_of(conversation.selected.mailbox)
