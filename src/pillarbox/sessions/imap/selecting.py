"""SELECT and EXAMINE, CLOSE and UNSELECT.

DESCRIPTION
    A mailbox is described in Dovecot's order.  A client of QRESYNC that names the state it knows is told what
    has happened since: what was expunged, and the flags of what has changed.

STANDARDS
    RFC 3501 §6.3.1, §6.4.2; RFC 3691 (UNSELECT); RFC 7162 §3.1.2 (HIGHESTMODSEQ), §3.2.5 (QRESYNC);
    RFC 8474 §4.2 (MAILBOXID); RFC 9051 §6.3.2
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from pillarbox.mailstore.mailbox import NoSuchMailbox
from pillarbox.mailstore.sharing.acl_file import ALL, Rights
from pillarbox.mailstore.view import MailboxView
from pillarbox.sessions.imap import logged_changes
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.sessions.imap.fetch import changed_since, fetch_changed, gone_since, tell_gone
from pillarbox.sessions.imap.flag_rights import CHANGE
from pillarbox.sessions.imap.mailbox_commands import refusal
from pillarbox.sessions.imap.message_commands import deleted_uids
from pillarbox.sessions.imap.object_ids import mailbox_id
from pillarbox.sessions.imap.selected_answers import flags_of, highest_modseq_of
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid
from pillarbox.vocabulary.number_set import STAR, NumberSet
from pillarbox.wire.imap import responses
from pillarbox.wire.imap.commands import Close, Examine, KnownState, Select, Unselect

_CHANGING: Final = CHANGE | Rights.INSERT | Rights.EXPUNGE
"""Who has none of these rights can only look."""
_LOOKED_AT: Final = 8192
"""Messages that are looked at together for the first unseen one."""
_UNSEEN: Final = bytes(not flags & Flag.SEEN for flags in range(256))


class _Described(msgspec.Struct, frozen=True):
    """How a mailbox was described when it was in a state."""

    state: tuple[object, ...]
    text: bytes


async def select(conversation: Conversation, command: Select) -> None:
    """SELECT."""
    if await _open(conversation, command, read_only=False):
        mode = b"READ-ONLY" if conversation.selected.read_only else b"READ-WRITE"
        conversation.ok(command.tag, b"[%b] Select completed" % mode)


async def examine(conversation: Conversation, command: Examine) -> None:
    """EXAMINE."""
    if await _open(conversation, command, read_only=True):
        conversation.ok(command.tag, b"[READ-ONLY] Examine completed")


async def _open(conversation: Conversation, command: Select | Examine, *, read_only: bool) -> bool:
    """Leave the old mailbox and enter the new one; whether that was possible.

    The old one is given back last: often it is the same, and nothing of it need be put away in between.
    """
    left = conversation.let_go_mailbox()
    if left is None:
        return await _enter(conversation, command, read_only=read_only)
    conversation.engine.untagged(b"OK [CLOSED] Previous mailbox closed.")  # RFC 7162 §3.2.11
    try:
        return await _enter(conversation, command, read_only=read_only)
    finally:
        left.close()


async def _enter(conversation: Conversation, command: Select | Examine, *, read_only: bool) -> bool:
    """Enter a mailbox and describe it in Dovecot's order."""
    engine, tag, name = conversation.engine, command.tag, command.mailbox
    if command.known is not None and not conversation.qresync:
        kind = type(command).__name__.upper().encode("ascii")
        conversation.bad(tag, b"Error in IMAP command %b: QRESYNC not enabled" % kind)
        return False
    if command.refused:
        conversation.no(tag, command.refused.encode("ascii"))
        return False
    if not name:
        conversation.no(tag, b"[CANNOT] Invalid mailbox name: Name is empty")
        return False
    conversation.condstore = conversation.condstore or command.condstore or command.known is not None
    try:
        mailbox = await conversation.account.open(name, read_only=read_only)
    except NoSuchMailbox as fault:
        conversation.no(tag, refusal(conversation, name, fault))
        return False
    try:
        if conversation.condstore or mailbox.has_modseqs:
            await mailbox.track_modseqs()
    except BaseException:
        mailbox.close()
        raise
    rights = await conversation.rights(name)
    read_only = read_only or (rights is not ALL and not rights & _CHANGING)
    known = command.known
    if known is not None and known.uid_validity != mailbox.uid_validity:
        known = None
    gone = None if known is None else await gone_since(mailbox, known.modseq)
    # From here on nothing may happen in between: what EXISTS counts is told.
    view = conversation.enter_mailbox(mailbox, read_only=read_only, rights=rights)
    engine.send(_description(conversation, view, name))
    if known is not None:
        await _catch_up(conversation, known, gone)
    return True


def _description(conversation: Conversation, view: MailboxView, name: str) -> bytes:
    """What is told of a mailbox that is selected, in Dovecot's order; the same again until something changes."""
    mailbox = view.mailbox
    state = (
        mailbox.journal_position,
        mailbox.uid_validity,
        mailbox.uid_next,
        mailbox.highest_modseq if mailbox.has_modseqs else None,
        len(mailbox.keywords),
        view.recent,
        view.read_only,
        view.rights,
        conversation.name(name) if conversation.rev2 else None,
        conversation.uid_only,
    )
    known = mailbox.memo.get(_description)
    if isinstance(known, _Described) and known.state == state:
        return known.text
    text = b"".join(b"* %b\r\n" % line for line in _description_lines(conversation, view, name))
    mailbox.memo[_description] = _Described(state, text)
    return text


def _description_lines(conversation: Conversation, view: MailboxView, name: str) -> Iterator[bytes]:
    mailbox = view.mailbox
    yield from flags_of(view)
    yield b"%d EXISTS" % view.count
    if conversation.rev2:  # RFC 9051 §6.3.2: no RECENT, no UNSEEN, but the name
        separator = conversation.account.separator.encode("ascii")
        yield responses.listing(b"LIST", [], conversation.name(name), separator)
    else:
        yield b"%d RECENT" % view.recent
        unseen = _first_unseen(mailbox.messages.flags)
        if unseen is not None and not conversation.uid_only:  # it is a message number
            yield b"OK [UNSEEN %d] First unseen." % unseen
    yield b"OK [UIDVALIDITY %d] UIDs valid" % mailbox.uid_validity
    yield b"OK [UIDNEXT %d] Predicted next UID" % mailbox.uid_next
    if mailbox.has_modseqs:  # as Dovecot: not before anybody has used them
        yield highest_modseq_of(view)
    yield b"OK %b Ok" % responses.mailbox_id(mailbox_id(mailbox.guid))


async def _catch_up(conversation: Conversation, known: KnownState, gone: list[Uid] | None) -> None:
    """What happened since the client last looked (RFC 7162 §3.2.5.1): VANISHED before FETCH."""
    view = conversation.selected
    # "the server … can use the matched pair with the largest number": up to there nothing is missing.
    above = max((uid for number, uid in known.matches if view.number_of(uid) == number), default=0)
    tell_gone(conversation, known.uids, gone, above=above)
    wanted = known.uids or NumberSet(((1, STAR),))
    await fetch_changed(conversation, changed_since(view, view.by_uids(wanted), known.modseq))


def _first_unseen(flags: bytearray) -> int | None:
    """The number of the first message without \\Seen."""
    for start in range(0, len(flags), _LOOKED_AT):
        found = flags[start : start + _LOOKED_AT].translate(_UNSEEN).find(1)
        if found >= 0:
            return start + found + 1
    return None


async def close(conversation: Conversation, command: Close) -> None:
    """CLOSE: what is \\Deleted goes, and nothing is told of it (RFC 3501 §6.4.2)."""
    view = conversation.selected
    if not view.read_only and Rights.EXPUNGE in view.rights:
        deleted = deleted_uids(view)
        if deleted:
            await logged_changes.expunge(conversation, deleted)
    conversation.leave_mailbox()
    conversation.ok(command.tag, b"Close completed")


async def unselect(conversation: Conversation, command: Unselect) -> None:
    """UNSELECT: CLOSE without expunging."""
    conversation.leave_mailbox()
    conversation.ok(command.tag, b"Unselect completed")
