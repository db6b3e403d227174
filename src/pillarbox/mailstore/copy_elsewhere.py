"""Messages into a mailbox of another kind: what the one can tell is appended to the other."""

from collections.abc import Sequence

from pillarbox.mailstore.content.large_content import LargeContent, pieces_of
from pillarbox.mailstore.mailbox import KEEP_ALL, Fields, KeptFlags, Mailbox, MessageGone, NewMessage, Spool
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid


async def copy_elsewhere(
    source: Mailbox, uids: Sequence[Uid], target: Mailbox, *, keeping: KeptFlags = KEEP_ALL
) -> list[tuple[Uid, Uid]]:
    """(UID there, UID here), all or none.  Raises MessageGone, and what `append` and `content` raise."""
    messages: list[NewMessage] = []
    spools: list[Spool] = []
    try:
        for uid in uids:
            row = source.messages.row(uid)
            if row is None:
                raise MessageGone(str(uid))
            bits = source.messages.keywords[row] if keeping.keywords else 0
            keywords = tuple(name for bit, name in enumerate(source.keywords) if bits >> bit & 1)
            flags = Flag(source.messages.flags[row]) & keeping.flags
            content = await source.content(uid)  # raises what is wrong with the message, if anything is
            summaries = await source.summaries([uid], Fields.DATE)
            if not summaries:
                raise MessageGone(str(uid))
            copied: bytes | Spool
            if isinstance(content, bytes):
                copied = content
            else:
                copied = await _spooled(content, target)
                spools.append(copied)
            messages.append(NewMessage(copied, flags, keywords, float(summaries[0].internal_date)))
        return list(zip(uids, await target.append(messages), strict=True))
    finally:
        for spool in spools:
            await spool.discard()


async def _spooled(content: LargeContent, target: Mailbox) -> Spool:
    spool = await target.spool(len(content))
    async for block in pieces_of(content):
        await spool.add(block)
    await spool.finish()
    return spool
