"""GETMETADATA and SETMETADATA: annotations of mailboxes and of the account.

DESCRIPTION
    The store keeps them (mailstore/dovecot_files/attribute_dict.py); they are served when `imap_metadata = yes`, as
    Dovecot has it.  `/shared/comment` and `/shared/admin` of the account come from the configuration and stay as
    they are; `/private/specialuse` is what a mailbox is for.

    Quirk: a name with wildcards asks for many mailboxes, which a draft of the RFC had and Horde uses.

STANDARDS
    RFC 5464; RFC 6154 §4 (`/private/specialuse`)
"""

from collections.abc import Mapping
from typing import Final

from pillarbox.mailstore.dovecot_files.attribute_dict import is_internal
from pillarbox.mailstore.mailbox import AttributesFull, NoSuchMailbox, PermissionDenied
from pillarbox.message.imap_strings import literal
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.sessions.imap.mailbox_commands import unknown_uses
from pillarbox.sessions.imap.name_patterns import NamePattern
from pillarbox.wire.imap import responses
from pillarbox.wire.imap.commands import GetMetadata, SetMetadata

SPECIAL_USE: Final = "/private/specialuse"
_NOT_ENABLED: Final = b"[CANNOT] Generic mailbox attributes not enabled"
_FROM_CONFIGURATION: Final = ("/shared/comment", "/shared/admin")


async def set_metadata(conversation: Conversation, command: SetMetadata) -> None:
    """SETMETADATA: all of its entries or none."""
    name, tag = command.mailbox, command.tag
    if refusal := _refusal(conversation, command):
        conversation.no(tag, refusal)
        return
    changes = {
        entry[1:]: value or None if entry == SPECIAL_USE else value for entry, value in command.changes
    }
    try:
        await conversation.account.change_attributes(name, changes)
    except NoSuchMailbox:
        conversation.no(tag, conversation.missing(name))
    except AttributesFull:
        conversation.no(tag, b"[METADATA TOOMANY] Too many mailbox attributes")  # RFC 5464 §4.3
    else:
        if conversation.notifications is not None:
            conversation.notifications.caused_metadata(name, changes)
        conversation.ok(tag, b"Setmetadata completed")


def _refusal(conversation: Conversation, command: SetMetadata) -> bytes:
    for entry, value in command.changes:
        if entry == SPECIAL_USE and command.mailbox:
            unknown = unknown_uses(value.split()) if value else []
            if unknown:
                return b"[USEATTR] Unsupported special use: " + unknown[0]
        elif not conversation.options.metadata:
            return _NOT_ENABLED
        elif entry.count("/") == 1:
            return b"[CANNOT] %b has no value" % entry.encode("ascii")
        elif is_internal(entry.split("/", 2)[2]):
            return b"[CANNOT] Internal mailbox attributes cannot be accessed"
        elif not command.mailbox and entry in _FROM_CONFIGURATION:
            return b"[CANNOT] The %b attribute cannot be changed" % entry.encode("ascii")
        elif value is not None and b"\0" in value:
            return b"[CANNOT] Attribute string value has NULs"
    return b""


async def get_metadata(conversation: Conversation, command: GetMetadata) -> None:
    """GETMETADATA."""
    if not conversation.options.metadata and any(entry != SPECIAL_USE for entry in command.entries):
        conversation.no(command.tag, _NOT_ENABLED)
        return
    name = command.mailbox
    names = [name]
    if "*" in name or "%" in name:
        pattern = NamePattern(b"", conversation.name(name), conversation.account.separator.encode("ascii"))
        entries = await conversation.account.list_mailboxes()
        names = [
            one.name for one in entries if one.selectable and pattern.matches(conversation.name(one.name))
        ]
    longest = 0
    for name in names:
        try:
            longest = max(longest, await tell_annotations(conversation, command, name))
        except NoSuchMailbox:
            if name == command.mailbox:
                conversation.no(command.tag, conversation.missing(name))
                return
        except PermissionDenied:
            if name == command.mailbox:
                raise
        await conversation.flush_if_much()
    code = b"[METADATA LONGENTRIES %d] " % longest if longest else b""
    conversation.ok(command.tag, code + b"Getmetadata completed")


async def tell_annotations(conversation: Conversation, command: GetMetadata, name: str) -> int:
    """`* METADATA`; octets of the longest value that is longer than the client takes."""
    known = {"/" + entry: value for entry, value in (await conversation.account.attributes(name)).items()}
    if name:
        known.pop(SPECIAL_USE, None)
        use = await _special_use(conversation, command, name)
        if use:
            known[SPECIAL_USE] = use
    else:
        known.update(conversation.options.server_metadata)
    longest = 0
    told: list[bytes] = []
    for entry, value in _chosen(command, known):
        if value is not None and command.max_size is not None and len(value) > command.max_size:
            longest = max(longest, len(value))
            continue
        told.append(b"%b %b" % (responses.astring(entry.encode("ascii")), _written(value)))
    if told:
        mailbox = responses.mailbox(conversation.name(name))
        conversation.engine.untagged(b"METADATA %b (%b)" % (mailbox, b" ".join(told)))
    return longest


async def _special_use(conversation: Conversation, command: GetMetadata, name: str) -> bytes:
    asked = any(
        SPECIAL_USE == one or (command.depth and SPECIAL_USE.startswith(one + "/")) for one in command.entries
    )
    if not asked:
        return b""
    entries = await conversation.account.list_mailboxes()
    return next((one.special_use for one in entries if one.name == name), b"")


def _chosen(command: GetMetadata, known: Mapping[str, bytes]) -> list[tuple[str, bytes | None]]:
    """Entries to tell, None for one that was asked for and is not there (RFC 5464 §4.2.1, §4.2.2)."""
    chosen: dict[str, bytes | None] = {}
    for asked in command.entries:
        if asked in known or not command.depth:
            chosen[asked] = known.get(asked)
        for entry in sorted(known):
            below = entry.removeprefix(asked + "/")
            if below != entry and (command.depth > 1 or (command.depth and "/" not in below)):
                chosen[entry] = known[entry]
    return list(chosen.items())


def _written(value: bytes | None) -> bytes:
    if value is None:
        return b"NIL"
    return b"~" + literal(value) if b"\0" in value else literal(value)
