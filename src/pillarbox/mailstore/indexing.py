"""What an indexer does: read messages, say what FETCH wants of them, and fill the cache when it has time.

DESCRIPTION
    A worker that meets many messages that nobody has looked at yet hands them to other processes of the same
    rights (daemons/indexer.py), because parsing holds the interpreter.  `IndexMessages` goes there, `Indexed`
    comes back; who asks for no fields wants the cache filled, and nothing else.

    Answers come first: what is to be put into the cache waits until there is nothing to answer, up to
    `MAX_WAITING` octets.

FAULTS
    A message that is gone or cannot be read is left out; the worker looks for it again, and says what is wrong.
"""

import os
from collections.abc import Sequence
from typing import Final

import msgspec

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.cache import Cache, Row
from pillarbox.mailstore.file_content import plain_content
from pillarbox.mailstore.folder_files import read_file
from pillarbox.mailstore.mailbox import Fields, MessageSummary, StoreUnavailable
from pillarbox.mailstore.message_summaries import row_of
from pillarbox.mailstore.sort_key_cache import keep_sort_keys
from pillarbox.vocabulary.identifiers import Uid

MAX_WAITING: Final = 16 * 1024 * 1024
"""Octets of rows that wait to be put into the cache."""

MAX_CACHES: Final = 8
"""Accounts whose caches are open at once."""


class IndexMessages(msgspec.Struct, tag=True):
    """worker → indexer: these messages, UIDs and paths below `directory` side by side."""

    number: int
    root: bytes  # the cache's directory
    mailbox: int  # its number in the cache; 0: it has none
    directory: bytes
    uids: list[int]
    paths: list[bytes]
    fields: int  # of `Fields`; 0: only those that the cache does not have, into the cache


class Indexed(msgspec.Struct, tag=True):
    """indexer → worker: what was found, and how many messages had to be read."""

    number: int
    summaries: list[MessageSummary]
    count: int


class Indexing:
    """The work of one process.  Blocks."""

    def __init__(self, files: FileSystem) -> None:
        self._files = files
        self._caches: dict[bytes, Cache] = {}
        self._waiting: list[tuple[IndexMessages, list[Row]]] = []
        self._octets = 0

    def answer(self, asked: IndexMessages) -> Indexed:
        """Read the messages; what the cache gets waits for `keep`."""
        if not asked.fields:
            return self._fill(asked)
        rows = self._read(asked, dict(zip(asked.uids, asked.paths, strict=True)))
        self._waiting.append((asked, rows))
        self._octets += sum(len(row.envelope) + len(row.body_structure) + len(row.header) for row in rows)
        if self._octets > MAX_WAITING:
            self.keep()
        return Indexed(asked.number, _summaries(rows, Fields(asked.fields)), len(rows))

    def keep(self) -> None:
        """Put into the cache what waits."""
        waiting, self._waiting, self._octets = self._waiting, [], 0
        for asked, rows in waiting:
            self._keep(asked, rows)

    def close(self) -> None:
        """Keep what waits, and give back all files."""
        self.keep()
        for cache in self._caches.values():
            cache.close()
        self._caches.clear()

    def _fill(self, asked: IndexMessages) -> Indexed:
        self.keep()
        path_of = dict(zip(asked.uids, asked.paths, strict=True))
        missing = self._cache(asked.root).missing(asked.mailbox, asked.uids)
        rows = self._read(asked, {uid: path_of[uid] for uid in missing})
        self._keep(asked, rows)
        return Indexed(asked.number, [], len(rows))

    def _keep(self, asked: IndexMessages, rows: Sequence[Row]) -> None:
        cache = self._cache(asked.root)
        cache.add(asked.mailbox, rows, with_header=bool(Fields(asked.fields) & Fields.HEADER))
        keep_sort_keys(cache, asked.mailbox, rows)

    def _cache(self, root: bytes) -> Cache:
        if root not in self._caches:
            while len(self._caches) >= MAX_CACHES:
                self._caches.pop(next(iter(self._caches))).close()
            self._caches[root] = Cache(os.fsdecode(root))
        return self._caches[root]

    def _read(self, asked: IndexMessages, paths: dict[int, bytes]) -> list[Row]:
        rows = []
        for uid, path in paths.items():
            try:
                stored, times = read_file(self._files, asked.directory + b"/" + path)
                content = plain_content(stored)
            except (OSError, StoreUnavailable):
                continue
            rows.append(row_of(uid, content, times))
        return rows


def _summaries(rows: Sequence[Row], fields: Fields) -> list[MessageSummary]:
    """Only what is asked for: the rest would be copied in vain."""
    envelope, header = bool(fields & Fields.ENVELOPE), bool(fields & Fields.HEADER)
    body, structure = bool(fields & Fields.BODY), bool(fields & Fields.BODYSTRUCTURE)
    return [
        MessageSummary(
            Uid(row.uid),
            row.date,
            row.size,
            row.envelope if envelope else b"",
            row.body if body else b"",
            row.body_structure if structure else b"",
            row.header if header else b"",
            row.saved,
        )
        for row in rows
    ]
