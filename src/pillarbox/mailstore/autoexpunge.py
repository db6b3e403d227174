"""Messages that have been in a mailbox for long enough, or are too many, are removed: autoexpunge.

DESCRIPTION
    `mailbox Trash { autoexpunge = 30d }` removes what came into Trash more than thirty days ago, and
    `autoexpunge_max_mails` the oldest above that number, too; alone, it does nothing.  The oldest are looked at
    first, until one is young enough.  A name with `*` or `?` stands for many mailboxes.

STANDARDS
    Dovecot 2.3, MailboxSettings; RFC 8514 (SAVEDATE)
"""

from collections.abc import Awaitable, Callable, Sequence

from pillarbox.config.mailbox_settings import MailboxDefinition
from pillarbox.mailstore.mailbox import Account, Fields, Mailbox, NoSuchMailbox
from pillarbox.vocabulary.identifiers import Uid
from pillarbox.vocabulary.wildcards import mask_pattern

BATCH = 100


Expunge = Callable[[Mailbox, str, Sequence[Uid]], Awaitable[list[Uid]]]
"""Removes messages of the mailbox of that name; the UIDs that were there."""


async def expunge_silently(mailbox: Mailbox, name: str, uids: Sequence[Uid]) -> list[Uid]:
    """Nobody is told."""
    return await mailbox.expunge(uids)


async def autoexpunge(
    account: Account,
    definitions: Sequence[MailboxDefinition],
    *,
    now: float,
    expunge: Expunge = expunge_silently,
) -> dict[str, int]:
    """Remove what is due; mailbox → how many messages.  StoreUnavailable."""
    due = [one for one in definitions if one.autoexpunge]
    removed: dict[str, int] = {}
    names: list[str] | None = None
    for definition in due:
        chosen = [definition.name]
        if "*" in definition.name or "?" in definition.name:
            if names is None:
                names = [entry.name for entry in await account.list_mailboxes() if entry.selectable]
            pattern = mask_pattern(definition.name)
            chosen = [name for name in names if pattern.fullmatch(name)]
        for name in chosen:
            try:
                mailbox = await account.open(name, read_only=True)
            except NoSuchMailbox:
                continue
            try:
                gone = await expunge(mailbox, name, await _due(mailbox, definition, now))
            finally:
                mailbox.close()
            if gone:
                removed[name] = len(gone)
    return removed


async def _due(mailbox: Mailbox, definition: MailboxDefinition, now: float) -> list[Uid]:
    uids = [Uid(uid) for uid in mailbox.messages.uids]
    most = definition.autoexpunge_max_mails
    found = uids[: max(0, len(uids) - most)] if most else []
    oldest = now - definition.autoexpunge
    for start in range(len(found), len(uids), BATCH):
        for summary in await mailbox.summaries(uids[start : start + BATCH], Fields.SAVED):
            if summary.saved > oldest:
                return found
            found.append(summary.uid)
    return found
