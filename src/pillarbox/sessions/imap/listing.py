"""LIST in its three forms, and LSUB.

DESCRIPTION
    Names are matched as they are on the wire, in modified UTF-7 or UTF-8: `*` is anything, `%` anything within one
    level.  The plain LIST of RFC 3501 tells children and special uses unasked, as Dovecot does; the
    extended one tells what was asked for.

STANDARDS
    RFC 3501 §6.3.8, §6.3.9; RFC 5258 (LIST-EXTENDED); RFC 5819 (LIST-STATUS); RFC 6154 (SPECIAL-USE);
    RFC 3348 (CHILDREN)
"""

from collections.abc import Iterator, Sequence

from pillarbox.mailstore.acl_file import for_client
from pillarbox.mailstore.mailbox import MailboxEntry, NoSuchMailbox, StoreUnavailable
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.sessions.imap.mailbox_commands import status_value
from pillarbox.sessions.imap.name_patterns import NamePattern
from pillarbox.sessions.imap.options import Workaround
from pillarbox.wire.imap import responses
from pillarbox.wire.imap.commands import List, ListReturn, ListSelect, Lsub, StatusItem


async def list_mailboxes(conversation: Conversation, command: List) -> None:
    """LIST."""
    engine = conversation.engine
    if command.patterns == (b"",) and command.returns is None:
        # "An empty mailbox name argument is a special request to return the hierarchy delimiter"
        engine.untagged(responses.listing(b"LIST", [b"\\Noselect"], b"", _separator(conversation)))
        conversation.ok(command.tag, b"List completed")
        return
    with_rights = bool((command.returns or ListReturn.NONE) & ListReturn.MYRIGHTS)
    if with_rights and not conversation.options.has_acl:
        conversation.bad(command.tag, b"Error in IMAP command LIST: Unknown return options")
        return
    separator = _separator(conversation)
    patterns = [NamePattern(command.reference, pattern, separator) for pattern in command.patterns]
    entries = await conversation.account.list_mailboxes()
    level = conversation.account.separator
    if command.select & ListSelect.SUBSCRIBED:
        entries = _with_missing(entries, await conversation.account.subscriptions())
    names = {entry.name: conversation.name(entry.name) for entry in entries}
    matching = {name for name, shown in names.items() if any(pattern.matches(shown) for pattern in patterns)}
    speaking: set[str] = set()
    if command.select & ListSelect.RECURSIVEMATCH:
        # Parents speak for those below them that the patterns leave out; the others speak for themselves.
        left_out = (entry for entry in entries if entry.name not in matching)
        chosen = (entry.name for entry in left_out if _selects(entry, command.select))
        speaking = {parent for name in chosen for parent in _parents(name, level)}
    for entry in entries:
        if entry.name not in matching:
            continue
        child_info = entry.name in speaking
        if not _selects(entry, command.select) and not child_info:
            continue
        attributes = _attributes(entry, command)
        engine.untagged(
            responses.listing(b"LIST", attributes, names[entry.name], separator, child_info=child_info)
        )
        if with_rights and entry.selectable:  # RFC 8440 §4: after LIST
            rights = for_client(await conversation.rights(entry.name))
            name = responses.mailbox(names[entry.name])
            engine.untagged(b"MYRIGHTS %b %b" % (name, rights.encode("ascii")))
        if command.status and entry.selectable:
            await _list_status(conversation, command, entry.name)
        await conversation.flush_if_much()
    conversation.ok(command.tag, b"List completed")


async def lsub(conversation: Conversation, command: Lsub) -> None:
    """LSUB: with `%`, a parent stands for subscribed names below it (RFC 3501 §6.3.9)."""
    separator = _separator(conversation)
    pattern = NamePattern(command.reference, command.pattern, separator)
    subscribed = await conversation.account.subscriptions()
    entries = await conversation.account.list_mailboxes()
    uses = {entry.name: entry.special_use for entry in entries}
    closed = set()
    if Workaround.LSUB_FLAGS in conversation.options.workarounds:
        closed = set(subscribed) - {entry.name for entry in entries if entry.selectable}
    told: set[bytes] = set()
    for full_name in subscribed:
        name = conversation.name(full_name)
        if pattern.matches(name):
            attributes = [b"\\Noselect"] if full_name in closed else []
            attributes += [use] if (use := uses.get(full_name)) else []
            conversation.engine.untagged(responses.listing(b"LSUB", attributes, name, separator))
            told.add(name)
    for full_name in subscribed if b"%" in command.pattern else ():
        parts = conversation.name(full_name).split(separator)
        for depth in range(1, len(parts)):
            parent = separator.join(parts[:depth])
            if parent not in told and pattern.matches(parent):
                conversation.engine.untagged(responses.listing(b"LSUB", [b"\\Noselect"], parent, separator))
                told.add(parent)
    conversation.ok(command.tag, b"Lsub completed")


def _separator(conversation: Conversation) -> bytes:
    return conversation.account.separator.encode("ascii")


def _parents(name: str, separator: str) -> Iterator[str]:
    """All names above a mailbox."""
    position = name.find(separator)
    while position >= 0:
        yield name[:position]
        position = name.find(separator, position + 1)


def _with_missing(entries: list[MailboxEntry], subscribed: Sequence[str]) -> list[MailboxEntry]:
    """Subscribed names that do not exist are listed, too (RFC 5258 §3.1)."""
    known = {entry.name for entry in entries}
    missing = [
        MailboxEntry(name, selectable=False, has_children=False, subscribed=True)
        for name in subscribed
        if name not in known
    ]
    return [*entries, *missing]


def _selects(entry: MailboxEntry, options: ListSelect) -> bool:
    if options & ListSelect.SUBSCRIBED and not entry.subscribed:
        return False
    return bool(entry.special_use) or not options & ListSelect.SPECIAL_USE


def _attributes(entry: MailboxEntry, command: List) -> list[bytes]:
    """What is told of a mailbox, in Dovecot's order."""
    attributes: list[bytes] = []
    returns = command.returns
    plain = returns is None
    asked = returns or ListReturn.NONE
    if entry.subscribed and (asked & ListReturn.SUBSCRIBED or command.select & ListSelect.SUBSCRIBED):
        attributes.append(b"\\Subscribed")
    if not entry.selectable:
        attributes.append(b"\\Noselect" if plain else b"\\NonExistent")
    if plain or asked & ListReturn.CHILDREN:
        attributes.append(b"\\HasChildren" if entry.has_children else b"\\HasNoChildren")
    special = plain or asked & ListReturn.SPECIAL_USE or command.select & ListSelect.SPECIAL_USE
    if entry.special_use and special:
        attributes.append(entry.special_use)
    return attributes


async def _list_status(conversation: Conversation, command: List, name: str) -> None:
    """`* STATUS` behind `* LIST`; without it when the mailbox cannot be read (RFC 5819 §2)."""
    try:
        with_modseq = StatusItem.HIGHESTMODSEQ in command.status
        if with_modseq:
            await conversation.enable_condstore()
        found = await conversation.account.status(
            name, with_modseq=with_modseq, with_size=StatusItem.SIZE in command.status
        )
    except (NoSuchMailbox, StoreUnavailable):
        return
    values = [(item, status_value(conversation, found, item)) for item in command.status]
    conversation.engine.untagged(responses.status(conversation.name(name), values))
