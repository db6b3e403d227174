"""What an indexer does: read messages, say what FETCH wants of them, and fill the cache when it has time.

DESCRIPTION
    A worker that meets many messages that nobody has looked at yet hands them to other processes of the same
    rights (daemons/indexer.py), because parsing holds the interpreter.  `IndexMessages` goes there, `Indexed`
    comes back; who asks for no fields wants the cache filled, and nothing else.  `IndexTexts` wants the index of
    texts filled (mailstore/cache/text_index.py).

    Answers come first.  Who asks for headers is told them without a message being parsed; and what is to be put
    into the cache waits until there is nothing to answer, packed from `MAX_LOOSE` octets on, up to `MAX_WAITING`:
    what has no room is read again when the worker has the cache filled.

    Measured: packing the rows of a message takes 0.9 µs and unpacking 1.5, and leaves a seventh of the benchmark's;
    finding them again takes 30.

FAULTS
    A message that is gone or cannot be read is left out; the worker looks for it again, and says what is wrong.
"""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

import lz4.block
import msgspec

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.cache.message_cache import Cache, Row
from pillarbox.mailstore.cache.message_summaries import header_of, row_of
from pillarbox.mailstore.cache.sort_key_cache import keep_sort_keys
from pillarbox.mailstore.cache.text_index import IndexedText, TextIndex
from pillarbox.mailstore.content.large_content import LargeContent, crlf_in_memory
from pillarbox.mailstore.content.message_files import Times, message_at
from pillarbox.mailstore.mailbox import Fields, MessageSummary, StoreUnavailable
from pillarbox.mailstore.maildir.message_directories import base_at
from pillarbox.message.line_ends import crlf_size
from pillarbox.message.word_index import ANY_WORDS, words_of_message
from pillarbox.vocabulary.identifiers import Uid

MAX_WAITING: Final = 32 * 1024 * 1024
"""Octets of messages and rows that wait to be put into the cache."""

MAX_LOOSE: Final = 4 * 1024 * 1024
"""Octets that wait as they are: of a mailbox of 10,000 messages two indexers pack next to nothing."""

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


def fills(question: IndexMessages | IndexTexts) -> bool:
    """Whether the question is only to have something filled."""
    return isinstance(question, IndexTexts) or not question.fields


_Message = tuple[int, bytes, bytes | LargeContent, Times]
"""UID, base of its file's name, content with any line ends, times of its file."""
_UNPARSED: Final = (Fields.HEADER | Fields.DATE | Fields.SIZE | Fields.SAVED).value


class _Waiting(msgspec.Struct, frozen=True):
    """Of one question: rows for the cache, or what they are to be made of."""

    asked: IndexMessages
    rows: list[Row] | bytes  # packed
    contents: list[_Message]
    octets: int


_ROWS: Final = msgspec.msgpack.Decoder(list[Row])


class Indexing:
    """The work of one process.  Blocks."""

    def __init__(self, files: FileSystem) -> None:
        self._files = files
        self._caches: dict[bytes, Cache] = {}
        self._indexes: dict[bytes, TextIndex] = {}
        self._waiting: deque[_Waiting] = deque()
        self.octets = 0
        """Of what waits for the cache."""

    def answer(self, asked: IndexMessages | IndexTexts) -> Indexed:
        """Read the messages; what the cache gets waits for `keep`."""
        if isinstance(asked, IndexTexts):
            return self._index(asked)
        if fills(asked):
            return self._fill(asked)
        paths = dict(zip(asked.uids, asked.paths, strict=True))
        if not asked.fields & ~_UNPARSED:
            return self._headers(asked, paths)
        rows = self._read(asked, paths)
        octets = sum(len(row.envelope) + len(row.body_structure) + len(row.header) for row in rows)
        of_whom = msgspec.structs.replace(asked, uids=[], paths=[])
        if self.octets + octets > MAX_LOOSE:
            packed = lz4.block.compress(msgspec.msgpack.encode(rows))
            self._wait(_Waiting(of_whom, packed, [], len(packed)))
        else:
            self._wait(_Waiting(of_whom, rows, [], octets))
        return Indexed(asked.number, _summaries(rows, Fields(asked.fields)), len(rows))

    def _headers(self, asked: IndexMessages, paths: dict[int, bytes]) -> Indexed:
        """What is known without parsing.  Of huge messages nothing waits."""
        summaries = []
        contents: list[_Message] = []
        octets = 0
        with_size = bool(Fields(asked.fields) & Fields.SIZE)
        for uid, base, content, times in self._contents(asked.directory, paths):
            size = len(content)
            if isinstance(content, bytes):
                contents.append((uid, base, content, times))
                octets += size
                size = crlf_size(content) if with_size else 0
            date, saved = times.modified // 10**9, times.changed // 10**9
            summaries.append(MessageSummary(Uid(uid), date, size, b"", b"", b"", header_of(content), saved))
        self._wait(_Waiting(asked, [], contents, octets))
        return Indexed(asked.number, summaries, len(summaries))

    def _wait(self, waiting: "_Waiting") -> None:
        self._waiting.append(waiting)
        self.octets += waiting.octets
        while self.octets > MAX_WAITING:
            self.octets -= self._waiting.popleft().octets

    @property
    def waiting(self) -> bool:
        """Whether there is something for the cache."""
        return bool(self._waiting)

    def keep_some(self) -> None:
        """Put into the cache what was found for one question: some 20 ms."""
        waiting = self._waiting.popleft()
        self.octets -= waiting.octets
        rows, asked = waiting.rows, waiting.asked
        if isinstance(rows, bytes):
            rows = _ROWS.decode(lz4.block.decompress(rows))
        if waiting.contents:  # another question may have been for the same
            missing = set(self._cache(asked.root).missing(asked.mailbox, asked.uids))
            rows = [row_of(*message) for message in waiting.contents if message[0] in missing]
        self._keep(asked, rows)

    def keep(self) -> None:
        """Put into the cache all that waits."""
        while self._waiting:
            self.keep_some()

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
                texts.append(IndexedText(uid, ANY_WORDS, base_at(path_of[uid])))
        for uid, base, content, _ in self._contents(asked.directory, {uid: path_of[uid] for uid in small}):
            texts.append(IndexedText(uid, words_of_message(crlf_in_memory(content)), base))
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
        return [row_of(*message) for message in self._contents(asked.directory, paths)]

    def _contents(self, directory: bytes, paths: dict[int, bytes]) -> Iterator[_Message]:
        """Those that can be read."""
        for uid, path in paths.items():
            try:
                content, times = message_at(self._files, directory + b"/" + path)
                yield uid, base_at(path), content, times
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
