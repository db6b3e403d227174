"""Unique ids of POP3: those that dovecot-uidlist gives a message, else made as dovecot.conf says.

DESCRIPTION
    A client takes a message whose unique id it does not know for new.  So the ids of the server that was here
    before stay: those of other programs stand in dovecot-uidlist (field `P`), or, with pop3_reuse_xuidl, in the
    message's X-UIDL field; the others follow from UID, UIDVALIDITY, file name or GUID.  With pop3_save_uidl, what
    clients have been told is written into dovecot-uidlist.

STANDARDS
    RFC 1939 §7 (UIDL: one to seventy printable characters); Dovecot 2.3, pop3_uidl_format, pop3_uidl_duplicates,
    pop3_reuse_xuidl, pop3_save_uidl
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import Final

from pillarbox.config.dovecot.uidl_format import expand
from pillarbox.mailstore.mailbox import Fields, Mailbox, Pop3Fields
from pillarbox.message.header_fields import first_value
from pillarbox.sessions.pop3_options import USUAL_FORMAT, Pop3Options
from pillarbox.vocabulary.identifiers import Uid

_BATCH: Final = 256


class UniqueIds:
    """Of the messages of one session."""

    def __init__(
        self, mailbox: Mailbox, uids: Sequence[int], own: Mapping[int, Pop3Fields], options: Pop3Options
    ) -> None:
        """`uids` in the order of the session's numbers; `own`: what the mailbox has written down for them."""
        self._mailbox = mailbox
        self._uids = uids
        self._own = {uid: fields.unique_id for uid, fields in own.items() if fields.unique_id}
        self._options = options
        self._needs_all = options.renames_duplicates or options.logs_unique_ids
        self.told: list[bytes] | None = None
        """Of all messages, once one was asked for and the options need all."""

    async def of(self, rows: Sequence[int]) -> list[bytes]:
        """The unique ids of messages, by their rows (number - 1).  StoreUnavailable."""
        if not self._needs_all:
            return await self._made([self._uids[row] for row in rows])
        if self.told is None:
            self.told = await self._made(self._uids)
        return [self.told[row] for row in rows]

    async def _made(self, uids: Sequence[int]) -> list[bytes]:
        options, known = self._options, self._own
        if options.reuses_header_ids:
            known = {**await self._of_headers([uid for uid in uids if uid not in known]), **known}
        if known:
            missing = [uid for uid in uids if uid not in known]
            known = {**known, **dict(zip(missing, await self._formatted(missing), strict=True))}
            made = [known[uid] for uid in uids]
        else:
            made = await self._formatted(uids)
        if options.renames_duplicates:
            made = _numbered(made)
        if options.saves_unique_ids:
            new = {uid: unique_id for uid, unique_id in zip(uids, made, strict=True) if uid not in self._own}
            if new:
                await self._mailbox.save_unique_ids(new)
                self._own |= new
        return made

    async def _formatted(self, uids: Sequence[int]) -> list[bytes]:
        validity, text = self._mailbox.uid_validity, self._options.uidl_format
        if text == USUAL_FORMAT:
            return [b"%08x%08x" % (uid, validity) for uid in uids]
        made = []
        for uid, (name, guid) in zip(uids, await self._mailbox.identities(uids), strict=True):
            values = {
                "uidvalidity": str(validity),
                "uid": str(uid),
                "filename": name.decode("latin-1"),
                "guid": guid.decode("latin-1"),
            }
            # A message that is gone meanwhile has neither, and a client cannot read an id of no characters.
            made.append(expand(text, values).encode("latin-1") or b"%08x%08x" % (uid, validity))
        return made

    async def _of_headers(self, uids: Sequence[int]) -> dict[int, bytes]:
        """Those of messages that have an X-UIDL field."""
        found: dict[int, bytes] = {}
        for start in range(0, len(uids), _BATCH):
            batch = [Uid(uid) for uid in uids[start : start + _BATCH]]
            for summary in await self._mailbox.summaries(batch, Fields.HEADER):
                value = first_value(summary.header, b"X-UIDL")
                if value is not None:
                    found[summary.uid] = value
        return found


def checksum(unique_ids: Sequence[bytes]) -> int:
    """Of several, in whatever order, as pop3_logout_format's `%u` has it."""
    found = 0
    for unique_id in unique_ids:
        found ^= zlib.crc32(unique_id)
    return found


def _numbered(made: Sequence[bytes]) -> list[bytes]:
    """The second of two equal ones gets `-2`, also if it is written down for the message."""
    times: dict[bytes, int] = {}
    numbered = []
    for unique_id in made:
        times[unique_id] = times.get(unique_id, 0) + 1
        numbered.append(b"%b-%d" % (unique_id, times[unique_id]) if times[unique_id] > 1 else unique_id)
    return numbered


def in_order(uids: Sequence[int], own: Mapping[int, Pop3Fields]) -> list[int]:
    """Rows in the order of their numbers: messages with an order of their own first, then by UID."""
    return sorted(
        range(len(uids)),
        key=lambda row: (own[uids[row]].order or 1 << 32 if uids[row] in own else 1 << 32, row),
    )
