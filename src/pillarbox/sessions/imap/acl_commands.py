"""GETACL, SETACL, DELETEACL, LISTRIGHTS, MYRIGHTS.

DESCRIPTION
    Identifiers are user names, and `anyone`, `authenticated`, `owner`, `$group`, `!$group` whose rights count last;
    `-` before one means rights that are taken away.  Who shares with anyone needs acl_anyone = allow.
    Owners keep the right to change the list, whatever they give themselves.
    Without imap_acl among mail_plugins the commands do not exist.

STANDARDS
    RFC 4314 (ACL)
"""

from functools import partial
from typing import Final

from pillarbox.mailstore.mailbox import MailboxNameRefused, NoSuchMailbox, PermissionDenied
from pillarbox.mailstore.namespaces.namespaced_account import OutsideNamespace
from pillarbox.mailstore.namespaces.united_account import NotPublished, UnitedAccount
from pillarbox.mailstore.sharing.acl_file import (
    ALL,
    Entry,
    Identifier,
    Kind,
    Rights,
    changed,
    for_client,
    rights_of,
)
from pillarbox.sessions.imap import failed_reads
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.wire.imap import responses
from pillarbox.wire.imap.acl_commands import DeleteAcl, GetAcl, ListRights, MyRights, SetAcl
from pillarbox.wire.imap.commands import Command

_NO_ADMINISTRATOR: Final = b"[NOPERM] You lack administrator privileges on this mailbox"
_WORDS: Final = {"anyone": Kind.ANYONE, "authenticated": Kind.AUTHENTICATED, "owner": Kind.OWNER}
_LISTED: Final = b'"" l r w s t p i e k x a c d'
_SEEN: Final = ALL & ~Rights.POST
"""Who has one of these may ask for his rights; who may only post does not learn that the mailbox exists."""


async def get_acl(conversation: Conversation, command: GetAcl) -> None:
    """GETACL."""
    account = _account(conversation, command, b"GETACL")
    if account is None or not await _exists(conversation, account, command.tag, command.mailbox):
        return
    try:
        entries = await account.access_list(command.mailbox)
    except PermissionDenied:
        conversation.no(command.tag, _NO_ADMINISTRATOR)
        return
    words = [_shown_name(conversation, command.mailbox)]
    owner = account.is_owner(command.mailbox)
    user = conversation.options.user
    by_name = [entry for entry in entries if entry.who == Identifier(Kind.USER, user)]
    for entry in entries:
        words += _rendered(entry, owner=user if owner and not by_name else "")
    owners = (entry for entry in entries if entry.who.kind == Kind.OWNER or entry in by_name)
    if owner and not any(entry.given is not None for entry in owners):
        words += [responses.astring(user.encode()), for_client(ALL).encode()]
    conversation.engine.untagged(b"ACL " + b" ".join(words))
    conversation.ok(command.tag, b"Getacl completed")


async def my_rights(conversation: Conversation, command: MyRights) -> None:
    """MYRIGHTS."""
    account = _account(conversation, command, b"MYRIGHTS")
    if account is None:
        return
    rights = await _rights(account, command.mailbox)
    if not rights & _SEEN or not await _is_there(account, command.mailbox):
        conversation.no(command.tag, conversation.missing(command.mailbox))
        return
    name = _shown_name(conversation, command.mailbox)
    conversation.engine.untagged(b"MYRIGHTS %b %b" % (name, for_client(rights).encode()))
    conversation.ok(command.tag, b"Myrights completed")


async def list_rights(conversation: Conversation, command: ListRights) -> None:
    """LISTRIGHTS: each right may be given by itself."""
    account = _account(conversation, command, b"LISTRIGHTS")
    if account is None:
        return
    await _rights(account, command.mailbox)
    words = [_shown_name(conversation, command.mailbox), responses.astring(command.identifier), _LISTED]
    conversation.engine.untagged(b"LISTRIGHTS " + b" ".join(words))
    conversation.ok(command.tag, b"Listrights completed")


async def set_acl(conversation: Conversation, command: SetAcl) -> None:
    """SETACL."""
    account = _account(conversation, command, b"SETACL")
    if account is None:
        return
    text = command.rights.decode("ascii", "replace")
    mode = text[:1] if text[:1] in ("+", "-") else ""
    try:
        rights = rights_of(text[len(mode) :])
        who, taken = _identifier(command.identifier)
        if who.kind in (Kind.ANYONE, Kind.AUTHENTICATED) and not conversation.options.acl_anyone:
            raise ValueError(
                f"'{'anyone' if who.kind == Kind.ANYONE else 'authenticated'}' identifier is disallowed"
            )
    except ValueError as error:
        reason = str(error) if len(str(error)) > 1 else f"Invalid ACL right: {error}"
        conversation.bad(command.tag, b"Error in IMAP command SETACL: " + reason.encode("utf-8", "replace"))
        return
    if not await _exists(conversation, account, command.tag, command.mailbox):
        return
    own = who.kind == Kind.OWNER or who == Identifier(Kind.USER, conversation.options.user)
    if own and not taken and account.is_owner(command.mailbox):
        if mode == "-":
            rights &= ~Rights.ADMIN
        elif mode == "+" and not await _gives_something(account, command.mailbox, who):
            rights = ALL  # more than nothing is said: that is more than all
        else:
            rights |= Rights.ADMIN
    await _change(conversation, account, command, who, rights, taken=taken, mode=mode)


async def delete_acl(conversation: Conversation, command: DeleteAcl) -> None:
    """DELETEACL."""
    account = _account(conversation, command, b"DELETEACL")
    if account is None:
        return
    try:
        who, taken = _identifier(command.identifier)
    except ValueError as error:
        conversation.bad(command.tag, b"Error in IMAP command DELETEACL: " + str(error).encode())
        return
    if not await _exists(conversation, account, command.tag, command.mailbox):
        return
    await _change(conversation, account, command, who, None, taken=taken, mode="")


async def _change(
    conversation: Conversation,
    account: UnitedAccount,
    command: SetAcl | DeleteAcl,
    who: Identifier,
    rights: Rights | None,
    *,
    taken: bool,
    mode: str,
) -> None:
    try:
        change = partial(changed, who=who, rights=rights, taken=taken, mode=mode)
        await account.change_access(command.mailbox, change)
    except PermissionDenied:
        conversation.no(command.tag, _NO_ADMINISTRATOR)
        return
    except NotPublished as fault:
        failed_reads.log(conversation, fault)
    name = b"Setacl" if isinstance(command, SetAcl) else b"Deleteacl"
    conversation.ok(command.tag, name + b" complete")


async def _gives_something(account: UnitedAccount, mailbox: str, who: Identifier) -> bool:
    """Whether the list says already what they may do; not, too, if it is not for the user to see."""
    try:
        entries = await account.access_list(mailbox)
    except PermissionDenied:
        return False
    return any(entry.who == who and entry.given is not None for entry in entries)


def _identifier(text: bytes) -> tuple[Identifier, bool]:
    """Whom an identifier means, and whether rights are to be taken away.  ValueError."""
    name = text.decode("utf-8", "replace")
    taken = name.startswith("-")
    name = name.removeprefix("-")
    if not name or "\n" in name or "\r" in name or "\0" in name:
        raise ValueError("Invalid identifier")
    if name.startswith("#"):
        raise ValueError(f"Global ACLs can't be modified: {name}")
    if name in _WORDS:
        return Identifier(_WORDS[name]), taken
    if name.startswith("$"):
        return Identifier(Kind.GROUP, name[1:]), taken
    if name.startswith("!$"):
        return Identifier(Kind.GROUP_OVERRIDE, name[2:]), taken
    return Identifier(Kind.USER, name), taken


def _rendered(entry: Entry, *, owner: str) -> list[bytes]:
    match entry.who.kind:
        case Kind.ANYONE:
            name = "anyone"
        case Kind.AUTHENTICATED:
            name = "authenticated"
        case Kind.OWNER:
            name = owner or "owner"
        case Kind.GROUP:
            name = "$" + entry.who.name
        case Kind.GROUP_OVERRIDE:
            name = "!$" + entry.who.name
        case _:
            name = entry.who.name
    words = []
    for sign, rights in (("", entry.given), ("-", entry.taken)):
        if rights is not None:
            words += [
                responses.astring((sign + name).encode("utf-8", "surrogateescape")),
                for_client(rights, by_name=True).encode() or b'""',
            ]
    return words


async def _exists(conversation: Conversation, account: UnitedAccount, tag: bytes, name: str) -> bool:
    """Whether a mailbox is there whose list the user may change, or which he sees."""
    if await _rights(account, name) & (Rights.LOOKUP | Rights.ADMIN) and await _is_there(account, name):
        return True
    conversation.no(tag, conversation.missing(name))
    return False


async def _rights(account: UnitedAccount, name: str) -> Rights:
    """None to a mailbox that cannot be.  OutsideNamespace."""
    try:
        return await account.rights(name)
    except OutsideNamespace:
        raise
    except (NoSuchMailbox, MailboxNameRefused):
        return Rights.NONE


async def _is_there(account: UnitedAccount, name: str) -> bool:
    return await account.exists(name)


def _shown_name(conversation: Conversation, name: str) -> bytes:
    return responses.mailbox(conversation.name(name))


def _account(conversation: Conversation, command: Command, name: bytes) -> UnitedAccount | None:
    if isinstance(conversation.account, UnitedAccount):  # it always is where the commands exist
        return conversation.account
    conversation.bad(command.tag, b"Error in IMAP command %b: Unknown command" % name)
    return None
