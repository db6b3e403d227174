"""APPEND and REPLACE: the mailbox and the size are looked at before the message is let in.

STANDARDS
    RFC 3501 §6.3.11; RFC 3502 (MULTIAPPEND); RFC 4315 §3 (APPENDUID); RFC 4469 §3, RFC 7889 §3.1 (TOOBIG);
    RFC 8508 (REPLACE); RFC 7888 §4 (a literal that nobody waits to be asked for, and that is too big)
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from pillarbox.mailstore.mailbox import (
    SPOOL_AT,
    Mailbox,
    MailboxNameRefused,
    NewMessage,
    NoSuchMailbox,
    OverQuota,
    PermissionDenied,
    Spool,
    StoreUnavailable,
)
from pillarbox.mailstore.sharing.acl_file import Rights
from pillarbox.sessions.imap import logged_changes
from pillarbox.sessions.imap.catenation import BadPart, TooBig, catenate
from pillarbox.sessions.imap.conversation import Conversation, InvalidMessageSet
from pillarbox.sessions.imap.flag_rights import CHANGE, storable
from pillarbox.sessions.imap.mailbox_commands import refusal
from pillarbox.vocabulary.identifiers import Uid
from pillarbox.wire.imap import responses
from pillarbox.wire.imap.commands import Append, AppendData, Appended, AppendOffer, Replace
from pillarbox.wire.imap.fragments import Streamed

KEPT_AT: Final = 1 << 22
"""Octets of the messages of one command from which on even small ones are written as they come (MULTIAPPEND)."""


async def append_offer(conversation: Conversation, command: AppendOffer) -> None:
    """A message is to come: take it, or answer at once."""
    streamed = command.size >= SPOOL_AT or command.total >= KEPT_AT
    try:
        refusal = await _refusal(conversation, command, streamed=streamed)
    except (StoreUnavailable, MailboxNameRefused, PermissionDenied, OverQuota):
        conversation.engine.refuse_literal()  # the session answers NO; the engine has to know, too
        await conversation.coming.end()
        raise
    if refusal is None:
        conversation.engine.accept_literal(streamed=streamed)
    else:
        # A client that sends its literal anyway, {n+}, sends it into nothing (RFC 7888 §4).
        conversation.no(command.tag, refusal)
        conversation.engine.refuse_literal()
        await conversation.coming.end()  # those that have come are not stored, either  RFC 3502 §6.3.11


async def append_data(conversation: Conversation, command: AppendData) -> None:
    """Some of a large message: it is written before more is read."""
    spool = conversation.coming.spools[-1]
    await spool.add(command.data)


async def _refusal(conversation: Conversation, command: AppendOffer, *, streamed: bool) -> bytes | None:
    """Why the message may not come."""
    limit = conversation.message_size_limit
    if limit and command.size > limit:
        return b"[TOOBIG] Message is larger than %d bytes" % limit
    if limit and command.total > limit:  # what MULTIAPPEND sends is stored all or none
        return b"[LIMIT] Messages of one command are larger than %d bytes" % limit
    try:
        mailbox = await conversation.coming.target(command.mailbox, conversation.open_target)
    except NoSuchMailbox as fault:
        return refusal(conversation, command.mailbox, fault, b"TRYCREATE")
    if command.size == 0:
        return b"[CANNOT] Can't save a zero byte message"
    if streamed:
        await conversation.coming.new_spool(mailbox, command.size)
    return None


async def append(conversation: Conversation, command: Append) -> None:
    """The messages have come."""
    code = await _store(conversation, command.tag, command.mailbox, command.messages)
    if code is None:
        return
    await conversation.refresh()
    await conversation.tell_changes(asked=True)
    conversation.ok(command.tag, code + b"Append completed")


async def replace(conversation: Conversation, command: Replace) -> None:
    """REPLACE: APPEND and then EXPUNGE of one message; a crash leaves both, never none."""
    name = b"UID REPLACE" if command.by_uid else b"REPLACE"
    try:
        chosen = conversation.choose(command.message, by_uid=command.by_uid)
    except InvalidMessageSet:
        conversation.bad(command.tag, b"Error in IMAP command %b: Invalid messageset" % name)
        return
    view = conversation.selected
    if not chosen.uids:
        conversation.no(command.tag, b"[NONEXISTENT] No such message")
        return
    if Rights.EXPUNGE not in view.rights:
        raise PermissionDenied
    if view.read_only:
        conversation.no(command.tag, b"[READ-ONLY] Mailbox is read-only")
        return
    code = await _store(conversation, command.tag, command.mailbox, [command.appended])
    if code is None:
        return
    conversation.engine.untagged(b"OK %bReplacement Message ready" % code)  # RFC 8508 §3.4
    await logged_changes.expunge(conversation, [Uid(uid) for uid in chosen.uids])
    await conversation.refresh()
    await conversation.tell_changes(asked=True)
    conversation.ok(command.tag, b"Replace completed")


async def _store(
    conversation: Conversation, tag: bytes, name: str, appended: Sequence[Appended]
) -> bytes | None:
    """Store messages: `[APPENDUID …] ` (nothing where the user may not see it), or None after an answer."""
    try:
        mailbox = await conversation.coming.target(name, conversation.open_target)
        rights = await conversation.rights(name)
        spools = iter(list(conversation.coming.spools))
        messages = [
            _permitted(await _made(conversation, mailbox, message, spools), rights) for message in appended
        ]
        if not all(map(_octets, messages)):
            conversation.no(tag, b"[CANNOT] Can't save a zero byte message")
            return None
        uids = await mailbox.append(messages)
    except NoSuchMailbox as fault:  # perhaps gone while the message came
        conversation.no(tag, refusal(conversation, name, fault, b"TRYCREATE"))
        return None
    except BadPart as problem:
        conversation.no(tag, str(problem).encode("ascii"))
        return None
    except TooBig:
        conversation.no(tag, b"[TOOBIG] Message is larger than %d bytes" % conversation.message_size_limit)
        return None
    except OverflowError:
        conversation.no(tag, b"[LIMIT] Too many keywords in this mailbox")
        return None
    conversation.figures.appended += len(uids)
    await logged_changes.tell_saved(conversation, mailbox, name, uids)
    # RFC 4315 §3: to who may not SELECT the mailbox, "it would disclose information about the mailbox"
    return responses.append_uid(mailbox.uid_validity, uids) + b" " if Rights.READ in rights else b""


def _permitted(message: NewMessage, rights: Rights) -> NewMessage:
    """With those of its flags that the user may set."""
    if rights & CHANGE == CHANGE:
        return message
    keywords = message.keywords if Rights.WRITE in rights else ()
    flags = message.flags & storable(rights)
    return msgspec.structs.replace(message, flags=flags, keywords=keywords)


def _octets(message: NewMessage) -> int:
    return len(message.content) if isinstance(message.content, bytes) else message.content.size


async def _made(
    conversation: Conversation, target: Mailbox, message: Appended, spools: Iterator[Spool]
) -> NewMessage:
    content: bytes | Spool = message.content
    if message.parts:
        content = await catenate(conversation, target, message.parts, spools)
    elif isinstance(content, Streamed):
        content = next(spools)
        await content.finish()
    received = message.internal_date
    if received is not None and received > conversation.clock.now():
        received = None  # Dovecot's rule: nothing was received in the future
    return NewMessage(content, message.flags, message.keywords, received)
