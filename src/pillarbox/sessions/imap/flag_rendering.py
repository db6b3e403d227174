"""FLAGS of many messages, with as little work for each as can be.

DESCRIPTION
    What a row has is a byte of system flags and 64 keyword bits; a mailbox has few different pairs of
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

    def of_rows(self, start: int, end: int) -> list[bytes]:
        """The same for rows `start` to `end`, `end` not included."""
        table = self._table
        flags = table.flags[start:end]
        for low, high in self._recent:
            first = max(bisect_left(table.uids, low) - start, 0)
            last = bisect_left(table.uids, high) - start
            if first < last:
                flags[first:last] = flags[first:last].translate(_WITH_RECENT)
        keywords = table.keywords[start:end]
        if not any(keywords):  # then an octet says all
            plain = {octet: self._write(octet, 0) for octet in set(flags)}
            return list(map(plain.__getitem__, flags))
        pairs = list(zip(flags, keywords, strict=True))
        written = {pair: self._write(*pair) for pair in set(pairs)}
        return list(map(written.__getitem__, pairs))

    def of_uid(self, uid: int) -> bytes | None:
        """The same for a UID; None if the message is gone."""
        uids = self._table.uids
        row = bisect_left(uids, uid)
        return self.of_row(row) if row < len(uids) and uids[row] == uid else None

    def of_uids(self, uids: Sequence[int]) -> Sequence[bytes | None]:
        """The same for many (rising)."""
        rows = self._table.rows(uids)
        if isinstance(rows, range):
            return self.of_rows(rows.start, rows.stop)
        if not self._recent and min(rows) >= 0:
            flags, keywords = self._table.flags, self._table.keywords
            pairs = [(flags[row], keywords[row]) for row in rows]
            written = {pair: self._write(*pair) for pair in set(pairs)}
            return list(map(written.__getitem__, pairs))
        return [self.of_row(row) if row >= 0 else None for row in rows]

    def _write(self, flags: int, keywords: int) -> bytes:
        written = self._written.get((flags, keywords))
        if written is None:
            names = tuple(name for bit, name in enumerate(self._names) if keywords >> bit & 1)
            written = self._written[flags, keywords] = flag_names(flags, names)
        return written
