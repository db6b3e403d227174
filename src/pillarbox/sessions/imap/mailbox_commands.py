"""CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS, NAMESPACE.

FAULTS
    The store's exceptions are turned into NO here where the text depends on the command; `session.py` has
    the rest.

STANDARDS
    RFC 3501 §6.3; RFC 2342 (NAMESPACE); RFC 5530 (response codes); RFC 6154 §3 (CREATE-SPECIAL-USE); RFC 7162
    §3.1.7 (HIGHESTMODSEQ); RFC 8474 §4 (MAILBOXID); RFC 9051 §5.1, §6.3.11
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from pillarbox.mailstore.mailbox import (
    AttributesFull,
    MailboxExists,
    MailboxNameRefused,
    MailboxStatus,
    NoSuchMailbox,
    PermissionDenied,
    StoreUnavailable,
)
from pillarbox.mailstore.namespaces.united_account import UnitedAccount
from pillarbox.mailstore.special_uses import KNOWN
from pillarbox.mailstore.view import MailboxView
from pillarbox.message.imap_strings import string
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.sessions.imap.endings import Disconnect
from pillarbox.sessions.imap.name_changes import NameChange
from pillarbox.sessions.imap.object_ids import mailbox_id
from pillarbox.wire.imap import mailbox_names, responses
from pillarbox.wire.imap.commands import (
    Create,
    Delete,
    Namespace,
    Rename,
    Status,
    StatusItem,
    Subscribe,
    Unsubscribe,
)

_SPELLINGS: Final = {use.lower(): use for use in KNOWN}


def refusal(
    conversation: Conversation, name: str, fault: NoSuchMailbox, code: bytes = b"NONEXISTENT"
) -> bytes:
    """The same, or why there can be none of that name: `[CANNOT] Invalid mailbox name: …`"""
    if fault.reason:
        return b"[CANNOT] " + fault.reason.encode("ascii", "replace")
    return conversation.missing(name, code)


async def create(conversation: Conversation, command: Create) -> None:
    """CREATE."""
    if not _may_be_new(conversation, command.tag, command.mailbox):
        return
    if unknown := unknown_uses(command.uses):  # RFC 6154 §3
        conversation.no(command.tag, b"[USEATTR] Unsupported special use: " + unknown[0])
        return
    try:
        await conversation.account.create(command.mailbox)
    except MailboxExists:
        conversation.no(command.tag, b"[ALREADYEXISTS] Mailbox already exists")
        return
    name = command.mailbox.removesuffix(conversation.account.separator)
    if conversation.notifications is not None:
        conversation.notifications.caused(NameChange(name))
    conversation.mail_log.tell_mailbox("created", name)
    if command.uses and not await _mark(conversation, name, command):
        return
    try:
        guid = (await conversation.account.status(name, with_size=False)).guid
    except (NoSuchMailbox, PermissionDenied):  # it exists, but may not be read
        conversation.ok(command.tag, b"Create completed")
        return
    conversation.ok(command.tag, responses.mailbox_id(mailbox_id(guid)) + b" Create completed")


async def _mark(conversation: Conversation, name: str, command: Create) -> bool:
    """Keep what the new mailbox is for; without it, it "MUST NOT be created" (RFC 6154 §3)."""
    account = conversation.account
    uses = b" ".join(_SPELLINGS[use.lower()] for use in command.uses)
    try:
        await account.change_attributes(name, {"private/specialuse": uses})
    except StoreUnavailable:
        await account.delete(name)
        raise
    except AttributesFull:
        await account.delete(name)
        conversation.no(command.tag, b"[USEATTR] Too many mailbox attributes")
        return False
    return True


def unknown_uses(uses: Sequence[bytes]) -> list[bytes]:
    """Those that no mailbox can have here."""
    return [use for use in uses if use.lower() not in _SPELLINGS]


def _may_be_new(conversation: Conversation, tag: bytes, name: str) -> bool:
    """RFC 9051 §5.1: "MUST prohibit the creation of 8-bit mailbox names that do not comply with Net-Unicode"."""
    if not conversation.engine.utf8_names or mailbox_names.is_net_unicode(name):
        return True
    conversation.no(tag, b"[CANNOT] Invalid mailbox name: Not normalized Unicode (NFC)")
    return False


async def delete(conversation: Conversation, command: Delete) -> None:
    """DELETE; who deletes the mailbox that is selected has to go, as with Dovecot."""
    name = command.mailbox
    if name == "INBOX":
        conversation.no(command.tag, b"[CANNOT] INBOX can't be deleted")
        return
    if not name:
        conversation.no(command.tag, b"[CANNOT] Storage root can't be deleted")
        return
    view = conversation.view
    selected = view is not None and conversation.account.name_of(view.mailbox) == name
    log = conversation.mail_log
    messages = await log.snapshot_all(conversation.account, name)
    try:
        await conversation.account.delete(name)
    except NoSuchMailbox as fault:
        conversation.no(command.tag, refusal(conversation, name, fault))
        return
    if conversation.notifications is not None:
        conversation.notifications.caused(NameChange(name), exists=False)
    log.tell("expunge", name, messages, messages)
    log.tell_mailbox("deleted", name)
    conversation.ok(command.tag, b"Delete completed")
    if selected:
        text = "Selected mailbox was deleted, have to disconnect."
        raise Disconnect(text, bye=text.encode("ascii"))


async def rename(conversation: Conversation, command: Rename) -> None:
    """RENAME."""
    if command.new_name == command.mailbox:
        conversation.no(command.tag, b"[ALREADYEXISTS] Can't rename mailbox to itself")
        return
    if command.mailbox == "INBOX":
        conversation.no(command.tag, b"[CANNOT] Renaming INBOX isn't supported")
        return
    if command.new_name.startswith(command.mailbox + conversation.account.separator):
        conversation.no(command.tag, b"[CANNOT] Can't rename mailbox under its own child")
        return
    if not _may_be_new(conversation, command.tag, command.new_name):
        return
    try:
        await conversation.account.rename(command.mailbox, command.new_name)
    except NoSuchMailbox as fault:
        conversation.no(command.tag, refusal(conversation, command.mailbox, fault))
    except MailboxExists:
        conversation.no(command.tag, b"[ALREADYEXISTS] Target mailbox already exists")
    else:
        if conversation.notifications is not None:
            conversation.notifications.caused(NameChange(command.new_name, command.mailbox))
        conversation.mail_log.tell_mailbox("renamed", f"{command.mailbox} -> {command.new_name}")
        conversation.ok(command.tag, b"Rename completed")


async def subscribe(conversation: Conversation, command: Subscribe) -> None:
    """SUBSCRIBE: "A server MAY validate the mailbox argument … to verify that it exists"; Dovecot does."""
    name = command.mailbox
    account = conversation.account
    try:
        await account.status(name, with_size=False)
    except NoSuchMailbox:
        conversation.no(command.tag, conversation.missing(name))
        return
    except PermissionDenied:  # of a mailbox that may be looked up, and need not be readable: RFC 4314 §4
        if not isinstance(account, UnitedAccount):
            raise
        if not await account.exists(name):
            conversation.no(command.tag, conversation.missing(name))
            return
    await account.subscribe(name)
    if conversation.notifications is not None:
        conversation.notifications.caused_subscription(name, subscribed=True)
    conversation.ok(command.tag, b"Subscribe completed")


async def unsubscribe(conversation: Conversation, command: Unsubscribe) -> None:
    """UNSUBSCRIBE."""
    await conversation.account.unsubscribe(command.mailbox)
    if conversation.notifications is not None:
        conversation.notifications.caused_subscription(command.mailbox, subscribed=False)
    conversation.ok(command.tag, b"Unsubscribe completed")


async def namespace(conversation: Conversation, command: Namespace) -> None:
    """NAMESPACE: personal, other users', shared (RFC 2342 §5)."""
    account = conversation.account
    kinds = {"private": [account.prefix], "shared": [], "public": []}
    if isinstance(account, UnitedAccount):
        kinds = account.namespaces()
    separator = string(account.separator.encode("ascii"))
    groups = []
    for prefixes in kinds.values():
        pairs = [b"(%b %b)" % (string(conversation.name(prefix)), separator) for prefix in prefixes]
        groups.append(b"(%b)" % b"".join(pairs) if pairs else b"NIL")
    conversation.engine.untagged(b"NAMESPACE " + b" ".join(groups))
    conversation.ok(command.tag, b"Namespace completed")


SIZES: Final = frozenset((StatusItem.SIZE, StatusItem.DELETED_STORAGE))
"""Items for which all messages' sizes are looked at."""

MAX_TOLD: Final = 256
"""Answers to STATUS that are kept for all sessions of a process."""


class _Told(msgspec.Struct, frozen=True):
    found: MailboxStatus
    items: tuple[StatusItem, ...]
    limit: int
    line: bytes


_TOLD: Final[dict[tuple[str, bool], _Told]] = {}


async def status(conversation: Conversation, command: Status) -> None:
    """STATUS; of the selected mailbox too, which clients should not ask (RFC 3501 §6.3.10)."""
    with_modseq = StatusItem.HIGHESTMODSEQ in command.items
    if not command.mailbox:
        raise MailboxNameRefused("Invalid mailbox name: Name is empty")
    try:
        if with_modseq:
            await conversation.enable_condstore()
        found = await conversation.account.status(
            command.mailbox, with_modseq=with_modseq, with_size=not SIZES.isdisjoint(command.items)
        )
    except NoSuchMailbox as fault:
        conversation.no(command.tag, refusal(conversation, command.mailbox, fault))
        return
    view = conversation.view
    is_selected = view is not None and conversation.account.name_of(view.mailbox) == command.mailbox
    if is_selected and view is not None:
        found = with_own_recent(view, found)
    conversation.engine.send(_status_line(conversation, command, found))
    if is_selected:
        conversation.ok(command.tag, b"[CLIENTBUG] Status on selected mailbox completed")
    else:
        conversation.ok(command.tag, b"Status completed")


def _status_line(conversation: Conversation, command: Status, found: MailboxStatus) -> bytes:
    """`* STATUS …`; the same again as long as the store gives the same."""
    limit = conversation.message_size_limit
    key = (command.mailbox, conversation.engine.utf8_names)
    told = _TOLD.get(key)
    if told is not None and told.found == found and told.items == command.items and told.limit == limit:
        return told.line
    values = [(item, status_value(conversation, found, item)) for item in command.items]
    line = b"* %b\r\n" % responses.status(conversation.name(command.mailbox), values)
    if len(_TOLD) >= MAX_TOLD:
        _TOLD.clear()
    _TOLD[key] = _Told(found, command.items, limit, line)
    return line


def with_own_recent(view: MailboxView, found: MailboxStatus) -> MailboxStatus:
    """The status of the selected mailbox: messages that are \\Recent in this session are no others' any more.

    Unless it was opened for reading, which takes none of them.
    """
    own = view.recent_left
    recent = max(found.recent, own) if view.read_only else found.recent + own
    return found if recent == found.recent else msgspec.structs.replace(found, recent=recent)


def status_value(conversation: Conversation, found: MailboxStatus, item: StatusItem) -> int | bytes | None:
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
        case StatusItem.DELETED:
            return found.deleted
        case StatusItem.DELETED_STORAGE:
            return found.deleted_size
        case StatusItem.MAILBOXID:
            return b"(%b)" % mailbox_id(found.guid)
