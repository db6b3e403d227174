"""What an IMAP URL names: a mailbox that may be read, a message in it, a part of that.

FAULTS
    BadUrl            there is no such message; `str()` is for the client.
    PermissionDenied  access lists forbid to read the mailbox.

STANDARDS
    RFC 5092 §6; RFC 5524 §3 (BINARY, BODYPARTSTRUCTURE)
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from pillarbox.mailstore.content.large_content import LargeContent, Span
from pillarbox.mailstore.mailbox import (
    Account,
    Mailbox,
    MailboxNameRefused,
    MessageGone,
    NoSuchMailbox,
    PermissionDenied,
)
from pillarbox.message import body_structure, mime_tree
from pillarbox.message.sections import find_part
from pillarbox.sessions.imap.sections import SectionRenderer, Written
from pillarbox.vocabulary.identifiers import Uid
from pillarbox.wire.imap.fetch_items import Section, SectionPart
from pillarbox.wire.imap.imap_url import BadUrl, MessageUrl

MessageContent = bytes | LargeContent


@asynccontextmanager
async def named_mailbox(account: Account, url: MessageUrl, name: str) -> AsyncIterator[Mailbox]:
    """The mailbox of a URL, by the name that it has in the account, opened for the while."""
    try:
        mailbox = await account.open(name, read_only=True)
    except (NoSuchMailbox, MailboxNameRefused):
        raise BadUrl("Mailbox not found") from None
    except PermissionDenied:
        raise BadUrl("Permission denied") from None
    try:
        if url.uid_validity not in (None, mailbox.uid_validity):
            raise BadUrl("Invalid UIDVALIDITY")
        yield mailbox
    finally:
        mailbox.close()


async def named_message(mailbox: Mailbox, url: MessageUrl) -> MessageContent:
    """The message of a URL."""
    try:
        return await mailbox.content(Uid(url.uid))
    except MessageGone:
        raise BadUrl("Message not found") from None


async def named_part(content: MessageContent, section: Section) -> bytes | Span:
    """The part of a URL, as it is in the message."""
    renderer = SectionRenderer([section])
    if isinstance(content, bytes):
        part = renderer.only_text(content)
    else:
        part = await content.run(renderer.only_text, content)
    if part is None:
        raise BadUrl("Section not found")
    return part


async def decoded_part(content: MessageContent, section: Section) -> Written:
    """`{n}` or `~{n}` CRLF, and the part without its transfer encoding: BINARY of RFC 5524 §3.

    What is no body part (HEADER, TEXT, MIME) has no encoding.  UnknownEncoding.
    """
    if section.part is not SectionPart.ALL:
        text = await named_part(content, section)
        return b"{%d}\r\n" % len(text), text
    partial = section.partial
    whole: bytes | Span
    section = msgspec.structs.replace(section, label=b"", decoded=True, partial=None)
    renderer = SectionRenderer([section])
    if isinstance(content, bytes):
        label, whole = renderer.from_content(content)[0]
    else:
        label, whole = (await content.run(renderer.from_large, content))[0]
    if partial is not None:
        first, count = partial
        whole = whole.cut(first, count) if isinstance(whole, Span) else whole[first : first + count]
    return (b"~{%d}\r\n" if b"~" in label else b"{%d}\r\n") % len(whole), whole


async def part_structure(content: MessageContent, section: Section) -> bytes:
    """BODYSTRUCTURE of the part alone: BODYPARTSTRUCTURE of RFC 5524 §3."""
    if isinstance(content, bytes):
        return _structure(content, section.path)
    return await content.run(_structure, content, section.path)


def _structure(content: MessageContent, path: tuple[int, ...]) -> bytes:
    tree = (
        content.remember("tree", mime_tree.parse)
        if isinstance(content, LargeContent)
        else mime_tree.parse(content)
    )
    part = find_part(tree, path) if path else tree
    if part is None:
        raise BadUrl("Section not found")
    render = body_structure.render_part if path else body_structure.render
    return render(content, part)[1]
