"""FETCH: the fixed items in batches, from the store's cache; BODY[…] message by message.

DESCRIPTION
    A batch of messages is rendered column by column with one template for all, so that ten thousand
    envelopes cost little more than copying them.  Between batches the client gets what there is, and other
    sessions get the loop.

    Messages that were expunged since the client last heard are left out, and the answer says so.

STANDARDS
    RFC 3501 §6.4.5, §7.4.2; RFC 5530 §3 (EXPUNGEISSUED)
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from pillarbox.mailstore.mailbox import Fields, FlagAction, FlagChange, MessageGone, MessageSummary
from pillarbox.mailstore.view import MailboxView
from pillarbox.sessions.imap.conversation import FLUSH_AT, Conversation, InvalidMessageSet
from pillarbox.sessions.imap.flag_rendering import FlagRenderer
from pillarbox.sessions.imap.sections import SectionRenderer
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid
from pillarbox.wire.imap.commands import Fetch
from pillarbox.wire.imap.dates import internal_date
from pillarbox.wire.imap.fetch_items import FetchItems, Item

BATCH: Final = 256
"""Messages rendered in one go: about two milliseconds of the loop."""

_FIELDS: Final = {
    Item.INTERNAL_DATE: Fields.DATE,
    Item.SIZE: Fields.SIZE,
    Item.ENVELOPE: Fields.ENVELOPE,
    Item.BODY: Fields.BODY,
    Item.BODY_STRUCTURE: Fields.BODYSTRUCTURE,
}
_TEMPLATES: Final = {
    Item.UID: b"UID %d",
    Item.FLAGS: b"FLAGS (%b)",
    Item.INTERNAL_DATE: b"INTERNALDATE %b",
    Item.SIZE: b"RFC822.SIZE %d",
    Item.ENVELOPE: b"ENVELOPE %b",
    Item.BODY: b"BODY %b",
    Item.BODY_STRUCTURE: b"BODYSTRUCTURE %b",
}


async def fetch(conversation: Conversation, command: Fetch) -> None:
    """FETCH and UID FETCH."""
    try:
        chosen = conversation.choose(command.messages, by_uid=command.by_uid)
    except InvalidMessageSet:
        name = b"UID FETCH" if command.by_uid else b"FETCH"
        conversation.bad(command.tag, b"Error in IMAP command %s: Invalid messageset" % name)
        return
    work = _Fetch(conversation, command.items)
    for start in range(0, len(chosen.uids), BATCH):
        numbers = chosen.numbers[start : start + BATCH]
        await work.batch(numbers, chosen.uids[start : start + BATCH])
        await conversation.flush_if_much()
    conversation.tell_changes(expunges=command.by_uid, with_uid=command.by_uid)
    if work.some_gone:
        conversation.ok(command.tag, b"[EXPUNGEISSUED] Some messages were already expunged")
    else:
        conversation.ok(command.tag, b"Fetch completed")


class _Fetch:
    """One FETCH command's way through its messages."""

    def __init__(self, conversation: Conversation, wanted: FetchItems) -> None:
        self.some_gone = False
        self._conversation = conversation
        self._view: MailboxView = conversation.selected
        self._wanted = wanted
        self._fields = Fields(0)
        for item in wanted.items:
            self._fields |= _FIELDS.get(item, Fields(0))
        self._marks_seen = wanted.marks_seen and not self._view.read_only
        self._flags = FlagRenderer(self._view)
        self._sections = SectionRenderer(wanted.sections) if wanted.sections else None
        if self._sections is not None and self._sections.needs_only_header:
            self._fields |= Fields.HEADER
        words = [_TEMPLATES[item] for item in wanted.items]
        self._template = b"* %d FETCH (" + b" ".join(words) + (b"" if wanted.sections else b")\r\n")

    async def batch(self, numbers: list[int], uids: list[int]) -> None:
        """Answer for some messages, numbers and UIDs side by side."""
        changed: set[int] = set()
        if self._marks_seen:
            changed = await self._mark_seen(uids)
        summaries: Sequence[MessageSummary] = ()
        if self._fields:
            summaries = await self._view.mailbox.summaries([Uid(uid) for uid in uids], self._fields)
            if len(summaries) != len(uids):
                number_of = dict(zip(uids, numbers, strict=True))
                uids = [summary.uid for summary in summaries]
                numbers = [number_of[uid] for uid in uids]
                self.some_gone = True
        numbers, uids, summaries, flags = self._with_flags(numbers, uids, summaries)
        if not uids:
            return
        heads = self._render(numbers, uids, summaries, flags)
        if self._sections is None:
            self._conversation.engine.send(b"".join(heads))
        else:
            await self._with_sections(self._sections, heads, uids, summaries, changed)

    async def _mark_seen(self, uids: list[int]) -> set[int]:
        """Set \\Seen; the messages that did not have it (RFC 3501 §6.4.5: "implicitly set")."""
        table = self._view.mailbox.messages
        unseen: list[Uid] = []
        for uid in uids:
            row = bisect_left(table.uids, uid)
            if row < len(table.uids) and table.uids[row] == uid and not table.flags[row] & Flag.SEEN:
                unseen.append(Uid(uid))
        if not unseen:
            return set()
        change = FlagChange(FlagAction.ADD, Flag.SEEN)
        return set(await self._view.mailbox.change_flags(unseen, change, origin=self._view))

    def _with_flags(
        self, numbers: list[int], uids: list[int], summaries: Sequence[MessageSummary]
    ) -> tuple[list[int], list[int], Sequence[MessageSummary], list[bytes]]:
        """Rendered flags for the messages; those that are gone drop out of all columns."""
        if Item.FLAGS not in self._wanted.items or not uids:
            return numbers, uids, summaries, []
        known = self._view.mailbox.messages.uids
        start = bisect_left(known, uids[0])
        end = start + len(uids)
        if known[start:end].tolist() == uids:
            return numbers, uids, summaries, self._flags.of_rows(start, end)
        written = [self._flags.of_uid(uid) for uid in uids]
        flags = [flag for flag in written if flag is not None]
        if len(flags) != len(uids):
            self.some_gone = True
            kept = [row for row, flag in enumerate(written) if flag is not None]
            numbers = [numbers[row] for row in kept]
            uids = [uids[row] for row in kept]
            summaries = [summaries[row] for row in kept] if summaries else ()
        return numbers, uids, summaries, flags

    def _render(
        self, numbers: list[int], uids: list[int], summaries: Sequence[MessageSummary], flags: list[bytes]
    ) -> Iterator[bytes]:
        """The fixed items, one column after the other, then row by row through the template."""
        columns: list[Sequence[int] | Sequence[bytes]] = [numbers]
        for item in self._wanted.items:
            match item:
                case Item.UID:
                    columns.append(uids)
                case Item.FLAGS:
                    columns.append(flags)
                case Item.INTERNAL_DATE:
                    columns.append([internal_date(summary.internal_date) for summary in summaries])
                case Item.SIZE:
                    columns.append([summary.size for summary in summaries])
                case Item.ENVELOPE:
                    columns.append([summary.envelope for summary in summaries])
                case Item.BODY:
                    columns.append([summary.body for summary in summaries])
                case Item.BODY_STRUCTURE:
                    columns.append([summary.body_structure for summary in summaries])
        return map(self._template.__mod__, zip(*columns, strict=True))

    async def _with_sections(
        self,
        sections: SectionRenderer,
        heads: Iterator[bytes],
        uids: list[int],
        summaries: Sequence[MessageSummary],
        changed: set[int],
    ) -> None:
        """The same with BODY[…] behind it."""
        engine, figures = self._conversation.engine, self._conversation.figures
        for row, (head, uid) in enumerate(zip(heads, uids, strict=True)):
            if sections.needs_only_header:
                header = summaries[row].header
                figures.header_count += 1
                figures.header_bytes += len(header)
                pieces = sections.from_header(header)
            else:
                try:
                    content = await self._view.mailbox.content(Uid(uid))
                except MessageGone:
                    self.some_gone = True
                    continue
                figures.body_count += 1
                figures.body_bytes += len(content)
                pieces = sections.from_content(content)
            blank = b" " if self._wanted.items else b""
            if uid in changed and Item.FLAGS not in self._wanted.items:
                # The new flags come in the same answer (RFC 3501 §6.4.5).
                head += b"%bFLAGS (%b)" % (blank, self._flags.of_uid(uid) or b"")
                blank = b" "
            for label, text in pieces:
                head += blank + label
                blank = b" "
                if len(text) < FLUSH_AT:
                    head += text
                    continue
                engine.send(head)
                await self._conversation.send_long(text)
                head = b""
            engine.send(head + b")\r\n")
            if engine.unsent >= FLUSH_AT:
                await self._conversation.flush_if_much()
