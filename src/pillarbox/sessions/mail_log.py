"""Lines of the log about what becomes of messages and mailboxes: the mail_log plugin.

DESCRIPTION
    Who changes something takes a `snapshot` of the messages first, and tells of those that really changed:

        expunge: box=INBOX, uid=1, msgid=<1@x>, size=292
        copy from INBOX: box=Trash, uid=7, msgid=<1@x>, size=292
        flag_change: box=INBOX, uid=1, msgid=<1@x>, size=292, flags=(\\Seen)
        Mailbox renamed: Old -> Older

    System flags and keywords that change together are two lines, as Dovecot changes the one after the other.
    A message that has come by LMTP has no UID yet when its line is written.

STANDARDS
    Dovecot 2.3, Plugins.MailLog
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from pillarbox.config.mail_log_settings import FIELDS, MailLogSettings
from pillarbox.mailstore.mailbox import (
    Account,
    Fields,
    FlagChange,
    Mailbox,
    MessageGone,
    NoSuchMailbox,
    PermissionDenied,
    StoreUnavailable,
)
from pillarbox.mailstore.maildir.file_names import sizes
from pillarbox.message.encoded_words import decode_words
from pillarbox.message.header_fields import fields
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid
from pillarbox.wire.imap.responses import flag_names

MAX_VALUE: Final = 80
"""Octets of a header field in a line."""
BATCH: Final = 256
_HEADER_FIELDS: Final = frozenset(("msgid", "from", "subject"))
_FLAG_EVENTS: Final = ("delete", "undelete", "flag_change")


class Noted(msgspec.Struct, frozen=True):
    """A message as it was."""

    values: Mapping[str, str]
    """Fields of a line, without box, uid and flags."""
    flags: int
    keywords: tuple[bytes, ...]


Snapshot = Mapping[Uid, Noted]


class MailLog:
    """Of one session."""

    def __init__(self, settings: MailLogSettings, tell: Callable[[str], None]) -> None:
        """`tell` writes a line."""
        self._settings = settings
        self._tell = tell

    def wants(self, *events: str) -> bool:
        """Whether one of them is told."""
        return self._settings.wants(*events)

    async def snapshot(
        self, mailbox: Mailbox, uids: Iterable[int], *, recent: Sequence[tuple[int, int]] = ()
    ) -> Snapshot:
        """Messages as they are; `recent`: ranges of UIDs (low, high) of those that are \\Recent."""
        found: dict[Uid, Noted] = {}
        there = [Uid(uid) for uid in uids if mailbox.messages.row(uid) is not None]
        for start in range(0, len(there), BATCH):
            batch = there[start : start + BATCH]
            values = await self._values(mailbox, batch)
            for uid in batch:
                state = _state(mailbox, uid)
                if state is not None:
                    flags, keywords = state
                    if any(low <= uid < high for low, high in recent):
                        flags |= Flag.RECENT
                    found[uid] = Noted(values.get(uid, {}), flags, keywords)
            await asyncio.sleep(0)
        return found

    def tell(self, event: str, box: str, snapshot: Snapshot, uids: Iterable[Uid]) -> None:
        """What has happened to each of the messages, if it is to be told."""
        if not self.wants(event):
            return
        for uid in uids:
            if uid in snapshot:
                self._write(event, box, uid, snapshot[uid])

    def tell_copies(
        self, source: str, target: str, snapshot: Snapshot, pairs: Iterable[tuple[Uid, Uid]]
    ) -> None:
        """`snapshot` is of the source, without \\Recent."""
        for uid, copied in pairs:
            if self.wants("copy") and uid in snapshot:
                self._write(f"copy from {source}", target, copied, snapshot[uid])

    def _tell_flags(self, mailbox: Mailbox, box: str, snapshot: Snapshot, uids: Iterable[Uid]) -> None:
        """What has changed since the snapshot."""
        for uid in uids:
            before, state = snapshot.get(uid), _state(mailbox, uid)
            if before is None or state is None:
                continue
            flags, keywords = state[0] | before.flags & Flag.RECENT, state[1]
            if flags != before.flags:
                gone = before.flags & ~flags & Flag.DELETED
                event = (
                    "undelete"
                    if gone
                    else "delete"
                    if flags & ~before.flags & Flag.DELETED
                    else "flag_change"
                )
                if self.wants(event):
                    self._write(event, box, uid, Noted(before.values, flags, before.keywords))
            if keywords != before.keywords and self.wants("flag_change"):
                self._write("flag_change", box, uid, Noted(before.values, flags, keywords))

    async def expunge(
        self,
        mailbox: Mailbox,
        box: str,
        uids: Sequence[Uid],
        *,
        recent: Sequence[tuple[int, int]] = (),
        origin: object | None = None,
        event: str = "expunge",
    ) -> list[Uid]:
        """Remove messages for good and tell of it; the UIDs that were there.  `event` is how the line calls it."""
        if not self.wants("expunge"):
            return await mailbox.expunge(uids, origin=origin)
        before = await self.snapshot(mailbox, uids, recent=recent)
        gone = await mailbox.expunge(uids, origin=origin)
        for uid in gone:
            if uid in before:
                self._write(event, box, uid, before[uid])
        return gone

    async def autoexpunge(self, mailbox: Mailbox, box: str, uids: Sequence[Uid]) -> list[Uid]:
        """The same of messages that go by themselves; what no session has seen is \\Recent."""
        return await self.expunge(mailbox, box, uids, recent=unseen(mailbox), event="autoexpunge")

    async def change_flags(
        self,
        mailbox: Mailbox,
        box: str,
        uids: Sequence[Uid],
        change: FlagChange,
        *,
        recent: Sequence[tuple[int, int]] = (),
        origin: object | None = None,
    ) -> list[Uid]:
        """Change flags and tell of it; the UIDs whose flags really changed.  OverflowError."""
        if not self.wants(*_FLAG_EVENTS):
            return await mailbox.change_flags(uids, change, origin=origin)
        before = await self.snapshot(mailbox, uids, recent=recent)
        changed = await mailbox.change_flags(uids, change, origin=origin)
        self._tell_flags(mailbox, box, before, changed)
        return changed

    async def snapshot_all(self, account: Account, name: str) -> Snapshot:
        """Of a mailbox that is to be deleted; empty if it cannot be read, or nobody wants to know."""
        if not self.wants("expunge"):
            return {}
        try:
            mailbox = await account.open(name, read_only=True)
        except (NoSuchMailbox, PermissionDenied, StoreUnavailable):
            return {}
        try:
            return await self.snapshot(mailbox, mailbox.messages.uids.tolist(), recent=unseen(mailbox))
        finally:
            mailbox.close()

    def tell_mailbox(self, event: str, text: str) -> None:
        """`Mailbox created: Old`, if mailbox_create is wanted."""
        if self.wants(f"mailbox_{event.removesuffix('d')}"):
            self._tell(f"Mailbox {event}: {text}")

    def tell_delivery(self, box: str, header: bytes, size: int, crlf_size: int) -> None:
        """A message has come that no session has seen."""
        if self.wants("save"):
            values = {"size": str(size), "vsize": str(crlf_size)} | _header_values(header)
            self._write("save", box, None, Noted(values, 0, ()))

    def _write(self, event: str, box: str, uid: Uid | None, noted: Noted) -> None:
        values = dict(noted.values) | {"box": box}
        if uid is not None:
            values["uid"] = str(uid)
        values["flags"] = f"({flag_names(noted.flags, noted.keywords).decode('utf-8', 'replace')})"
        wanted = self._settings.fields
        told = ", ".join(f"{name}={values[name]}" for name in FIELDS if name in wanted and name in values)
        self._tell(f"{event}: {told}" if told else event)

    async def _values(self, mailbox: Mailbox, uids: Sequence[Uid]) -> dict[Uid, dict[str, str]]:
        """What the lines say of messages, as far as it is wanted."""
        wanted = self._settings.fields
        columns = Fields(0)
        if not wanted.isdisjoint(_HEADER_FIELDS):
            columns |= Fields.HEADER
        if not wanted.isdisjoint(("size", "vsize")):
            columns |= Fields.SIZE
        if not columns:
            return {}
        found = {}
        for summary in await mailbox.summaries(uids, columns):
            values = _header_values(summary.header) if Fields.HEADER in columns else {}
            if Fields.SIZE in columns:
                values["vsize"] = str(summary.size)
            found[summary.uid] = values
        if "size" in wanted:
            for (base, _), uid in zip(await mailbox.identities(uids), uids, strict=True):
                if uid in found:
                    size, _ = sizes(base)
                    found[uid]["size"] = str(await _size(mailbox, uid) if size is None else size)
        return found


def unseen(mailbox: Mailbox) -> list[tuple[int, int]]:
    """The range of UIDs of messages that no session has seen."""
    return [(int(mailbox.first_recent_uid), int(mailbox.uid_next))]


def _state(mailbox: Mailbox, uid: int) -> tuple[int, tuple[bytes, ...]] | None:
    """Flags and keywords of a message, if it is there."""
    table = mailbox.messages
    row = table.row(uid)
    if row is None:
        return None
    bits = table.keywords[row]
    return table.flags[row], tuple(name for bit, name in enumerate(mailbox.keywords) if bits >> bit & 1)


async def _size(mailbox: Mailbox, uid: Uid) -> int:
    """Octets with LF line ends of a message whose file name does not say it; 0 if it cannot be read."""
    try:
        content = await mailbox.content(uid)
    except (MessageGone, StoreUnavailable):
        return 0
    return len(content) - content.count(b"\r\n") if isinstance(content, bytes) else len(content)


def _header_values(header: bytes) -> dict[str, str]:
    found = {b"message-id": b"", b"from": b"", b"subject": b""}
    missing = set(found)
    for field in fields(header):
        name = field.name.lower()
        if name in missing:
            missing.remove(name)
            found[name] = field.value.lstrip(b" \t").replace(b"\r\n", b"").replace(b"\n", b"")
    return {
        "msgid": _short(found[b"message-id"].decode("utf-8", "replace")),
        "from": _short(decode_words(found[b"from"])),
        "subject": _short(decode_words(found[b"subject"])),
    }


def _short(text: str) -> str:
    """At most `MAX_VALUE` octets."""
    octets = text.encode("utf-8", "replace")
    if len(octets) <= MAX_VALUE:
        return text
    return octets[: MAX_VALUE - 3].decode("utf-8", "ignore") + "..."
