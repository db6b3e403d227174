"""What the server says: untagged data and response codes, rendered.

DESCRIPTION
    Every function gives bytes without CRLF, to be put behind `* ` or a tag.  Strings go out as atoms where
    they can, quoted where they must, as literals where neither works: Dovecot's order of preference.

STANDARDS
    RFC 3501 §7, §9; RFC 4315 §3 (APPENDUID, COPYUID); RFC 4731 §3 (ESEARCH); RFC 5258 §6 (LIST)
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from pillarbox.message.imap_strings import string
from pillarbox.vocabulary.flags import IMAP_NAMES, Flag
from pillarbox.vocabulary.number_set import compact
from pillarbox.wire.imap.commands import StatusItem
from pillarbox.wire.imap.partial_range import in_range
from pillarbox.wire.imap.search_keys import ResultOptions, SearchResult

_ATOM: Final = re.compile(rb'[^(){ \x00-\x1f\x7f-\xff%*"\\\]]+')
_NEVER_QUOTED: Final = re.compile(rb"[\x00\r\n]")
_QUOTED_SPECIALS: Final = re.compile(rb'(["\\])')
_NAMES: Final = (*IMAP_NAMES, (b"\\Recent", Flag.RECENT))
SYSTEM_FLAGS: Final = b" ".join(name for name, _ in IMAP_NAMES)


def astring(text: bytes) -> bytes:
    """`astring`: the text as an atom if it can be one"""
    if _ATOM.fullmatch(text) and text.upper() != b"NIL":
        return text
    return string(text)


def mailbox(name: bytes) -> bytes:
    """`mailbox`: a name as the client reads it, modified UTF-7 or UTF-8, as astring

    UTF-8 is quoted: whoever has enabled it reads it there (RFC 9051 §9 `QUOTED-CHAR`, RFC 9755 §3).
    """
    if name.isascii() or _NEVER_QUOTED.search(name) is not None:
        return astring(name)
    return b'"%b"' % _QUOTED_SPECIALS.sub(rb"\\\1", name)


@lru_cache(maxsize=1024)
def flag_names(flags: int, keywords: tuple[bytes, ...] = ()) -> bytes:
    """`\\Answered \\Seen \\Recent $Label1`: system flags in Dovecot's order, then keywords"""
    return b" ".join([*(name for name, flag in _NAMES if flags & flag), *keywords])


def flags(keywords: Sequence[bytes]) -> bytes:
    """`FLAGS (…)`: what flags this mailbox knows"""
    return b"FLAGS (%s)" % b" ".join([SYSTEM_FLAGS, *keywords])


def permanent_flags(keywords: Sequence[bytes], *, read_only: bool, more: bool) -> bytes:
    """`OK [PERMANENTFLAGS (…)] …`; `\\*` if the client can make more keywords"""
    if read_only:
        return b"OK [PERMANENTFLAGS ()] Read-only mailbox."
    names = b" ".join([SYSTEM_FLAGS, *keywords, *([b"\\*"] if more else [])])
    return b"OK [PERMANENTFLAGS (%s)] Flags permitted." % names


def some_permanent_flags(names: Sequence[bytes]) -> bytes:
    """The same where an access list allows some only"""
    return b"OK [PERMANENTFLAGS (%b)] Flags permitted." % b" ".join(names)


def capability(names: Iterable[bytes]) -> bytes:
    """`CAPABILITY IMAP4rev1 …`"""
    return b"CAPABILITY " + b" ".join(names)


def identification(fields: Sequence[tuple[str, str | None]]) -> bytes:
    """`ID ("name" "Dovecot")`"""
    if not fields:
        return b"ID NIL"
    written = (
        string(text.encode("ascii")) if text is not None else b"NIL" for field in fields for text in field
    )
    return b"ID (%s)" % b" ".join(written)


def listing(
    kind: bytes,
    attributes: Iterable[bytes],
    name: bytes,
    separator: bytes = b"/",
    *,
    child_info: bool = False,
    old_name: bytes | None = None,
) -> bytes:
    """`LIST (\\HasNoChildren) "/" name`, or LSUB; `name` as `mailbox` takes it"""
    extended = b' (CHILDINFO ("SUBSCRIBED"))' if child_info else b""
    if old_name is not None:  # RFC 5465 §5.4, RFC 9051 §6.3.9.7
        extended = b' ("OLDNAME" (%b))' % mailbox(old_name)
    return b'%s (%s) "%s" %s%s' % (kind, b" ".join(attributes), separator, mailbox(name), extended)


def status(name: bytes, values: Iterable[tuple[StatusItem, int | bytes | None]]) -> bytes:
    """`STATUS name (MESSAGES 3 UNSEEN 1 APPENDLIMIT NIL MAILBOXID (F1))`"""
    items = b" ".join(b"%s %b" % (item.value, _status_value(value)) for item, value in values)
    return b"STATUS %s (%s)" % (mailbox(name), items)


def _status_value(value: int | bytes | None) -> bytes:
    match value:
        case None:
            return b"NIL"
        case bytes():
            return value
        case number:
            return b"%d" % number


def mailbox_id(object_id: bytes) -> bytes:
    """`[MAILBOXID (F2212ea87-6097-4256-9d51-71338625)]`  RFC 8474 §4.1"""
    return b"[MAILBOXID (%b)]" % object_id


def append_uid(uid_validity: int, uids: Sequence[int]) -> bytes:
    """`[APPENDUID 1795363493 1]`"""
    return b"[APPENDUID %d %s]" % (uid_validity, compact(uids))


def copy_uid(uid_validity: int, pairs: Sequence[tuple[int, int]]) -> bytes:
    """`[COPYUID 1795363493 1:2,4 7:9]`: the sets go side by side, in the order of copying"""
    sources = compact(source for source, _ in pairs)
    return b"[COPYUID %d %s %s]" % (uid_validity, sources, compact(target for _, target in pairs))


def search(numbers: Sequence[int], modseq: int = 0) -> bytes:
    """`SEARCH 1 2 (MODSEQ 917162500)`: the mod-sequence if the client searched for one (RFC 7162 §3.1.5)"""
    # One format for all: half of the time that joining str(number) takes.
    text = b"SEARCH" + b" %d" * len(numbers) % tuple(numbers)
    return b"%b (MODSEQ %d)" % (text, modseq) if modseq else text


def sort(numbers: Sequence[int], modseq: int = 0) -> bytes:
    """`SORT 2 84 882 (MODSEQ 917162500)`"""
    return b"SORT" + search(numbers, modseq).removeprefix(b"SEARCH")


def extended_search(
    tag: bytes, numbers: Sequence[int], result: ResultOptions, *, by_uid: bool, modseq: int = 0
) -> bytes:
    """`ESEARCH (TAG "x") UID MIN 1 MAX 2 ALL 1:2 COUNT 2 MODSEQ 7`; without messages there is but COUNT

    MIN and MAX are the first and the last, in the order of SORT if it was that (RFC 5267 §3).
    """
    options = result.what
    words = [b"ESEARCH (TAG %s)" % string(tag)]
    if by_uid:
        words.append(b"UID")
    if numbers and options & SearchResult.MIN:
        words.append(b"MIN %d" % numbers[0])
    if numbers and options & SearchResult.MAX:
        words.append(b"MAX %d" % numbers[-1])
    if options & SearchResult.PARTIAL:
        low, high = result.partial
        part = numbers[in_range(result.partial, len(numbers))]
        words.append(b"PARTIAL (%d:%d %b)" % (low, high, compact(part) or b"NIL"))
    if numbers and options & SearchResult.ALL:
        words.append(b"ALL %s" % compact(numbers))
    if options & SearchResult.RELEVANCY:
        # RFC 6203 §4: 1 to 100; all that we find matches alike.
        words.append(b"RELEVANCY (%b)" % b" ".join([b"1"] * len(numbers)))
    if options & SearchResult.COUNT:
        words.append(b"COUNT %d" % len(numbers))
    if modseq:
        words.append(b"MODSEQ %d" % modseq)
    return b" ".join(words)
