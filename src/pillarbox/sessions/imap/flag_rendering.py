"""FLAGS of many messages, with as little work for each as can be.

DESCRIPTION
    What a row has is a byte of system flags and keyword bits; a mailbox has few different pairs of
    them.  `FlagRenderer` writes each pair once; \\Recent comes from the view.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from pillarbox.mailstore.view import MailboxView
from pillarbox.vocabulary.flags import Flag
from pillarbox.wire.imap.responses import flag_names

_RECENT: Final = int(Flag.RECENT)
_WITH_RECENT: Final = bytes(octet | _RECENT for octet in range(256))


class FlagRenderer:
    """Rendered flags of one view's messages, for the length of a command."""

    __slots__ = ("_names", "_recent", "_table", "_written")

    def __init__(self, view: MailboxView, *, with_recent: bool = True) -> None:
        """`with_recent`: not for clients of IMAP4rev2, which has no \\Recent."""
        self._table = view.mailbox.messages
        self._names = view.mailbox.keywords
        self._recent = view.recent_ranges if with_recent else []
        self._written: dict[tuple[int, int], bytes] = {}

    def of_row(self, row: int) -> bytes:
        """`\\Seen $Label1` for the message in that row of the table now."""
        flags = self._table.flags[row]
        if self._recent:
            uid = self._table.uids[row]
            if any(low <= uid < high for low, high in self._recent):
                flags |= _RECENT
        return self._write(flags, self._table.keywords[row])

    def of_uid(self, uid: int) -> bytes | None:
        """The same for a UID; None if the message is gone."""
        uids = self._table.uids
        row = bisect_left(uids, uid)
        return self.of_row(row) if row < len(uids) and uids[row] == uid else None

    def of_uids(self, uids: Sequence[int]) -> Sequence[bytes | None]:
        """The same for many (rising)."""
        table = self._table
        rows = table.rows(uids)
        if isinstance(rows, range):  # side by side
            flags, keywords = table.flags[rows.start : rows.stop], table.keywords[rows.start : rows.stop]
            return self._of_columns(uids, flags, keywords)
        if min(rows) < 0:
            there = iter(self.of_uids([uid for uid, row in zip(uids, rows, strict=True) if row >= 0]))
            return [next(there) if row >= 0 else None for row in rows]
        bits = map(table.keywords.__getitem__, rows) if self._names else ()
        return self._of_columns(uids, bytearray(map(table.flags.__getitem__, rows)), list(bits))

    def _of_columns(self, uids: Sequence[int], flags: bytearray, keywords: Sequence[int]) -> list[bytes]:
        """For messages that are there, by what the table says of them."""
        for low, high in self._recent:
            recent = slice(bisect_left(uids, low), bisect_left(uids, high))
            flags[recent] = flags[recent].translate(_WITH_RECENT)
        if not any(keywords):  # then an octet says all
            plain = {octet: self._write(octet, 0) for octet in set(flags)}
            return list(map(plain.__getitem__, flags))
        pairs = list(zip(flags, keywords, strict=True))
        written = {pair: self._write(*pair) for pair in set(pairs)}
        return list(map(written.__getitem__, pairs))

    def _write(self, flags: int, keywords: int) -> bytes:
        written = self._written.get((flags, keywords))
        if written is None:
            names = tuple(name for bit, name in enumerate(self._names) if keywords >> bit & 1)
            written = self._written[flags, keywords] = flag_names(flags, names)
        return written
