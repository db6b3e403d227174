"""APPEND: the mailbox and the size are looked at before the message is let in.

STANDARDS
    RFC 3501 §6.3.11; RFC 3502 (MULTIAPPEND); RFC 4315 §3 (APPENDUID); RFC 4469 §3, RFC 7889 §3.1 (TOOBIG);
    RFC 7888 §4 (a literal that nobody waits to be asked for, and that is too big)
"""

from pillarbox.mailstore.mailbox import (
    MailboxNameRefused,
    NewMessage,
    NoSuchMailbox,
    StoreUnavailable,
)
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.wire.imap import mailbox_names, responses
from pillarbox.wire.imap.commands import Append, AppendOffer


async def append_offer(conversation: Conversation, command: AppendOffer) -> None:
    """A message is to come: take it, or answer at once."""
    try:
        refusal = await _refusal(conversation, command)
    except (StoreUnavailable, MailboxNameRefused):
        conversation.engine.refuse_literal()  # the session answers NO; the engine has to know, too
        raise
    if refusal is None:
        conversation.engine.accept_literal()
    else:
        # A client that sends its literal anyway, {n+}, sends it into nothing (RFC 7888 §4).
        conversation.no(command.tag, refusal)
        conversation.engine.refuse_literal()


async def _refusal(conversation: Conversation, command: AppendOffer) -> bytes | None:
    """Why the message may not come."""
    if command.size == 0:
        return b"Can't save a zero byte message"
    limit = conversation.message_size_limit
    if limit and command.size > limit:
        return b"[TOOBIG] Message is larger than %d bytes" % limit
    if limit and command.total > limit:  # what MULTIAPPEND sends is stored all or none, so all is kept
        return b"[LIMIT] Messages of one command are larger than %d bytes" % limit
    try:
        (await conversation.account.open(command.mailbox, read_only=True)).close()
    except NoSuchMailbox:
        return _try_create(command.mailbox)
    return None


async def append(conversation: Conversation, command: Append) -> None:
    """The messages have come."""
    if not all(message.content for message in command.messages):
        conversation.no(command.tag, b"Can't save a zero byte message")
        return
    try:
        mailbox = await conversation.account.open(command.mailbox, read_only=True)
    except NoSuchMailbox:
        conversation.no(command.tag, _try_create(command.mailbox))
        return
    try:
        uids = await mailbox.append(
            [
                NewMessage(message.content, message.flags, message.keywords, message.internal_date)
                for message in command.messages
            ]
        )
    except OverflowError:
        conversation.no(command.tag, b"[LIMIT] Too many keywords in this mailbox")
        return
    finally:
        mailbox.close()
    await conversation.refresh()
    conversation.tell_changes()
    conversation.ok(command.tag, responses.append_uid(mailbox.uid_validity, uids) + b" Append completed")


def _try_create(name: str) -> bytes:
    return b"[TRYCREATE] Mailbox doesn't exist: " + mailbox_names.encode(name)
