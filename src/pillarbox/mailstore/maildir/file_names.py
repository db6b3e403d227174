"""The name of a message's file: who it is, how large, and its flags.

DESCRIPTION
        1795354878.M35176P7340.host,S=60,W=66:2,FSab
        └────────── base ───────────────────┘   └┘└┘ system flags, keywords

    The base, everything before the first `:`, is the message's identity: the uidlist knows it by that, and it
    never changes.  `S` is the size of the file (LF line ends), `W` the size with CRLF; either may be missing.
    The flags are what follows the last `:2,`, letters in ASCII order: `D` Draft, `F` Flagged, `R` Answered,
    `S` Seen, `T` Deleted, `a`-`z` keywords of this mailbox (mailstore/dovecot_files/keywords.py).  Letters that we
    do not know stay where they are when flags are rewritten, and so does whatever follows a second comma.

    `NameMaker` makes new bases.  They grow strictly within a process, and differ between processes by the
    process id, between hosts by the host name.

STANDARDS
    https://cr.yp.to/proto/maildir.html; Dovecot 2.3, Maildir format
"""

import hashlib
import os
import re
import socket
import threading
from functools import lru_cache
from typing import Final

import msgspec

from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.flags import MAILDIR_LETTERS, Flag

KEYWORD_LETTERS: Final = 26
"""Keywords that file names can hold, `a` to `z`."""

_INFO: Final = b":2,"
_SIZES: Final = re.compile(rb",([SW])=(\d{1,19})(?=[,:]|\Z)")
_FLAG_BITS: Final[dict[int, int]] = {letter[0]: int(flag) for letter, flag in MAILDIR_LETTERS}
_ORDER: Final = re.compile(rb"(\d{1,18})(?:\.M(\d{1,18}))?")
_DIGITS: Final = 18
_NO_TIME: Final = b"0" * (2 * _DIGITS)


class Letters(msgspec.Struct, frozen=True, array_like=True):
    """What the flags of a file name say: system flags, keyword bits 0-25, and what we only keep."""

    flags: int
    keywords: int
    unknown: bytes = b""
    """Letters without meaning to us, `Q`."""
    tail: bytes = b""
    """From a second comma on."""


NO_LETTERS: Final = Letters(0, 0)


def base(name: bytes) -> bytes:
    """The identity of the message."""
    return name.partition(b":")[0]


def split(name: bytes) -> tuple[bytes, bytes]:
    """The base, and the flags as they stand after `:2,`."""
    identity, mark, letters = name.partition(_INFO)
    if mark and b":" not in identity and b":" not in letters:  # as nearly all are
        return identity, letters
    identity, colon, info = name.partition(b":")
    if not colon:
        return identity, b""
    _, _, letters = (colon + info).rpartition(_INFO)
    return identity, letters if _INFO in colon + info else b""


def parse_letters(text: bytes) -> Letters:
    """The meaning of the flags of a file name; each combination is read once."""
    known = _KNOWN.get(text)
    if known is None:
        known = _parse_letters(text)
        if len(_KNOWN) < MAX_KNOWN:
            _KNOWN[text] = known
    return known


MAX_KNOWN: Final = 4096
_KNOWN: Final[dict[bytes, Letters]] = {b"": NO_LETTERS}


def _parse_letters(text: bytes) -> Letters:
    letters, comma, tail = text.partition(b",")
    flags = keywords = 0
    unknown = bytearray()
    for letter in letters:
        bit = _FLAG_BITS.get(letter)
        if bit is not None:
            flags |= bit
        elif 0x61 <= letter <= 0x7A:  # a-z
            keywords |= 1 << (letter - 0x61)
        elif letter not in unknown:
            unknown.append(letter)
    return Letters(flags, keywords, bytes(unknown), comma + tail)


def write_letters(letters: Letters) -> bytes:
    """The flags as a file name holds them after `:2,`."""
    held = bytearray(letters.unknown)
    for letter, flag in MAILDIR_LETTERS:
        if letters.flags & flag:
            held += letter
    keywords = letters.keywords & ((1 << KEYWORD_LETTERS) - 1)
    while keywords:
        lowest = keywords & -keywords
        held.append(0x60 + lowest.bit_length())
        keywords ^= lowest
    return bytes(sorted(held)) + letters.tail


@lru_cache(maxsize=MAX_KNOWN)
def change_letters(text: bytes, flags: int, keywords: int) -> bytes:
    """The flags of a file name with others in them; unknown ones stay.  Each combination is written once."""
    old = parse_letters(text)
    return write_letters(Letters(flags & ~Flag.RECENT, keywords, old.unknown, old.tail))


def sizes(identity: bytes) -> tuple[int | None, int | None]:
    """`S` and `W` of a base, where they are well-formed."""
    size = crlf_size = None
    for kind, digits in _SIZES.findall(identity):
        if kind == b"S":
            size = decimal(digits)
        else:
            crlf_size = decimal(digits)
    return size, crlf_size


def delivery_order(identity: bytes) -> bytes:
    """Sort key of new files, in which they get their UIDs: seconds, microseconds, name."""
    match = _ORDER.match(identity)
    if match is None:
        return _NO_TIME + identity
    seconds, microseconds = match.groups(b"")
    return seconds.zfill(_DIGITS) + microseconds.zfill(_DIGITS) + identity


class NameMaker:
    """Makes bases that no other file has: one for a process, used by all its threads."""

    def __init__(self, clock: Clock, *, host: bytes | None = None) -> None:
        self._clock = clock
        self._host = _escape(os.fsencode(socket.gethostname()) if host is None else host)
        self._last = 0  # microseconds since 1970
        self._lock = threading.Lock()

    def take(self) -> bytes:
        """`<sec>.M<usec>P<pid>.<host>`, greater than any before."""
        now = int(self._clock.now() * 1_000_000)
        with self._lock:
            self._last = now = max(now, self._last + 1)
        seconds, microseconds = divmod(now, 1_000_000)
        return b"%d.M%dP%d.%s" % (seconds, microseconds, os.getpid(), self._host)


def with_sizes(name: bytes, size: int, crlf_size: int) -> bytes:
    """The base of a message of these sizes."""
    return b"%s,S=%d,W=%d" % (name, size, crlf_size)


def _escape(host: bytes) -> bytes:
    """A host name may not hold what separates the parts of a name (maildir(5))."""
    return host.replace(b"/", b"\\057").replace(b":", b"\\072").replace(b",", b"\\054")


def short_guid(guid: bytes) -> bytes:
    """A message's GUID as 32 hex digits: itself, or the end of its SHA-1, as Dovecot shortens it."""
    if len(guid) == 32 and not guid.strip(b"0123456789abcdef"):
        return guid
    return hashlib.sha1(guid, usedforsecurity=False).hexdigest()[-32:].encode("ascii")
