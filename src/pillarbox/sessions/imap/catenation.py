"""CATENATE: a message put together of texts and of parts of messages that are there already.

FAULTS
    BadPart  a URL that names nothing; the session answers NO [BADURL …].
    TooBig   the whole would be larger than the message size limit.

STANDARDS
    RFC 4469 §3, §4
"""

from collections.abc import Iterator, Sequence

from pillarbox.mailstore.content.large_content import LargeContent, Span, pieces_of
from pillarbox.mailstore.mailbox import SPOOL_AT, Mailbox, Spool
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.sessions.imap.named_messages import named_mailbox, named_message, named_part
from pillarbox.wire.imap.commands import Url
from pillarbox.wire.imap.fragments import Streamed
from pillarbox.wire.imap.imap_url import BadUrl, parse_message_url


class BadPart(Exception):
    """`str()` is `[BADURL url] why`."""


class TooBig(Exception):
    """More octets than a message may have."""


async def catenate(
    conversation: Conversation, target: Mailbox, parts: Sequence[bytes | Url], spools: Iterator[Spool]
) -> bytes | Spool:
    """The message, in a spool of the target if it is large; `spools` are those of texts that came so."""
    limit = conversation.message_size_limit
    pieces: list[bytes] = []
    size = 0
    whole: Spool | None = None
    for part in parts:
        if isinstance(part, Streamed):
            text: bytes | LargeContent | Span = await next(spools).content()
        else:
            text = part if isinstance(part, bytes) else await _fetch(conversation, part.text)
        size += len(text)
        if limit and size > limit:
            raise TooBig
        if whole is None and size >= SPOOL_AT:
            whole = await conversation.coming.new_spool(target, size)
            for piece in pieces:
                await whole.add(piece)
        if whole is None:
            pieces += [piece async for piece in pieces_of(text)]
        else:
            async for piece in pieces_of(text):
                await whole.add(piece)
    if whole is None:
        return b"".join(pieces)
    await whole.finish()
    return whole


async def _fetch(conversation: Conversation, text: bytes) -> bytes | Span:
    try:
        view = conversation.view
        url = parse_message_url(text, "" if view is None else conversation.account.name_of(view.mailbox))
        if not url.mailbox:
            raise BadUrl("Mailbox-relative IMAP URL, but no mailbox selected")
        async with named_mailbox(conversation.account, url, url.mailbox) as mailbox:
            content = await named_message(mailbox, url)
        return await named_part(content, url.section)
    except BadUrl as problem:
        raise BadPart(_answer(text, str(problem))) from None


def _answer(url: bytes, reason: str) -> str:
    shown = "".join(chr(octet) for octet in url[:200] if 0x20 < octet < 0x7F and octet != 0x5D)
    return f"[BADURL {shown}] {reason}"
