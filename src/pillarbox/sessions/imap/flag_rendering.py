"""FLAGS of many messages, with as little work for each as can be.

DESCRIPTION
    What a row has is a byte of system flags and 64 keyword bits; a mailbox has few different pairs of
    them.  `FlagRenderer` writes each pair once; \\Recent comes from the view.
"""

from bisect import bisect_left

from pillarbox.mailstore.view import MailboxView
from pillarbox.vocabulary.flags import Flag
from pillarbox.wire.imap.responses import flag_names

_RECENT = int(Flag.RECENT)


class FlagRenderer:
    """Rendered flags of one view's messages, for the length of a command."""

    __slots__ = ("_names", "_recent", "_table", "_written")

    def __init__(self, view: MailboxView) -> None:
        self._table = view.mailbox.messages
        self._names = view.mailbox.keywords
        self._recent = view.recent_ranges
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
        if self._recent and self._recent[-1][1] > table.uids[start]:
            return [self.of_row(row) for row in range(start, end)]
        written = self._written
        pairs = list(zip(table.flags[start:end], table.keywords[start:end], strict=True))
        for flags, keywords in set(pairs):
            self._write(flags, keywords)
        return [written[pair] for pair in pairs]

    def of_uid(self, uid: int) -> bytes | None:
        """The same for a UID; None if the message is gone."""
        uids = self._table.uids
        row = bisect_left(uids, uid)
        return self.of_row(row) if row < len(uids) and uids[row] == uid else None

    def _write(self, flags: int, keywords: int) -> bytes:
        written = self._written.get((flags, keywords))
        if written is None:
            names = tuple(name for bit, name in enumerate(self._names) if keywords >> bit & 1)
            written = self._written[flags, keywords] = flag_names(flags, names)
        return written
