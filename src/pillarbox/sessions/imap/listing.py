"""LIST in its three forms, and LSUB.

DESCRIPTION
    `*` is anything, `%` anything within one level, and all else in a pattern is what it is in names: in modified
    UTF-7, or as it stands if it is none.  The plain LIST of RFC 3501 tells children and special uses unasked, as
    Dovecot does; the extended one tells what was asked for.

    An answer is made once for a list of mailboxes (mailstore/mailbox_list.py) and sent again until that changes.

STANDARDS
    RFC 3501 §6.3.8, §6.3.9; RFC 5258 (LIST-EXTENDED); RFC 5819 (LIST-STATUS); RFC 6154 (SPECIAL-USE);
    RFC 3348 (CHILDREN); RFC 9051 §6.3.9.6
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from pillarbox.mailstore.mailbox import MailboxStatus, NoSuchMailbox, PermissionDenied, StoreUnavailable
from pillarbox.mailstore.mailbox_list import MailboxEntry, MailboxList
from pillarbox.mailstore.namespaces.united_account import UnitedAccount
from pillarbox.mailstore.sharing.acl_file import for_client
from pillarbox.sessions.imap import failed_reads
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.sessions.imap.mailbox_commands import SIZES, status_value, with_own_recent
from pillarbox.sessions.imap.metadata import tell_annotations
from pillarbox.sessions.imap.name_patterns import NamePattern, NamePatterns
from pillarbox.sessions.imap.options import Workaround
from pillarbox.wire.imap import mailbox_names, responses
from pillarbox.wire.imap.commands import GetMetadata, List, ListReturn, ListSelect, Lsub, StatusItem

_SLICE: Final = 256
"""Lines that are made before others get the loop."""
_STATUS_SLICE: Final = 32
"""The same with STATUS, for which the store is asked."""


class _Asked(msgspec.Struct, frozen=True):
    """What the answer depends on, besides the mailboxes: under it, the answer is kept with the list of them."""

    reference: bytes
    patterns: tuple[bytes, ...]
    separator: bytes
    utf8_names: bool
    select: ListSelect = ListSelect.NONE
    returns: ListReturn | None = None
    subscribed: tuple[str, ...] = ()
    with_flags: bool = False  # of LSUB
    rev2: bool = False


class _Line(msgspec.Struct):
    """One mailbox in an answer."""

    entry: MailboxEntry
    name: bytes  # as the client reads it
    text: bytes
    has_more: bool  # it can be selected, and is not there for what is below it only  RFC 5819 §3
    asked: tuple[StatusItem, ...] = ()
    found: MailboxStatus | None = None
    status: bytes = b""  # what was told of this when that was asked


async def list_mailboxes(conversation: Conversation, command: List) -> None:
    """LIST."""
    engine = conversation.engine
    separator = _separator(conversation)
    if command.patterns == (b"",) and command.returns is None:
        # "An empty mailbox name argument is a special request to return the hierarchy delimiter"
        root = command.reference[: command.reference.find(separator) + 1]
        engine.untagged(responses.listing(b"LIST", [b"\\Noselect"], root, separator))
        conversation.ok(command.tag, b"List completed")
        return
    with_rights = bool((command.returns or ListReturn.NONE) & ListReturn.MYRIGHTS)
    options = conversation.options
    if (with_rights and not options.has_acl) or (command.metadata and not options.metadata):
        conversation.bad(command.tag, b"Error in IMAP command LIST: Unknown return options")
        return
    account = conversation.account
    entries = await _listed(conversation, command)
    asked = _Asked(
        command.reference,
        tuple(command.patterns),
        separator,
        engine.utf8_names,
        command.select,
        command.returns,
        tuple(await account.subscriptions()) if command.select & ListSelect.SUBSCRIBED else (),
        rev2=conversation.rev2,
    )
    if with_rights or command.status or command.metadata:
        with_modseq = StatusItem.HIGHESTMODSEQ in command.status
        with_size = not SIZES.isdisjoint(command.status)
        if with_modseq:
            await conversation.enable_condstore()
        for number, line in enumerate(await _lines(conversation, entries, asked)):
            found: MailboxStatus | None = None
            text = line.text
            if command.status and line.has_more:
                try:
                    found = await _status(conversation, line, with_modseq=with_modseq, with_size=with_size)
                except PermissionDenied:
                    text = _not_selectable(text)
            engine.send(text)
            if with_rights and line.has_more:  # RFC 8440 §4: after LIST
                rights = for_client(await conversation.rights(line.entry.name))
                engine.untagged(b"MYRIGHTS %b %b" % (responses.mailbox(line.name), rights.encode("ascii")))
            if command.metadata and line.has_more:
                await _list_metadata(conversation, command, line.entry.name)
            if found is not None:
                _tell_status(conversation, command, line, found)
            if number % _STATUS_SLICE == 0:
                await conversation.flush_if_much()
    else:
        answer = entries.recall(asked)
        if not isinstance(answer, bytes):
            answer = b"".join(line.text for line in await _made_lines(conversation, entries, asked))
            entries.keep(asked, answer)
        await conversation.send_parts(answer)
    conversation.ok(command.tag, b"List completed")


async def _listed(conversation: Conversation, command: List) -> MailboxList:
    """All mailboxes, of namespaces with list=no those below whose prefix a pattern is."""
    account = conversation.account
    entries = await account.list_mailboxes()
    if not isinstance(account, UnitedAccount):
        return _logged(conversation, entries)
    wanted = [command.reference + pattern for pattern in command.patterns]
    named = [
        prefix
        for prefix in account.unlisted_prefixes()
        if any(pattern.startswith(conversation.name(prefix)) for pattern in wanted)
    ]
    return _logged(conversation, await account.with_unlisted(entries, named) if named else entries)


def _logged(conversation: Conversation, entries: MailboxList) -> MailboxList:
    """The same; the admin hears why the list is short of something."""
    for fault in entries.faults:
        failed_reads.log(conversation, fault)
    return entries


async def _list_metadata(conversation: Conversation, command: List, name: str) -> None:
    """`* METADATA`, behind the LIST of a mailbox that may be looked at  RFC 9590 §3"""
    try:
        await tell_annotations(conversation, GetMetadata(command.tag, name, command.metadata), name)
    except (NoSuchMailbox, PermissionDenied):
        return


async def _lines(conversation: Conversation, entries: MailboxList, asked: _Asked) -> "list[_Line]":
    """The mailboxes that are told, in order."""
    key = (b"lines", asked)
    lines = entries.recall(key)
    if not isinstance(lines, list):
        lines = await _made_lines(conversation, entries, asked)
        entries.keep(key, lines)
    return lines


async def _made_lines(conversation: Conversation, entries: MailboxList, asked: _Asked) -> list[_Line]:
    names = _shown(entries, utf8_names=asked.utf8_names)
    listed: Sequence[MailboxEntry] = entries
    if asked.select & ListSelect.SUBSCRIBED:
        listed = _with_missing(entries, asked.subscribed)
        if asked.select & ListSelect.RECURSIVEMATCH:
            listed = _with_missing_parents(listed, conversation.account.separator)
        names += map(conversation.name, (entry.name for entry in listed[len(entries) :]))
    matching = await _matching([mailbox_names.encode_utf8(entry.name) for entry in listed], asked)
    speaking: set[str] = (
        set()
    )  # parents of those that the patterns leave out; the others speak for themselves
    above: set[str] = set()
    if asked.select & ListSelect.RECURSIVEMATCH:
        level = conversation.account.separator
        for entry, is_told in zip(listed, matching, strict=True):
            if _selects(entry, asked.select):
                parents = tuple(_parents(entry.name, level))
                above.update(parents)
                speaking.update(() if is_told else parents)
    lines = []
    for entry, name, is_told in zip(listed, names, matching, strict=True):
        is_chosen = _selects(entry, asked.select)
        child_info = entry.name in (above if is_chosen else speaking)
        if not is_told or not (is_chosen or child_info):
            continue
        attributes = _attributes(entry, asked)
        text = responses.listing(b"LIST", attributes, name, asked.separator, child_info=child_info)
        lines.append(_Line(entry, name, b"* %b\r\n" % text, is_chosen and entry.selectable))
        if len(lines) % _SLICE == 0:
            await asyncio.sleep(0)
    return lines


async def _matching(names: Sequence[bytes], asked: _Asked) -> list[bool]:
    """Whether each, in UTF-8, is one that was asked for."""
    patterns = NamePatterns(
        _in_utf8(asked.reference, asked), [_in_utf8(one, asked) for one in asked.patterns], asked.separator
    )
    step = max(1, _SLICE * 16 // len(asked.patterns)) if asked.patterns else _SLICE
    found: list[bool] = []
    for start in range(0, len(names), step):
        if start:
            await asyncio.sleep(0)
        found += map(patterns.matches, names[start : start + step])
    return found


def _in_utf8(pattern: bytes, asked: _Asked) -> bytes:
    """A pattern, or the beginning of one, as it is compared with names in UTF-8."""
    if asked.utf8_names or b"&" not in pattern:
        return pattern
    try:
        return mailbox_names.encode_utf8(mailbox_names.decode(pattern))
    except ValueError:
        return pattern


def _shown(entries: MailboxList, *, utf8_names: bool) -> list[bytes]:
    """The names as the client reads them."""
    encode = mailbox_names.encode_utf8 if utf8_names else mailbox_names.encode
    return [encode(entry.name) for entry in entries]


async def lsub(conversation: Conversation, command: Lsub) -> None:
    """LSUB: with `%` at the end, a parent stands for a subscribed name below it (RFC 3501 §6.3.9)."""
    account = conversation.account
    entries = _logged(conversation, await account.list_mailboxes())
    asked = _Asked(
        command.reference,
        (command.pattern,),
        _separator(conversation),
        conversation.engine.utf8_names,
        subscribed=tuple(await account.subscriptions()),
        with_flags=Workaround.LSUB_FLAGS in conversation.options.workarounds,
    )
    key = (b"LSUB", asked)
    answer = entries.recall(key)
    if not isinstance(answer, bytes):
        answer = b"".join(b"* %b\r\n" % line for line in _subscribed_lines(conversation, entries, asked))
        entries.keep(key, answer)
    await conversation.send_parts(answer)
    conversation.ok(command.tag, b"Lsub completed")


def _subscribed_lines(conversation: Conversation, entries: MailboxList, asked: _Asked) -> Iterator[bytes]:
    reference, wanted = _in_utf8(asked.reference, asked), _in_utf8(asked.patterns[0], asked)
    pattern = NamePattern(reference, wanted, asked.separator)
    uses = {**entries.usual_uses, **{one.name: one.special_use for one in entries if one.special_use}}
    separator = conversation.account.separator
    selectable = {entry.name for entry in entries if entry.selectable}
    told: set[str] = set()
    others: list[str] = []

    def line(name: str, attributes: list[bytes]) -> bytes:
        use = [uses[name]] if name in uses else []
        told.add(name)
        return responses.listing(b"LSUB", attributes + use, conversation.name(name), asked.separator)

    for name in asked.subscribed:
        if pattern.matches(mailbox_names.encode_utf8(name)):
            yield line(name, [b"\\Noselect"] if asked.with_flags and name not in selectable else [])
        else:
            others.append(name)
    for name in others if asked.patterns[0].endswith(b"%") else ():  # Dovecot's reading of "using % wildcard"
        parts = name.split(separator)
        for depth in range(len(parts) - 1, 0, -1):
            parent = separator.join(parts[:depth])
            if not pattern.matches(mailbox_names.encode_utf8(parent)):
                continue
            if parent not in told:
                yield line(parent, [b"\\Noselect"])
            break


def _separator(conversation: Conversation) -> bytes:
    return conversation.account.separator.encode("ascii")


def _parents(name: str, separator: str) -> Iterator[str]:
    """All names above a mailbox."""
    position = name.find(separator)
    while position >= 0:
        yield name[:position]
        position = name.find(separator, position + 1)


def _with_missing(entries: MailboxList, subscribed: Sequence[str]) -> list[MailboxEntry]:
    """Subscribed names that do not exist are listed, too (RFC 5258 §3.1)."""
    known = {entry.name for entry in entries}
    missing = [
        MailboxEntry(
            name,
            selectable=False,
            has_children=False,
            subscribed=True,
            special_use=entries.usual_uses.get(name, b""),
        )
        for name in subscribed
        if name not in known
    ]
    return [*entries, *missing]


def _with_missing_parents(listed: Sequence[MailboxEntry], separator: str) -> list[MailboxEntry]:
    """Names above subscribed ones may not exist either; they speak for those below them (RFC 5258 §3.5)."""
    known = {entry.name for entry in listed}
    parents: dict[str, None] = {}
    for entry in listed:
        if entry.subscribed and not entry.selectable:  # who is above a mailbox is listed with it
            parents.update(dict.fromkeys(one for one in _parents(entry.name, separator) if one not in known))
    return [
        *listed,
        *(MailboxEntry(name, selectable=False, has_children=False, subscribed=False) for name in parents),
    ]


def _selects(entry: MailboxEntry, options: ListSelect) -> bool:
    if options & ListSelect.SUBSCRIBED and not entry.subscribed:
        return False
    return bool(entry.special_use) or not options & ListSelect.SPECIAL_USE


def _attributes(entry: MailboxEntry, asked: _Asked) -> list[bytes]:
    """What is told of a mailbox, in Dovecot's order."""
    attributes: list[bytes] = []
    plain = asked.returns is None
    returns = asked.returns or ListReturn.NONE
    if entry.subscribed and (returns & ListReturn.SUBSCRIBED or asked.select & ListSelect.SUBSCRIBED):
        attributes.append(b"\\Subscribed")
    if not entry.selectable:
        # RFC 9051 §6.3.9.6: "such servers SHOULD use" \\NonExistent
        attributes.append(b"\\Noselect" if plain and not asked.rev2 else b"\\NonExistent")
    if plain or returns & ListReturn.CHILDREN:
        attributes.append(b"\\HasChildren" if entry.has_children else b"\\HasNoChildren")
    special = plain or returns & ListReturn.SPECIAL_USE or asked.select & ListSelect.SPECIAL_USE
    if entry.special_use and special:
        attributes.append(entry.special_use)
    return attributes


async def _status(
    conversation: Conversation, line: _Line, *, with_modseq: bool, with_size: bool
) -> MailboxStatus | None:
    """What STATUS tells behind LIST; None when the mailbox cannot be read.  PermissionDenied."""
    try:
        found = await conversation.account.status(
            line.entry.name, with_modseq=with_modseq, with_size=with_size
        )
    except (NoSuchMailbox, StoreUnavailable):
        return None
    view = conversation.view
    if view is not None and conversation.account.name_of(view.mailbox) == line.entry.name:
        return with_own_recent(view, found)
    return found


def _not_selectable(text: bytes) -> bytes:
    """A line for a mailbox that may be seen, but not read (RFC 5819 §2)."""
    attributes = b"* LIST ("
    rest = text.removeprefix(attributes)
    return attributes + (b"\\Noselect" if rest.startswith(b")") else b"\\Noselect ") + rest


def _tell_status(conversation: Conversation, command: List, line: _Line, found: MailboxStatus) -> None:
    """`* STATUS` behind `* LIST`"""
    if found is not line.found or command.status != line.asked:
        values = [(item, status_value(conversation, found, item)) for item in command.status]
        line.found, line.asked = found, command.status
        line.status = b"* %b\r\n" % responses.status(line.name, values)
    conversation.engine.send(line.status)
