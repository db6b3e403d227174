"""The index of an account's texts: which messages need not be read for a SEARCH.

DESCRIPTION
    `pillarbox.search.sqlite` beside the cache.  A row of `segment` stands for up to 255 messages of a mailbox
    (message/word_index.py): their UIDs, and which of them may hold any text because they were too long;
    `words` and `postings` have its words, those of the headers under twice its number, those of the bodies under
    one more.  Few messages that come together are a small segment; when there are `MOST_SMALL` of them they are
    made one.

    The file may be lost like the cache (mailstore/cache/account_database.py): what is not in it is read.  It grows
    to `MAX_OCTETS`.  Expunged messages go from a segment when they are an eighth of it, or all of them.

    A mailbox has the number that it has in the cache: what that has lost is indexed anew.  Which file the last of
    its messages is tells an index that was not restored from a backup, where the mailbox and the cache were.
    Two processes may index the same messages; the second has its rows thrown away.
"""

import sys
import zlib
from array import array
from collections.abc import Callable, Collection, Iterable, Sequence
from operator import attrgetter
from typing import Final, TypeVar

import apsw
import msgspec

from pillarbox.mailstore.cache.account_database import AccountDatabase, DamagedRow
from pillarbox.mailstore.cache.message_cache import file_check
from pillarbox.mailstore.mailbox import TextPlace
from pillarbox.message.word_index import (
    MAX_DOCUMENTS,
    Segment,
    Words,
    documents_of,
    holding,
    may_hold_any,
    segment_of,
)

FILE_NAME: Final = "pillarbox.search.sqlite"
VERSION: Final = 5 if sys.byteorder == "little" else 1 << 16 | 5
"""Of the tables, of what a word is, and of what SEARCH looks for in a message."""
MAX_OCTETS: Final = 1 << 30
"""Of the file: two million messages."""
MOST_SMALL: Final = 8
"""Segments of less than half the messages, with which they are made one."""
_SMALL: Final = MAX_DOCUMENTS // 2
_DEAD: Final = 8

_SCHEMA: Final = """
CREATE TABLE mailbox (number INTEGER PRIMARY KEY, guid BLOB NOT NULL, last_uid INTEGER NOT NULL DEFAULT 0,
    last_file INTEGER NOT NULL DEFAULT 0);
CREATE TABLE segment (number INTEGER PRIMARY KEY, mailbox INTEGER NOT NULL, first INTEGER NOT NULL,
    last INTEGER NOT NULL, count INTEGER NOT NULL, uids BLOB NOT NULL, partial BLOB NOT NULL,
    checksum INTEGER NOT NULL);
CREATE INDEX segment_place ON segment (mailbox, first, last);
CREATE INDEX segment_count ON segment (mailbox, count);
CREATE TABLE words (key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE postings (key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, data BLOB NOT NULL);
"""


_T = TypeVar("_T")


class IndexedText(msgspec.Struct, frozen=True, array_like=True):
    """A message and its words."""

    uid: int
    words: Words
    base: bytes = b""  # of its file's name; empty of one that has been indexed


class _Stored(msgspec.Struct, frozen=True):
    """A row of `segment`."""

    number: int
    uids: "array[int]"
    partial: bytes


class TextIndex(AccountDatabase):
    """The index of one account.  Methods block."""

    def __init__(self, directory: str, *, makes_directory: bool = False) -> None:
        """`makes_directory`: if it is missing, as one of its own may be."""
        super().__init__(
            directory, FILE_NAME, schema=_SCHEMA, version=VERSION, makes_directory=makes_directory
        )

    def attempt(self, use: Callable[[apsw.Connection], _T], default: _T) -> _T:
        """Rows that make no sense are those of a damaged database."""

        def checked(connection: apsw.Connection) -> _T:
            try:
                return use(connection)
            except (ValueError, IndexError) as error:
                raise DamagedRow from error

        return super().attempt(checked, default)

    def newest_file(self, number: int) -> tuple[int, int] | None:
        """UID and `file_check` of the mailbox's last message, (0, 0) if none is indexed; None: it has no index."""

        def find(connection: apsw.Connection) -> tuple[int, int] | None:
            query = "SELECT last_uid, last_file FROM mailbox WHERE number = ?"
            for last_uid, last_file in connection.execute(query, (number,)):
                return last_uid, last_file
            return None

        return self.attempt(find, None) if self.exists() else None

    def begin(self, number: int, guid: bytes, others: Collection[int]) -> int:
        """Index the mailbox anew: its number, or 0 if the index does not work.

        `others` are the numbers that mailboxes with that GUID have in the cache; what has none is indexed in vain.
        """

        def write(connection: apsw.Connection) -> int:
            with connection:
                _forget(connection, guid, {*others} - {number})
                connection.execute("INSERT INTO mailbox (number, guid) VALUES (?, ?)", (number, guid))
            return number

        return self.attempt(write, 0)

    def missing(self, number: int, uids: Sequence[int]) -> list[int]:
        """Those of `uids` (rising) that are to be indexed; none for an index that does not work, or is full."""
        if not number or not uids:
            return []

        def find(connection: apsw.Connection) -> list[int]:
            if _octets(connection) >= MAX_OCTETS:
                return []
            known = {uid for segment in _segments(connection, number, uids) for uid in segment.uids}
            return [uid for uid in uids if uid not in known]

        return self.attempt(find, [])

    def add(self, number: int, texts: Sequence[IndexedText]) -> None:
        """Index messages, in one transaction."""
        if not number or not texts:
            return
        texts = sorted(texts, key=attrgetter("uid"))

        def write(connection: apsw.Connection) -> None:
            with connection:
                # A statement that writes comes first: see `Cache.add`.
                newest = (file_check(texts[-1].base), texts[-1].uid, number)
                connection.execute(_NOTE_NEWEST, newest)
                if connection.changes() != 1 or _octets(connection) >= MAX_OCTETS:
                    return
                there = _segments(connection, number, [text.uid for text in texts])
                known = {uid for segment in there for uid in segment.uids}
                new = [text for text in texts if text.uid not in known]
                small = _small_segments(connection, number)
                if len(small) >= MOST_SMALL:
                    new += [text for segment in small for text in _unpacked(connection, segment)]
                    new.sort(key=attrgetter("uid"))
                    _remove(connection, small)
                for start in range(0, len(new), MAX_DOCUMENTS):
                    _insert(connection, number, new[start : start + MAX_DOCUMENTS])

        self.attempt(write, None)

    def candidates(
        self, number: int, uids: Sequence[int], patterns: Sequence[bytes], places: Collection[TextPlace]
    ) -> tuple[list[int], int]:
        """Those of `uids` (rising) that may have the patterns in one of the places, and how many are not indexed.

        Those that are not indexed are among them.
        """
        if not number or not patterns:
            return list(uids), len(uids)

        def find(connection: apsw.Connection) -> tuple[list[int], int]:
            known: set[int] = set()
            found: set[int] = set()
            with connection:  # one state of the database
                for segment in _segments(connection, number, uids):
                    known.update(segment.uids)
                    found.update(segment.uids[at] for at in segment.partial)
                    for place in places:
                        found.update(
                            segment.uids[at]
                            for at in _holding(connection, segment.number * 2 + place, patterns)
                        )
            rest = [uid for uid in uids if uid in found or uid not in known]
            return rest, sum(uid not in known for uid in rest)

        return self.attempt(find, (list(uids), len(uids)))

    def prune(self, number: int, alive: Callable[[int], bool]) -> None:
        """Take expunged messages out where they are many."""
        if not number:
            return

        def write(connection: apsw.Connection) -> None:
            for segment in _segments(connection, number):
                kept = [uid for uid in segment.uids if alive(uid)]
                if kept and (len(segment.uids) - len(kept)) * _DEAD < len(segment.uids):
                    continue
                with connection:
                    connection.execute("UPDATE mailbox SET number = number WHERE number = ?", (number,))
                    texts = [text for text in _unpacked(connection, segment) if alive(text.uid)]
                    _remove(connection, [segment])
                    if texts:
                        _insert(connection, number, texts)

        self.attempt(write, None)

    def forget(self, guid: bytes, others: Collection[int]) -> None:
        """A mailbox was deleted; `others` that have its GUID were not."""
        if not self.exists():
            return

        def write(connection: apsw.Connection) -> None:
            with connection:
                _forget(connection, guid, others)

        self.attempt(write, None)


def _segments(
    connection: apsw.Connection, mailbox: int, uids: Sequence[int] = (0, 0xFFFFFFFF)
) -> list[_Stored]:
    """Those that could have some of the UIDs (rising)."""
    query = _SELECT + "mailbox = ? AND first <= ? AND last >= ?"
    return _stored(mailbox, connection.execute(query, (mailbox, uids[-1], uids[0])) if uids else ())


def _small_segments(connection: apsw.Connection, mailbox: int) -> list[_Stored]:
    query = _SELECT + "mailbox = ? AND count <= ?"
    return _stored(mailbox, connection.execute(query, (mailbox, _SMALL)))


_NOTE_NEWEST: Final = (
    "UPDATE mailbox SET last_file = CASE WHEN ?2 > last_uid THEN ?1 ELSE last_file END,"
    " last_uid = max(last_uid, ?2) WHERE number = ?3"
)
_SELECT: Final = "SELECT number, uids, partial, checksum FROM segment WHERE "


def _stored(mailbox: int, rows: Iterable[tuple[int, bytes, bytes, int]]) -> list[_Stored]:
    return [
        _Stored(number, array("I", _whole(number, checksum, uids, _rest(mailbox, partial))), partial)
        for number, uids, partial, checksum in rows
    ]


def _blob(connection: apsw.Connection, table: str, key: int) -> bytes:
    query = f"SELECT checksum, data FROM {table} WHERE key = ?"  # noqa: S608 - our own names
    for checksum, data in connection.execute(query, (key,)):
        return _whole(key, checksum, data)
    raise ValueError(f"no {table} of segment {key}")


def _whole(key: int, checksum: int, data: bytes, more: bytes = b"") -> bytes:
    """The data of a row, if it is what was put there: one octet more or less would hide messages from searches."""
    if checksum != _checksum(key, data, more):
        raise ValueError(f"damaged row {key}")
    return data


def _rest(mailbox: int, partial: bytes) -> bytes:
    return mailbox.to_bytes(4, "big") + partial


def _checksum(key: int, data: bytes, more: bytes = b"") -> int:
    return zlib.crc32(more, zlib.crc32(data, key & 0xFFFFFFFF))


def _holding(connection: apsw.Connection, key: int, patterns: Sequence[bytes]) -> Collection[int]:
    words = _blob(connection, "words", key)
    if not may_hold_any(words, patterns):
        return ()
    return holding(Segment(words, _blob(connection, "postings", key)), patterns)


def _unpacked(connection: apsw.Connection, segment: _Stored) -> list[IndexedText]:
    """The messages of a segment, as they were indexed."""
    parts = []
    for place in (TextPlace.HEADER, TextPlace.BODY):
        key = segment.number * 2 + place
        both = Segment(_blob(connection, "words", key), _blob(connection, "postings", key))
        parts.append(documents_of(both, len(segment.uids)))
    return [
        IndexedText(uid, Words(frozenset(header), frozenset(body), at in segment.partial))
        for at, (uid, header, body) in enumerate(zip(segment.uids, *parts, strict=True))
    ]


def _insert(connection: apsw.Connection, number: int, texts: Sequence[IndexedText]) -> None:
    uids = array("I", [text.uid for text in texts]).tobytes()
    partial = bytes(at for at, text in enumerate(texts) if text.words.is_partial)
    [(highest,)] = connection.execute("SELECT coalesce(max(number), 0) FROM segment")
    segment_number = highest + 1
    checksum = _checksum(segment_number, uids, _rest(number, partial))
    row = (segment_number, number, texts[0].uid, texts[-1].uid, len(texts), uids, partial, checksum)
    connection.execute("INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    header = segment_of([text.words.header for text in texts])
    body = segment_of([text.words.body for text in texts])
    for place, segment in ((TextPlace.HEADER, header), (TextPlace.BODY, body)):
        key = segment_number * 2 + place
        for table, data in (("words", segment.words), ("postings", segment.postings)):
            query = f"INSERT INTO {table} VALUES (?, ?, ?)"  # noqa: S608 - our own names
            connection.execute(query, (key, _checksum(key, data), data))


def _remove(connection: apsw.Connection, segments: Iterable[_Stored]) -> None:
    for segment in segments:
        connection.execute("DELETE FROM segment WHERE number = ?", (segment.number,))
        for table in ("words", "postings"):
            query = f"DELETE FROM {table} WHERE key BETWEEN ? AND ?"  # noqa: S608 - our own names
            connection.execute(query, (segment.number * 2, segment.number * 2 + 1))


def _forget(connection: apsw.Connection, guid: bytes, others: Collection[int]) -> None:
    for (number,) in list(connection.execute("SELECT number FROM mailbox WHERE guid = ?", (guid,))):
        if number in others:
            continue
        _remove(connection, _segments(connection, number))
        connection.execute("DELETE FROM mailbox WHERE number = ?", (number,))


def _octets(connection: apsw.Connection) -> int:
    """Of the database, without what is free in it."""
    pages = connection.pragma("page_count") - connection.pragma("freelist_count")
    return int(pages * connection.pragma("page_size"))
