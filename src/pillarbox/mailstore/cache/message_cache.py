"""What has been found out about messages, kept in SQLite: never the only copy of anything.

DESCRIPTION
    One database per account, `pillarbox.cache.sqlite` in the Maildir's root, a name that Dovecot passes over.
    Tables: `mailbox` (GUID, UIDVALIDITY and the place of the directory → number, first recent UID, highest
    mod-sequence; whose a row is, is decided in mailstore/cache/cached_mailboxes.py), `summary` (which file it is
    of, dates, size and the rendered ENVELOPE, BODY, BODYSTRUCTURE), `header`, `preview` (its first words),
    `sorting` (what SORT and THREAD compare, mailstore/cache/sort_key_cache.py) and `modseq` (only of mailboxes
    whose clients use CONDSTORE: mod-sequence, and the flags that it belongs to), `vanished` (of the same mailboxes:
    UIDs that were expunged, and when; complete from the mailbox's `vanished_floor` on).  The key of a message is
    mailbox number × 2³² + UID, so that FETCH 1:* is one scan.

    What is lost with the file (mailstore/cache/account_database.py) is \\Recent and the history of mod-sequences.

    Measured: 10,000 rows of four columns into MessageSummary: 22 ms.
"""

import json
import secrets
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import apsw
import msgspec

from pillarbox.mailstore.cache.account_database import AccountDatabase, run
from pillarbox.mailstore.mailbox import Fields, MessageSummary
from pillarbox.message.message_summary import RENDERING
from pillarbox.vocabulary.identifiers import Uid

FILE_NAME: Final = "pillarbox.cache.sqlite"
VERSION: Final = RENDERING
"""Another version's cache is thrown away; other tables are another version, too."""
MAX_RANGE_WASTE: Final = 4
"""Rows between the first and the last UID asked for, per row asked for, up to which one scan reads all."""
MAX_UNASKED_HEADER: Final = 8192
"""Octets of a header that is kept although nobody has asked for it yet."""

_SCHEMA: Final = """
CREATE TABLE mailbox (number INTEGER PRIMARY KEY, guid BLOB NOT NULL, uid_validity INTEGER NOT NULL,
    place BLOB NOT NULL, first_recent INTEGER NOT NULL, highest_modseq INTEGER NOT NULL DEFAULT 0,
    vanished_floor INTEGER NOT NULL DEFAULT 0, UNIQUE (guid, uid_validity, place));
CREATE TABLE summary (key INTEGER PRIMARY KEY, file INTEGER NOT NULL, date INTEGER NOT NULL, size INTEGER NOT NULL,
    saved INTEGER NOT NULL, envelope BLOB NOT NULL, body BLOB NOT NULL, body_structure BLOB NOT NULL);
CREATE TABLE header (key INTEGER PRIMARY KEY, header BLOB NOT NULL);
CREATE TABLE preview (key INTEGER PRIMARY KEY, text BLOB NOT NULL);
CREATE TABLE sorting (key INTEGER PRIMARY KEY, sent INTEGER NOT NULL, subject TEXT NOT NULL,
    is_reply INTEGER NOT NULL, sender TEXT NOT NULL, recipient TEXT NOT NULL, copied TEXT NOT NULL,
    display_sender TEXT NOT NULL, display_recipient TEXT NOT NULL, message_id BLOB NOT NULL,
    refs BLOB NOT NULL);
CREATE TABLE modseq (key INTEGER PRIMARY KEY, modseq INTEGER NOT NULL, flags INTEGER NOT NULL,
    keywords INTEGER NOT NULL);
CREATE TABLE vanished (key INTEGER PRIMARY KEY, modseq INTEGER NOT NULL);
"""
_COLUMNS: Final = (
    (Fields.ENVELOPE, "envelope"),
    (Fields.BODY, "body"),
    (Fields.BODYSTRUCTURE, "body_structure"),
)

_COPIED: Final = (
    ("header", "header"),
    ("preview", "text"),
    (
        "sorting",
        "sent, subject, is_reply, sender, recipient, copied, display_sender, display_recipient, message_id, refs",
    ),
)
"""Tables that say the same of a copy, besides `summary`."""
_COPIES: Final = (
    "(SELECT value ->> 0 AS copy, value ->> 1 AS original, value ->> 2 AS file FROM json_each(?))"
)
_OF_MESSAGES: Final = ("summary", "header", "preview", "sorting", "modseq")
_MAILBOXES: Final = "SELECT number, place, first_recent, highest_modseq FROM mailbox WHERE "
_NUMBERS: Final = "SELECT number FROM mailbox WHERE "
_NEWEST: Final = 16
"""Messages of which it is asked at once which files they are."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """All that is kept of a message."""

    uid: int
    base: bytes  # of its file's name
    date: int
    size: int
    saved: int
    envelope: bytes
    body: bytes
    body_structure: bytes
    header: bytes


class CachedMailbox(msgspec.Struct, frozen=True, array_like=True):
    """What is known of a mailbox."""

    number: int
    """0: the cache does not work."""
    place: bytes
    """Of its directory, as whoever asks names it."""
    first_recent: int
    """Messages from this UID on have been seen by no session."""
    highest_modseq: int
    """0: nobody has used any."""


def file_check(base: bytes) -> int:
    """By which a row is told to be of the message whose file has this base."""
    return zlib.crc32(base)


class Cache(AccountDatabase):
    """The cache of one account."""

    def __init__(self, directory: str, *, makes_directory: bool = False) -> None:
        """`makes_directory`: if it is missing, as one of its own may be."""
        super().__init__(
            directory, FILE_NAME, schema=_SCHEMA, version=VERSION, makes_directory=makes_directory
        )

    def mailboxes(self, guid: bytes, uid_validity: int) -> list[CachedMailbox]:
        """Those that have this identity: several, where somebody has copied a mailbox's directory."""

        def find(connection: apsw.Connection) -> list[CachedMailbox]:
            query = _MAILBOXES + "guid = ? AND uid_validity = ?"
            return [CachedMailbox(*row) for row in connection.execute(query, (guid, uid_validity))]

        return self.attempt(find, [])

    def begin(self, guid: bytes, uid_validity: int, place: bytes, *, first_unseen: int) -> CachedMailbox:
        """What is known of the mailbox at that place; if it is not known, it is from now on.

        Then messages from `first_unseen` on are recent: those above all that a session has taken out of new/, as
        for Dovecot without its index.
        """

        def find(connection: apsw.Connection) -> CachedMailbox:
            # By chance: who still has a number of a cache that was lost meanwhile meets no other mailbox.
            number = secrets.randbelow((1 << 31) - 1) + 1
            query = (
                "INSERT INTO mailbox (guid, uid_validity, place, first_recent, number) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (guid, uid_validity, place) DO NOTHING"
            )
            connection.execute(query, (guid, uid_validity, place, first_unseen, number))
            query = _MAILBOXES + "guid = ? AND uid_validity = ? AND place = ?"
            [row] = connection.execute(query, (guid, uid_validity, place))
            return CachedMailbox(*row)

        return self.attempt(find, CachedMailbox(0, place, first_unseen, 0))

    def set_place(self, number: int, place: bytes) -> None:
        """A mailbox's directory was renamed."""
        query = "UPDATE OR IGNORE mailbox SET place = ? WHERE number = ?"
        self.attempt(lambda connection: run(connection, query, [(place, number)]), None)

    def rename(self, before: bytes, after: bytes) -> None:
        """The directory at a place was renamed."""

        def write(connection: apsw.Connection) -> None:
            with connection:
                same = "place = ? AND guid IN (SELECT guid FROM mailbox WHERE place = ?)"
                _forget(connection, same, (after, before))  # who was there was moved away by somebody else
                connection.execute("UPDATE mailbox SET place = ? WHERE place = ?", (after, before))

        self.attempt(write, None)

    def highest_uid(self, number: int) -> int:
        """Of all messages of a mailbox of which something is known, be they gone; 0 if there are none."""
        span = (number << 32, (number << 32) + 0xFFFFFFFF)

        def find(connection: apsw.Connection) -> int:
            highest = span[0]
            for table in ("summary", "modseq", "vanished"):
                query = f"SELECT max(key) FROM {table} WHERE key BETWEEN ? AND ?"  # noqa: S608 - our own names
                [(key,)] = connection.execute(query, span)
                highest = max(highest, key or 0)
            return highest - span[0]

        return self.attempt(find, 0)

    def newest_files(self, number: int, below: int) -> list[tuple[int, int]]:
        """UID and `file_check` of the last messages with UIDs under `below` that have rows, falling."""
        query = (
            "SELECT key & 4294967295, file FROM summary WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT ?"
        )
        base = number << 32

        def find(connection: apsw.Connection) -> list[tuple[int, int]]:
            return [(uid, file) for uid, file in connection.execute(query, (base, base + below, _NEWEST))]

        return self.attempt(find, [])

    def set_first_recent(self, number: int, uid: int) -> None:
        """Messages from `uid` on have been seen by no session."""
        self.attempt(
            lambda connection: run(
                connection, "UPDATE mailbox SET first_recent = ? WHERE number = ?", [(uid, number)]
            ),
            None,
        )

    def summaries(self, number: int, uids: Sequence[int], fields: Fields) -> dict[int, MessageSummary]:
        """Those that are there, by UID."""
        if number == 0 or not uids:
            return {}
        columns = [column if fields & field else "x''" for field, column in _COLUMNS]
        columns.append("header" if fields & Fields.HEADER else "x''")
        columns.append("saved")
        columns.append("text" if fields & Fields.PREVIEW else "x''")
        join = " JOIN header USING (key)" if fields & Fields.HEADER else ""
        join += " JOIN preview USING (key)" if fields & Fields.PREVIEW else ""
        select = f"SELECT key & 4294967295, date, size, {', '.join(columns)} FROM summary{join} WHERE key "  # noqa: S608
        base = number << 32

        def find(connection: apsw.Connection) -> dict[int, MessageSummary]:
            first, last = min(uids), max(uids)
            found: Iterable[tuple[Uid, int, int, bytes, bytes, bytes, bytes, int, bytes]]
            if last - first < MAX_RANGE_WASTE * len(uids):
                found = connection.execute(select + "BETWEEN ? AND ?", (base + first, base + last))
            else:
                keys = ",".join([str(base + uid) for uid in uids])
                found = connection.execute(f"{select}IN ({keys})")
            return {row[0]: MessageSummary(*row) for row in found}

        return self.attempt(find, {})

    def missing(self, number: int, uids: Sequence[int]) -> list[int]:
        """Those of `uids` (rising) that have no row; none for a cache that does not work."""
        if number == 0 or not uids:
            return []
        base = number << 32

        def find(connection: apsw.Connection) -> list[int]:
            query = "SELECT key & 4294967295 FROM summary WHERE key BETWEEN ? AND ?"
            found = {uid for (uid,) in connection.execute(query, (base + uids[0], base + uids[-1]))}
            return [uid for uid in uids if uid not in found]

        return self.attempt(find, [])

    def add(self, number: int, rows: Sequence[Row], *, with_header: bool) -> None:
        """Keep rows, in one transaction; large headers only `with_header`, where a client wants them."""
        if number == 0 or not rows:
            return
        base = number << 32
        summaries = [
            (
                base + row.uid,
                file_check(row.base),
                row.date,
                row.size,
                row.saved,
                row.envelope,
                row.body,
                row.body_structure,
            )
            for row in rows
        ]
        headers = [
            (base + row.uid, row.header)
            for row in rows
            if with_header or len(row.header) <= MAX_UNASKED_HEADER
        ]

        def write(connection: apsw.Connection) -> None:
            with connection:
                if not _has_mailbox(connection, number):
                    return
                run(connection, "INSERT OR REPLACE INTO summary VALUES (?, ?, ?, ?, ?, ?, ?, ?)", summaries)
                if headers:
                    run(connection, "INSERT OR REPLACE INTO header VALUES (?, ?)", headers)

        self.attempt(write, None)

    def add_headers(self, number: int, headers: Mapping[int, bytes]) -> None:
        """Keep headers of messages that have a row."""
        self._add_texts("INSERT OR REPLACE INTO header VALUES (?, ?)", number, headers)

    def add_previews(self, number: int, previews: Mapping[int, bytes]) -> None:
        """Keep previews of messages that have a row."""
        self._add_texts("INSERT OR REPLACE INTO preview VALUES (?, ?)", number, previews)

    def _add_texts(self, statement: str, number: int, texts: Mapping[int, bytes]) -> None:
        if number == 0 or not texts:
            return
        rows = [((number << 32) + uid, text) for uid, text in texts.items()]

        def write(connection: apsw.Connection) -> None:
            with connection:
                run(connection, statement, rows)

        self.attempt(write, None)

    def copy(
        self,
        source: int,
        target: int,
        pairs: Sequence[tuple[int, int]],
        bases: Sequence[bytes],
        *,
        saved: int,
    ) -> None:
        """Messages were copied, (UID, UID of the copy), and these are the copies' bases; `saved` is when.

        What is not known is not known there.
        """
        if source == 0 or target == 0 or not pairs:
            return
        # One statement a table, not one a message: each would hand the interpreter over and have to get it back.
        keys = json.dumps(
            [
                ((target << 32) + after, (source << 32) + before, file_check(base))
                for (before, after), base in zip(pairs, bases, strict=True)
            ]
        )

        def write(connection: apsw.Connection) -> None:
            with connection:
                if not _has_mailbox(connection, target):
                    return
                connection.execute(
                    "INSERT OR IGNORE INTO summary"  # noqa: S608 - our own names
                    " SELECT copy, copies.file, date, size, ?, envelope, body, body_structure"
                    f" FROM {_COPIES} AS copies CROSS JOIN summary ON key = original",
                    (saved, keys),
                )
                for table, columns in _COPIED:
                    connection.execute(
                        f"INSERT OR IGNORE INTO {table} SELECT copy, {columns}"  # noqa: S608 - our own names
                        f" FROM {_COPIES} CROSS JOIN {table} ON key = original",
                        (keys,),
                    )

        self.attempt(write, None)

    def remove(self, number: int, uids: Iterable[int]) -> None:
        """Expunged messages."""
        if number == 0:
            return
        keys = json.dumps([(number << 32) + uid for uid in uids])

        def write(connection: apsw.Connection) -> None:
            with connection:
                for table in _OF_MESSAGES:
                    connection.execute(
                        f"DELETE FROM {table} WHERE key IN (SELECT value FROM json_each(?))",  # noqa: S608
                        (keys,),
                    )

        self.attempt(write, None)

    def numbers(self, guid: bytes) -> list[int]:
        """Those of all mailboxes with that GUID."""

        def find(connection: apsw.Connection) -> list[int]:
            return [number for (number,) in connection.execute(_NUMBERS + "guid = ?", (guid,))]

        return self.attempt(find, [])

    def forget(self, guid: bytes, place: bytes) -> None:
        """The mailbox with that GUID at that place was deleted, or is another one from now on."""

        def write(connection: apsw.Connection) -> None:
            with connection:
                _forget(connection, "guid = ? AND place = ?", (guid, place))

        self.attempt(write, None)


def _forget(connection: apsw.Connection, which: str, values: Collection[bytes]) -> None:
    """All of these mailboxes, and what is known of their messages."""
    for (number,) in list(connection.execute(_NUMBERS + which, tuple(values))):
        for table in (*_OF_MESSAGES, "vanished"):
            connection.execute(
                f"DELETE FROM {table} WHERE key BETWEEN ? AND ?",  # noqa: S608 - our own names
                (number << 32, (number << 32) + 0xFFFFFFFF),
            )
        connection.execute("DELETE FROM mailbox WHERE number = ?", (number,))


def _has_mailbox(connection: apsw.Connection, number: int) -> bool:
    """Whether the mailbox is known still: it may have been deleted, or the cache made anew.

    It is asked by a statement that writes: whoever reads first and writes then is refused at once, without waiting,
    if another process has written in between (SQLITE_BUSY_SNAPSHOT).
    """
    connection.execute("UPDATE mailbox SET number = number WHERE number = ?", (number,))
    return connection.changes() == 1
