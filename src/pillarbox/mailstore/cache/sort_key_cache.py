"""Sort keys of messages: from the cache, or from their headers and then into the cache.

DESCRIPTION
    One SELECT of only those columns that a command compares.  What is missing is found in the headers that the
    cache has already, or in the files.  Blocks; called in worker threads.

STANDARDS
    RFC 5256 §3
"""

from collections.abc import Iterable, Sequence
from typing import Final

import apsw
import msgspec

from pillarbox.mailstore.cache.account_database import run
from pillarbox.mailstore.cache.message_cache import Cache, Row
from pillarbox.mailstore.cache.message_summaries import alive, read_summaries
from pillarbox.mailstore.mailbox import Fields, SortColumn, SortValue
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.message.sort_keys import sort_keys

STORED_COLUMNS: Final = (
    SortColumn.SENT, SortColumn.SUBJECT, SortColumn.IS_REPLY, SortColumn.SENDER, SortColumn.RECIPIENT,
    SortColumn.COPIED, SortColumn.DISPLAY_SENDER, SortColumn.DISPLAY_RECIPIENT, SortColumn.MESSAGE_ID,
    SortColumn.REFERENCES,
)  # fmt: skip
"""In the order of `SortKeys` and of the table."""
BATCH: Final = 500
"""Messages whose keys are found at once."""
_FROM_SUMMARY: Final = frozenset((SortColumn.ARRIVAL, SortColumn.SIZE))
_INSERT: Final = "INSERT OR REPLACE INTO sorting VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def read_sort_columns(
    folder: FolderFiles, cache: Cache, number: int, uids: Sequence[int], columns: Sequence[SortColumn]
) -> list[tuple[SortValue, ...]]:
    """(UID, then the columns) of each message, in the order of `uids`; gone ones are left out.

    Of those that cannot be read nothing is known: they sort as messages without a header.
    """
    failed = folder.failed_reads.count
    found = _cached(cache, number, uids, columns)
    missing = [uid for uid in uids if uid not in found]
    for start in range(0, len(missing), BATCH):
        part = missing[start : start + BATCH]
        rows: list[tuple[int | bytes | str, ...]] = []
        for summary in read_summaries(folder, cache, number, part, fields=Fields.HEADER):
            keys = msgspec.structs.astuple(sort_keys(summary.header, summary.internal_date))
            rows.append(((number << 32) + summary.uid, *keys))
            values: dict[SortColumn, SortValue] = dict(zip(STORED_COLUMNS, keys, strict=True))
            values |= {SortColumn.ARRIVAL: summary.internal_date, SortColumn.SIZE: summary.size}
            found[summary.uid] = (summary.uid, *(values[column] for column in columns))
        if number:
            _keep(cache, rows)
    if folder.failed_reads.count != failed:
        values = dict(zip(STORED_COLUMNS, msgspec.structs.astuple(sort_keys(b"", 0)), strict=True))
        values |= dict.fromkeys(_FROM_SUMMARY, 0)
        nothing = tuple(values[column] for column in columns)
        found |= {uid: (uid, *nothing) for uid in alive(folder, uids) if uid not in found}
    return [found[uid] for uid in uids if uid in found]


def keep_sort_keys(cache: Cache, number: int, summaries: Sequence[Row]) -> None:
    """Find the keys of messages that have just been read."""
    if number and summaries:
        base = number << 32
        _keep(
            cache,
            [
                (base + row.uid, *msgspec.structs.astuple(sort_keys(row.header, row.date)))
                for row in summaries
            ],
        )


def _cached(
    cache: Cache, number: int, uids: Sequence[int], columns: Sequence[SortColumn]
) -> dict[int, tuple[SortValue, ...]]:
    if number == 0 or not uids:
        return {}
    names = "".join(f", {column.value}" for column in columns)
    tables = [
        name
        for name, needed in (
            ("summary", any(column in _FROM_SUMMARY for column in columns)),
            ("sorting", any(column not in _FROM_SUMMARY for column in columns)),
        )
        if needed
    ]
    source = " JOIN ".join(tables) + (" USING (key)" if len(tables) > 1 else "")
    query = f"SELECT key & 4294967295{names} FROM {source} WHERE key BETWEEN ? AND ?"  # noqa: S608 - our own names
    span = ((number << 32) + uids[0], (number << 32) + uids[-1])

    def find(connection: apsw.Connection) -> dict[int, tuple[SortValue, ...]]:
        rows: Iterable[tuple[int, ...]] = connection.execute(query, span)
        return {row[0]: row for row in rows}

    return cache.attempt(find, {})


def _keep(cache: Cache, rows: Sequence[tuple[int | bytes | str, ...]]) -> None:
    def write(connection: apsw.Connection) -> None:
        with connection:
            run(connection, _INSERT, rows)

    cache.attempt(write, None)
