"""What is remembered of mod-sequences: those of the messages, and which messages were expunged when.

DESCRIPTION
    Rows in the account's cache (mailstore/cache/message_cache.py), for mailboxes whose clients use them.  Methods
    block.

STANDARDS
    RFC 7162 §3.1.1 (MODSEQ), §3.2.5.1, §3.2.6 (what has vanished)
"""

from collections.abc import Iterable, Mapping
from typing import Final

import apsw

from pillarbox.mailstore.cache.account_database import run
from pillarbox.mailstore.cache.message_cache import Cache

MAX_VANISHED: Final = 20_000
"""Expunged UIDs of a mailbox that are remembered; a quarter goes when there are more."""
ModSeqRow = tuple[int, int, int]
"""Mod-sequence, and the flags and keyword bits that have it."""
_ALL_BITS: Final = (1 << 64) - 1


def _to_column(mask: int) -> int | bytes:
    """SQLite's integers have 64 bits and a sign; what has more is octets."""
    if mask > _ALL_BITS:
        return mask.to_bytes((mask.bit_length() + 7) // 8, "little")
    return mask - (mask >> 63 << 64)


def _from_column(value: int | bytes) -> int:
    return int.from_bytes(value, "little") if isinstance(value, bytes) else value & _ALL_BITS


class ModSeqHistory:
    """Of all mailboxes of an account; each has its number in the cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def modseqs(self, number: int) -> dict[int, ModSeqRow]:
        """Mod-sequence, flags and keyword bits of the mailbox's messages, by UID."""
        span = (number << 32, (number << 32) + 0xFFFFFFFF)
        query = "SELECT key & 4294967295, modseq, flags, keywords FROM modseq WHERE key BETWEEN ? AND ?"

        def find(connection: apsw.Connection) -> dict[int, ModSeqRow]:
            return {
                uid: (modseq, flags, _from_column(keywords))
                for uid, modseq, flags, keywords in connection.execute(query, span)
            }

        return self._cache.attempt(find, {})

    def set_modseqs(self, number: int, highest: int, rows: Mapping[int, ModSeqRow]) -> None:
        """Keep mod-sequences; older ones than there are count for nothing, whatever the order of the calls."""
        if number == 0:
            return
        base = number << 32
        values = [
            (base + uid, modseq, flags, _to_column(keywords))
            for uid, (modseq, flags, keywords) in rows.items()
        ]

        def write(connection: apsw.Connection) -> None:
            with connection:
                query = "UPDATE mailbox SET highest_modseq = max(highest_modseq, ?) WHERE number = ?"
                run(connection, query, [(highest, number)])
                query = (
                    "INSERT INTO modseq VALUES (?, ?, ?, ?) ON CONFLICT (key)"
                    " DO UPDATE SET modseq = excluded.modseq, flags = excluded.flags, keywords = excluded.keywords"
                    " WHERE excluded.modseq >= modseq"
                )
                run(connection, query, values)

        self._cache.attempt(write, None)

    def vanished_since(self, number: int, modseq: int) -> list[int] | None:
        """UIDs expunged after that mod-sequence, rising; None if that is not known."""
        span = (number << 32, (number << 32) + 0xFFFFFFFF, modseq)
        query = "SELECT key & 4294967295 FROM vanished WHERE key BETWEEN ? AND ? AND modseq > ? ORDER BY key"

        def find(connection: apsw.Connection) -> list[int] | None:
            floor = "SELECT vanished_floor FROM mailbox WHERE number = ? AND vanished_floor <= ?"
            if not list(connection.execute(floor, (number, modseq))):
                return None
            return [uid for (uid,) in connection.execute(query, span)]

        return self._cache.attempt(find, None)

    def set_vanished_floor(self, number: int, modseq: int) -> None:
        """Expunges are remembered from now on."""
        query = "UPDATE mailbox SET vanished_floor = ? WHERE number = ?"
        self._cache.attempt(lambda connection: run(connection, query, [(modseq, number)]), None)

    def add_vanished(self, number: int, modseq: int, uids: Iterable[int]) -> None:
        """Remember expunged messages; the oldest of too many are forgotten, and the floor rises."""
        if number == 0:
            return
        base = number << 32
        rows = [(base + uid, modseq) for uid in uids]

        def write(connection: apsw.Connection) -> None:
            with connection:
                run(connection, "INSERT OR REPLACE INTO vanished VALUES (?, ?)", rows)
                span = (base, base + 0xFFFFFFFF)
                query = "SELECT count(*) FROM vanished WHERE key BETWEEN ? AND ?"
                [(count,)] = list(connection.execute(query, span))
                if count <= MAX_VANISHED:
                    return
                query = (
                    "SELECT modseq FROM vanished WHERE key BETWEEN ? AND ? ORDER BY modseq LIMIT 1 OFFSET ?"
                )
                [(floor,)] = list(connection.execute(query, (*span, count - MAX_VANISHED * 3 // 4)))
                query = "DELETE FROM vanished WHERE key BETWEEN ? AND ? AND modseq <= ?"
                connection.execute(query, (*span, floor))
                query = "UPDATE mailbox SET vanished_floor = max(vanished_floor, ?) WHERE number = ?"
                connection.execute(query, (floor, number))

        self._cache.attempt(write, None)
