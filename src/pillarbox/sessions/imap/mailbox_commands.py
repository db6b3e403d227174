"""SELECT, EXAMINE, CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS, NAMESPACE, CLOSE, UNSELECT.

FAULTS
    The store's exceptions are turned into NO here where the text depends on the command; `session.py` has
    the rest.

STANDARDS
    RFC 3501 §6.3, §6.4.2; RFC 2342 (NAMESPACE); RFC 3691 (UNSELECT); RFC 5530 (response codes); RFC 7162
    §3.1.2, §3.1.8 (HIGHESTMODSEQ)
"""

from typing import Final

from pillarbox.mailstore.mailbox import MailboxExists, MailboxStatus, NoSuchMailbox
from pillarbox.sessions.imap.conversation import Conversation, Disconnect
from pillarbox.sessions.imap.message_commands import deleted_uids
from pillarbox.vocabulary.flags import Flag
from pillarbox.wire.imap import mailbox_names, responses
from pillarbox.wire.imap.commands import (
    Close,
    Create,
    Delete,
    Examine,
    Namespace,
    Rename,
    Select,
    Status,
    StatusItem,
    Subscribe,
    Unselect,
    Unsubscribe,
)

_UNSEEN: Final = bytes(not flags & Flag.SEEN for flags in range(256))


def missing(name: str) -> bytes:
    """`Mailbox doesn't exist: x`"""
    return b"Mailbox doesn't exist: %s" % mailbox_names.encode(name)


async def select(conversation: Conversation, command: Select) -> None:
    """SELECT."""
    if await _open(conversation, command, read_only=False):
        conversation.ok(command.tag, b"[READ-WRITE] Select completed")


async def examine(conversation: Conversation, command: Examine) -> None:
    """EXAMINE."""
    if await _open(conversation, command, read_only=True):
        conversation.ok(command.tag, b"[READ-ONLY] Examine completed")


async def _open(conversation: Conversation, command: Select | Examine, *, read_only: bool) -> bool:
    """Leave the old mailbox, enter the new one and describe it in Dovecot's order."""
    engine, tag, name = conversation.engine, command.tag, command.mailbox
    if conversation.view is not None:
        conversation.leave_mailbox()
        engine.untagged(b"OK [CLOSED] Previous mailbox closed.")  # RFC 7162 §3.2.11
    if not name:
        conversation.no(tag, b"[CANNOT] Invalid mailbox name: Name is empty")
        return False
    try:
        mailbox = await conversation.account.open(name, read_only=read_only)
    except NoSuchMailbox:
        conversation.no(tag, missing(name))
        return False
    conversation.condstore = conversation.condstore or command.condstore
    try:
        if conversation.condstore or mailbox.has_modseqs:
            await mailbox.track_modseqs()
    except BaseException:
        mailbox.close()
        raise
    view = conversation.enter_mailbox(mailbox, read_only=read_only)
    conversation.tell_flags(view)
    engine.untagged(b"%d EXISTS" % view.count)
    engine.untagged(b"%d RECENT" % view.recent)
    unseen = _first_unseen(mailbox.messages.flags)
    if unseen is not None:
        engine.untagged(b"OK [UNSEEN %d] First unseen." % unseen)
    engine.untagged(b"OK [UIDVALIDITY %d] UIDs valid" % mailbox.uid_validity)
    engine.untagged(b"OK [UIDNEXT %d] Predicted next UID" % mailbox.uid_next)
    if mailbox.has_modseqs:  # as Dovecot: not before anybody has used them
        conversation.tell_highest_modseq(view)
    return True


def _first_unseen(flags: bytearray) -> int | None:
    """The number of the first message without \\Seen."""
    return flags.translate(_UNSEEN).find(1) + 1 or None


async def close(conversation: Conversation, command: Close) -> None:
    """CLOSE: what is \\Deleted goes, and nothing is told of it (RFC 3501 §6.4.2)."""
    view = conversation.selected
    if not view.read_only:
        deleted = deleted_uids(view)
        if deleted:
            gone = await view.mailbox.expunge(deleted, origin=view)
            conversation.figures.expunged += len(gone)
    conversation.leave_mailbox()
    conversation.ok(command.tag, b"Close completed")


async def unselect(conversation: Conversation, command: Unselect) -> None:
    """UNSELECT: CLOSE without expunging."""
    conversation.leave_mailbox()
    conversation.ok(command.tag, b"Unselect completed")


async def create(conversation: Conversation, command: Create) -> None:
    """CREATE."""
    try:
        await conversation.account.create(command.mailbox)
    except MailboxExists:
        conversation.no(command.tag, b"[ALREADYEXISTS] Mailbox already exists")
    else:
        conversation.ok(command.tag, b"Create completed")


async def delete(conversation: Conversation, command: Delete) -> None:
    """DELETE; who deletes the mailbox that is selected has to go, as with Dovecot."""
    name = command.mailbox
    if name == "INBOX":
        conversation.no(command.tag, b"INBOX can't be deleted")
        return
    view = conversation.view
    selected = view is not None and view.mailbox.name == name
    try:
        await conversation.account.delete(name)
    except NoSuchMailbox:
        conversation.no(command.tag, b"[NONEXISTENT] " + missing(name))
        return
    conversation.ok(command.tag, b"Delete completed")
    if selected:
        text = "Selected mailbox was deleted, have to disconnect."
        raise Disconnect(text, bye=text.encode("ascii"))


async def rename(conversation: Conversation, command: Rename) -> None:
    """RENAME."""
    if command.mailbox == "INBOX":
        conversation.no(command.tag, b"[CANNOT] Renaming INBOX isn't supported")
        return
    try:
        await conversation.account.rename(command.mailbox, command.new_name)
    except NoSuchMailbox:
        conversation.no(command.tag, b"[NONEXISTENT] " + missing(command.mailbox))
    except MailboxExists:
        conversation.no(command.tag, b"[ALREADYEXISTS] Target mailbox already exists")
    else:
        conversation.ok(command.tag, b"Rename completed")


async def subscribe(conversation: Conversation, command: Subscribe) -> None:
    """SUBSCRIBE: "A server MAY validate the mailbox argument … to verify that it exists"; Dovecot does."""
    name = command.mailbox.removesuffix("/")
    if all(entry.name != name for entry in await conversation.account.list_mailboxes()):
        conversation.no(command.tag, missing(name))
        return
    await conversation.account.subscribe(name)
    conversation.ok(command.tag, b"Subscribe completed")


async def unsubscribe(conversation: Conversation, command: Unsubscribe) -> None:
    """UNSUBSCRIBE."""
    await conversation.account.unsubscribe(command.mailbox)
    conversation.ok(command.tag, b"Unsubscribe completed")


async def namespace(conversation: Conversation, command: Namespace) -> None:
    """NAMESPACE: one, personal, without a prefix."""
    conversation.engine.untagged(b'NAMESPACE (("" "/")) NIL NIL')
    conversation.ok(command.tag, b"Namespace completed")


async def status(conversation: Conversation, command: Status) -> None:
    """STATUS; of the selected mailbox too, which clients should not ask (RFC 3501 §6.3.10)."""
    with_modseq = StatusItem.HIGHESTMODSEQ in command.items
    try:
        if with_modseq:
            await conversation.enable_condstore()
        found = await conversation.account.status(command.mailbox, with_modseq=with_modseq)
    except NoSuchMailbox:
        conversation.no(command.tag, missing(command.mailbox))
        return
    values = [(item, status_value(conversation, found, item)) for item in command.items]
    conversation.engine.untagged(responses.status(command.mailbox, values))
    view = conversation.view
    if view is not None and view.mailbox.name == command.mailbox:
        conversation.ok(command.tag, b"[CLIENTBUG] Status on selected mailbox completed")
    else:
        conversation.ok(command.tag, b"Status completed")


def status_value(conversation: Conversation, found: MailboxStatus, item: StatusItem) -> int | None:
    """One item of STATUS; None is NIL."""
    match item:
        case StatusItem.MESSAGES:
            return found.messages
        case StatusItem.RECENT:
            return found.recent
        case StatusItem.UIDNEXT:
            return found.uid_next
        case StatusItem.UIDVALIDITY:
            return found.uid_validity
        case StatusItem.UNSEEN:
            return found.unseen
        case StatusItem.SIZE:
            return found.size
        case StatusItem.HIGHESTMODSEQ:
            return found.highest_modseq
        case StatusItem.APPENDLIMIT:
            return conversation.message_size_limit or None
