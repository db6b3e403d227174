"""Dovecot's index of a mailbox, read only: what its files know and the Maildir does not tell.

DESCRIPTION
    `read_state` takes dovecot.index, dovecot.index.log and dovecot.index.log.2, each of which may be missing, and
    gives what they come to: keywords of messages (names, also those that have no letter in file names),
    mod-sequences, and the first \\Recent message.

    The index is a header, extensions with names, and records of one size.  A log is a header and transactions;
    those that the index does not hold yet are carried out on it.  Everything is little-endian but for the sizes of
    transactions (`_size`).

LIMITS
    A file of more than `MAX_FILE` octets, or with more than `MAX_MESSAGES` messages, is not read.

FAULTS
    NotAnIndex  the index is damaged or of another architecture: nothing is known.  A log that makes no sense is
                read as far as it does.

STANDARDS
    Dovecot 2.3, Design.Indexes.MailIndexApi, Design.Indexes.TransactionLog
"""

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

MAX_FILE: Final = 256 << 20
MAX_MESSAGES: Final = 4_000_000
MAX_KEYWORDS: Final = 4096

_BASE: Final = struct.Struct("<BBHIIB")
_EXTENSION: Final = struct.Struct("<IIHHHH")
_LOG: Final = struct.Struct("<BBHIIIIIQ")
_INTRO: Final = struct.Struct("<IIIHHHH")
_PAIR: Final = struct.Struct("<II")

_APPEND: Final = 0x2
_FLAGS: Final = 0x4
_HEADER: Final = 0x20
_EXT_INTRO: Final = 0x40
_EXT_RECORD: Final = 0x200
_KEYWORDS: Final = 0x400
_KEYWORD_RESET: Final = 0x800
_EXPUNGE: Final = 0xCD91
_EXPUNGE_GUID: Final = 0x2000 | 0xCD90
_MODSEQ: Final = 0x8000
_ATTRIBUTE: Final = 0x100000
_EXTERNAL: Final = 0x10000000
_TYPE: Final = 0x0FFFFFFF
_FIRST_RECENT_OFFSET: Final = 48
_RAISING: Final = frozenset((_APPEND, _FLAGS, _KEYWORDS, _KEYWORD_RESET, _ATTRIBUTE))
"""Transactions that have a mod-sequence of their own."""


class NotAnIndex(Exception):
    """The file is no index that can be read."""


class IndexState(msgspec.Struct):
    """What Dovecot knows of a mailbox."""

    uid_validity: int = 0
    first_recent: int = 0
    """0: not known."""
    highest_modseq: int = 0
    keywords: list[bytes] = []
    masks: dict[int, int] = {}
    """UID → bits, as `keywords` has them; of messages that have any."""
    flags: dict[int, int] = {}
    """UID → Dovecot's flags, of all messages."""
    modseqs: dict[int, int] = {}
    """UID → mod-sequence, where it is known."""


class _Extension(msgspec.Struct):
    name: bytes
    offset: int
    size: int
    header: bytes


def read_state(index: bytes | None, log: bytes | None, older_log: bytes | None = None) -> IndexState:
    """What the files come to.  NotAnIndex if there is nothing to be read."""
    state = IndexState()
    sequence, offset = 0, 0
    names: list[bytes] = []  # of extensions, in the order of their numbers
    if index is not None:
        sequence, offset, names = _read_index(index, state)
    logs = [content for content in (older_log, log) if content is not None and _is_log(content)]
    if index is None and not logs:
        raise NotAnIndex("neither an index nor a log")
    for content in logs:
        own = _LOG.unpack_from(content)
        if own[4] < sequence or len(content) > MAX_FILE:
            continue
        start = max(offset, own[2]) if own[4] == sequence else own[2]
        _apply(content, start, state, names)
    return state


def _is_log(content: bytes) -> bool:
    return len(content) >= _LOG.size and content[0] == 1 and _LOG.unpack_from(content)[2] >= _LOG.size


# --- the index ------------------------------------------------------------------------------------------


def _read_index(content: bytes, state: IndexState) -> tuple[int, int, list[bytes]]:
    """Fill the state; the log's number and offset up to which it is true, and the extensions' names."""
    if len(content) < 120 or len(content) > MAX_FILE:
        raise NotAnIndex("too short, or too long")
    header = _BASE.unpack_from(content)
    major, _, base_size, header_size, record_size, compatibility = header
    if major != 7 or not compatibility & 1:
        raise NotAnIndex("another version, or big-endian")
    if not 120 <= base_size <= header_size <= len(content) or record_size < 8:
        raise NotAnIndex("sizes make no sense")
    (state.uid_validity,) = struct.unpack_from("<I", content, 24)
    (count,) = struct.unpack_from("<I", content, 32)
    (state.first_recent,) = struct.unpack_from("<I", content, _FIRST_RECENT_OFFSET)
    sequence, _, head = struct.unpack_from("<III", content, 60)
    if count > MAX_MESSAGES or header_size + count * record_size > len(content):
        raise NotAnIndex("fewer records than it says")
    extensions = list(_extensions(content, base_size, header_size, record_size))
    for start in range(header_size, header_size + count * record_size, record_size):
        (uid,) = struct.unpack_from("<I", content, start)
        state.flags[uid] = content[start + 4] & 0x1F
    known = {one.name: one for one in extensions}
    if (keywords := known.get(b"keywords")) is not None:
        state.keywords = _keyword_names(keywords.header)
        _read_masks(content, header_size, record_size, count, keywords, state)
    if (modseq := known.get(b"modseq")) is not None:
        if len(modseq.header) >= 8:
            (state.highest_modseq,) = struct.unpack_from("<Q", modseq.header)
        if modseq.size == 8:
            for start in range(header_size, header_size + count * record_size, record_size):
                (uid,) = struct.unpack_from("<I", content, start)
                (value,) = struct.unpack_from("<Q", content, start + modseq.offset)
                state.modseqs[uid] = value
    return sequence, head, [one.name for one in extensions]


def _extensions(content: bytes, start: int, end: int, record_size: int) -> Iterator[_Extension]:
    at = _aligned(start)
    while at + _EXTENSION.size <= end:
        header_size, _, offset, size, _, name_size = _EXTENSION.unpack_from(content, at)
        at += _EXTENSION.size
        name = content[at : at + name_size]
        at = _aligned(at + name_size)
        if at + header_size > end or not name_size or offset + size > record_size:
            raise NotAnIndex("an extension makes no sense")
        yield _Extension(name, offset, size, content[at : at + header_size])
        at = _aligned(at + header_size)


def _aligned(offset: int) -> int:
    return (offset + 7) & ~7


def _keyword_names(header: bytes) -> list[bytes]:
    """`u32 count, count × (u32 unused, u32 offset), names each with a NUL`"""
    if len(header) < 4:
        return []
    (count,) = struct.unpack_from("<I", header)
    names_at = 4 + count * 8
    if count > MAX_KEYWORDS or names_at > len(header):
        raise NotAnIndex("keywords make no sense")
    names = []
    for number in range(count):
        _, offset = _PAIR.unpack_from(header, 4 + number * 8)
        name, end, _ = header[names_at + offset :].partition(b"\0")
        if not end:
            raise NotAnIndex("a keyword has no end")
        names.append(name)
    return names


def _read_masks(
    content: bytes, start: int, record_size: int, count: int, extension: _Extension, state: IndexState
) -> None:
    usable = (1 << len(state.keywords)) - 1
    for at in range(start, start + count * record_size, record_size):
        field = content[at + extension.offset : at + extension.offset + extension.size]
        mask = int.from_bytes(field, "little") & usable
        if mask:
            (uid,) = struct.unpack_from("<I", content, at)
            state.masks[uid] = mask


# --- the logs -------------------------------------------------------------------------------------------


def _transactions(content: bytes, start: int) -> Iterator[tuple[int, int, bool, bytes]]:
    """Offset, type, whether it is external (has happened), and data; an incomplete tail is left out."""
    at = start
    while at + 8 <= len(content):
        size = _size(content[at : at + 4])
        (kind,) = struct.unpack_from("<I", content, at + 4)
        if size < 8 or at + size > len(content):
            return
        yield at, kind & _TYPE, bool(kind & _EXTERNAL), content[at + 8 : at + size]
        at += size


def _size(octets: bytes) -> int:
    """Four groups of seven bits, most significant first, each with its top bit set; times four."""
    value = 0
    for octet in octets:
        if not octet & 0x80:
            return 0  # not written to its end
        value = value << 7 | octet & 0x7F
    return value * 4


def _apply(content: bytes, start: int, state: IndexState, names: list[bytes]) -> None:
    """Carry out what the log has from an offset on; mod-sequences are counted from its beginning."""
    header = _LOG.unpack_from(content)
    current = b""  # the extension that records are for
    modseq = header[8]
    for at, kind, is_external, data in _transactions(content, header[2]):
        if kind == _EXT_INTRO and len(data) >= _INTRO.size:
            current = _introduced(data, names)
            if current == b"modseq" and modseq == 0:
                modseq = 1
        if modseq:
            modseq = _raised(modseq, kind, is_external, data)
        if at >= start:
            _carry_out(kind, is_external, data, state, current, modseq)
    state.highest_modseq = max(state.highest_modseq, modseq)


def _introduced(data: bytes, names: list[bytes]) -> bytes:
    """The extension that an introduction names or numbers."""
    number, _, _, _, _, _, name_size = _INTRO.unpack_from(data)
    if number != 0xFFFFFFFF:
        return names[number] if number < len(names) else b""
    name = data[_INTRO.size : _INTRO.size + name_size]
    if name not in names and len(names) < MAX_KEYWORDS:
        names.append(name)
    return name


def _raised(modseq: int, kind: int, is_external: bool, data: bytes) -> int:
    if kind in _RAISING and not (kind == _FLAGS and _is_internal(data)):
        return modseq + 1
    if kind in (_EXPUNGE, _EXPUNGE_GUID) and is_external:
        return modseq + 1
    if kind == _MODSEQ:
        for at in range(0, len(data) - 11, 12):
            _, low, high = struct.unpack_from("<III", data, at)
            modseq = max(modseq, high << 32 | low)
    return modseq


def _is_internal(data: bytes) -> bool:
    """Whether only flags change that no client sees."""
    return all(
        not (data[at + 8] | data[at + 9]) & 0x1F and not data[at + 10] for at in range(0, len(data) - 11, 12)
    )


def _carry_out(
    kind: int, is_external: bool, data: bytes, state: IndexState, extension: bytes, modseq: int
) -> None:
    if kind == _APPEND:
        for at in range(0, len(data) - 7, 8):
            uid, flags = struct.unpack_from("<IB", data, at)
            if len(state.flags) >= MAX_MESSAGES:
                return
            state.flags[uid] = flags & 0x1F
            if modseq:
                state.modseqs[uid] = modseq
    elif kind == _FLAGS:
        for at in range(0, len(data) - 11, 12):
            first, last, add, remove = struct.unpack_from("<IIBB", data, at)
            for uid in _between(state, first, last):
                state.flags[uid] = (state.flags[uid] & ~remove | add) & 0x1F
                if modseq and (add | remove) & 0x1F:
                    state.modseqs[uid] = modseq
    elif kind == _KEYWORDS:
        _change_keyword(data, state, modseq)
    elif kind == _KEYWORD_RESET:
        for at in range(0, len(data) - 7, 8):
            for uid in _between(state, *_PAIR.unpack_from(data, at)):
                state.masks.pop(uid, None)
                if modseq:
                    state.modseqs[uid] = modseq
    elif kind == _EXPUNGE and is_external:
        for at in range(0, len(data) - 7, 8):
            for uid in _between(state, *_PAIR.unpack_from(data, at)):
                _forget(state, uid)
    elif kind == _EXPUNGE_GUID and is_external:
        for at in range(0, len(data) - 19, 20):
            _forget(state, *struct.unpack_from("<I", data, at))
    elif kind == _MODSEQ:
        for at in range(0, len(data) - 11, 12):
            uid, low, high = struct.unpack_from("<III", data, at)
            if uid in state.flags:
                state.modseqs[uid] = max(state.modseqs.get(uid, 0), high << 32 | low)
    elif kind == _HEADER:
        _change_header(data, state)
    elif kind == _EXT_RECORD and extension == b"modseq":
        for at in range(0, len(data) - 11, 12):
            uid, low, high = struct.unpack_from("<III", data, at)
            if uid in state.flags:
                state.modseqs[uid] = high << 32 | low


def _forget(state: IndexState, uid: int) -> None:
    state.flags.pop(uid, None)
    state.masks.pop(uid, None)
    state.modseqs.pop(uid, None)


def _between(state: IndexState, first: int, last: int) -> list[int]:
    """Messages of a range of UIDs; a wide one is looked for among those that are there."""
    if last < first:
        return []
    if last - first > len(state.flags):
        return [uid for uid in state.flags if first <= uid <= last]
    return [uid for uid in range(first, last + 1) if uid in state.flags]


def _change_keyword(data: bytes, state: IndexState, modseq: int) -> None:
    """`u8 0 add | 1 remove, u8, u16 size, name, pad to 4, ranges of UIDs`"""
    if len(data) < 4:
        return
    mode, _, size = struct.unpack_from("<BBH", data)
    name = data[4 : 4 + size]
    if name not in state.keywords:
        if len(state.keywords) >= MAX_KEYWORDS:
            return
        state.keywords.append(name)
    bit = 1 << state.keywords.index(name)
    for at in range(4 + (size + 3 & ~3), len(data) - 7, 8):
        for uid in _between(state, *_PAIR.unpack_from(data, at)):
            mask = state.masks.get(uid, 0)
            state.masks[uid] = mask & ~bit if mode else mask | bit
            if modseq:
                state.modseqs[uid] = modseq


def _change_header(data: bytes, state: IndexState) -> None:
    """`u16 offset, u16 size, octets, pad to 4`, several"""
    at = 0
    while at + 4 <= len(data):
        offset, size = struct.unpack_from("<HH", data, at)
        at += 4
        for field, position in (("uid_validity", 24), ("first_recent", _FIRST_RECENT_OFFSET)):
            if offset <= position and offset + size >= position + 4 and at + size <= len(data):
                (value,) = struct.unpack_from("<I", data, at + position - offset)
                setattr(state, field, value)
        at += size + 3 & ~3
