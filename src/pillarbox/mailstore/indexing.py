"""What an indexer does: read messages, say what FETCH wants of them, and fill the cache when it has time.

DESCRIPTION
    A worker that meets many messages that nobody has looked at yet hands them to other processes of the same
    rights (daemons/indexer.py), because parsing holds the interpreter.  `IndexMessages` goes there, `Indexed`
    comes back; who asks for no fields wants the cache filled, and nothing else.  `IndexTexts` wants the index of
    texts filled (mailstore/text_index.py).

    Answers come first: what is to be put into the cache waits until there is nothing to answer, up to
    `MAX_WAITING` octets.

FAULTS
    A message that is gone or cannot be read is left out; the worker looks for it again, and says what is wrong.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.cache import Cache, Row
from pillarbox.mailstore.large_content import LargeContent, crlf_in_memory
from pillarbox.mailstore.mailbox import Fields, MessageSummary, StoreUnavailable
from pillarbox.mailstore.message_files import Times, message_at
from pillarbox.mailstore.message_summaries import row_of
from pillarbox.mailstore.sort_key_cache import keep_sort_keys
from pillarbox.mailstore.text_index import IndexedText, TextIndex
from pillarbox.message.word_index import ANY_WORDS, words_of_message
from pillarbox.vocabulary.identifiers import Uid

MAX_WAITING: Final = 16 * 1024 * 1024
"""Octets of rows that wait to be put into the cache."""

MAX_INDEXED: Final = 16 * 1024 * 1024
"""Octets of a file whose text is indexed; a larger one is read by each search."""

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


class IndexTexts(msgspec.Struct, tag=True):
    """worker → indexer: put the texts of these messages into the index, unless they are there."""

    number: int
    root: bytes  # the index's directory
    mailbox: int  # its number in the index
    directory: bytes
    uids: list[int]
    paths: list[bytes]


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
        self._indexes: dict[bytes, TextIndex] = {}
        self._waiting: list[tuple[IndexMessages, list[Row]]] = []
        self._octets = 0

    def answer(self, asked: IndexMessages | IndexTexts) -> Indexed:
        """Read the messages; what the cache gets waits for `keep`."""
        if isinstance(asked, IndexTexts):
            return self._index(asked)
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
        for index in self._indexes.values():
            index.close()
        self._indexes.clear()

    def _fill(self, asked: IndexMessages) -> Indexed:
        self.keep()
        path_of = dict(zip(asked.uids, asked.paths, strict=True))
        missing = self._cache(asked.root).missing(asked.mailbox, asked.uids)
        rows = self._read(asked, {uid: path_of[uid] for uid in missing})
        self._keep(asked, rows)
        return Indexed(asked.number, [], len(rows))

    def _index(self, asked: IndexTexts) -> Indexed:
        self.keep()
        if asked.root not in self._indexes:
            while len(self._indexes) >= MAX_CACHES:
                self._indexes.pop(next(iter(self._indexes))).close()
            self._indexes[asked.root] = TextIndex(os.fsdecode(asked.root))
        index = self._indexes[asked.root]
        path_of = dict(zip(asked.uids, asked.paths, strict=True))
        missing = index.missing(asked.mailbox, asked.uids)
        small, texts = [], []
        for uid in missing:
            try:
                size = self._files.stat(asked.directory + b"/" + path_of[uid]).st_size
            except OSError:
                continue
            if size <= MAX_INDEXED:
                small.append(uid)
            else:
                texts.append(IndexedText(uid, ANY_WORDS))
        for uid, content, _ in self._contents(asked.directory, {uid: path_of[uid] for uid in small}):
            texts.append(IndexedText(uid, words_of_message(crlf_in_memory(content))))
        index.add(asked.mailbox, texts)
        return Indexed(asked.number, [], len(texts))

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
        return [row_of(uid, content, times) for uid, content, times in self._contents(asked.directory, paths)]

    def _contents(
        self, directory: bytes, paths: dict[int, bytes]
    ) -> Iterator[tuple[int, bytes | LargeContent, Times]]:
        """UID, content with any line ends, and times of those that can be read."""
        for uid, path in paths.items():
            try:
                content, times = message_at(self._files, directory + b"/" + path)
                yield uid, content, times
            except (OSError, StoreUnavailable):
                continue


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
