"""mbox files: messages one after another, each behind a line that begins with `From `.

DESCRIPTION
    `messages()` gives the messages of a file, with what its mail programs noted in fields of their own: Status
    and X-Status (read, answered, flagged, draft, deleted), X-Keywords, and the date of the From_ line.  Those
    fields are taken out of the header, and so are X-UID, X-IMAP, X-IMAPbase and Content-Length, which mean
    nothing outside the file.  A line `>From ` gets back what it was (mboxrd).

    A line is a From_ line if it stands at the beginning or behind an empty line and ends in a date, so that text
    that was never quoted cuts no message in two.

    The pseudo message that some IMAP servers keep in front is left out.

FAULTS
    NotAnMbox  the file does not begin with a From_ line

STANDARDS
    RFC 4155 (application/mbox); mbox(5)
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from pillarbox.message.header_fields import fields, unfold
from pillarbox.vocabulary.flags import Flag

_MONTHS: Final = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_FROM: Final = re.compile(
    rb"From .*\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +([A-Z][a-z]{2}) +(\d{1,2}) +(\d{1,2}):(\d\d)(?::(\d\d))?"
    rb"(?: +[A-Z]{2,5})?(?: +([+-])(\d\d)(\d\d))? +(\d{4})(?: +([+-])(\d\d)(\d\d))?\s*"
)
_QUOTED: Final = re.compile(rb"^>(>*From )", re.MULTILINE)
_DROPPED: Final = frozenset(
    {b"status", b"x-status", b"x-keywords", b"x-uid", b"x-imap", b"x-imapbase", b"content-length"}
)
_LETTERS: Final = {
    b"R": Flag.SEEN, b"A": Flag.ANSWERED, b"F": Flag.FLAGGED, b"T": Flag.DRAFT, b"D": Flag.DELETED,
}  # fmt: skip
_INTERNAL: Final = b"DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"


class NotAnMbox(Exception):
    """The file is something else."""


class FromDate(msgspec.Struct, frozen=True):
    """The date of a From_ line.  `offset`: minutes east of Greenwich; None: local time, as is usual."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    offset: int | None = None


class MboxMessage(msgspec.Struct, frozen=True):
    """One message: LF line ends."""

    content: bytes
    flags: Flag
    keywords: tuple[bytes, ...]
    date: FromDate | None


def messages(lines: Iterable[bytes]) -> Iterator[MboxMessage]:
    """The messages of a file that comes line by line, each with its end."""
    date: FromDate | None = None
    gathered: list[bytes] = []
    begun = False
    after_empty = True
    for line in lines:
        found = from_date(line) if after_empty and line.startswith(b"From ") else None
        if found is not None or (not begun and line.startswith(b"From ")):
            if begun and (message := _message(gathered, date)) is not None:
                yield message
            date, gathered, begun = found, [], True
        elif begun:
            gathered.append(line)
        elif line.strip():
            raise NotAnMbox
        after_empty = line in (b"\n", b"\r\n")
    if begun and (message := _message(gathered, date)) is not None:
        yield message


def from_date(line: bytes) -> FromDate | None:
    """The date at the end of a From_ line; None if it has none."""
    match = _FROM.fullmatch(line.rstrip(b"\r\n"))
    if match is None or match[1] not in _MONTHS:
        return None
    day, hour, minute, second, year = (int(match[at] or 0) for at in (2, 3, 4, 5, 9))
    if not (1 <= day <= 31 and hour < 24 and minute < 60 and second < 61 and year > 1969):
        return None
    sign, hours, minutes = (match[6], match[7], match[8]) if match[6] else (match[10], match[11], match[12])
    offset = None if sign is None else (int(hours) * 60 + int(minutes)) * (-1 if sign == b"-" else 1)
    return FromDate(year, _MONTHS.index(match[1]) + 1, day, hour, minute, second, offset)


def _message(lines: list[bytes], date: FromDate | None) -> MboxMessage | None:
    content = b"".join(lines).replace(b"\r\n", b"\n")
    content = content.removesuffix(b"\n") if content.endswith(b"\n\n") else content
    header, empty, body = content.partition(b"\n\n")
    header += empty[:1] if empty else b""
    if content.startswith(b"\n"):
        header, empty, body = b"", b"\n", content[1:]
    kept: list[bytes] = []
    flags, keywords, subject = Flag.NONE, list[bytes](), b""
    at = 0
    for field in fields(header):
        name = field.name.lower()
        if name in (b"status", b"x-status"):
            flags |= _flags(unfold(field.value), letters=b"R" if name == b"status" else b"AFTD")
        elif name == b"x-keywords":
            keywords += unfold(field.value).split()
        elif name == b"subject":
            subject = unfold(field.value)
        if name in _DROPPED:
            kept.append(header[at : field.start])
            at = field.end
    kept.append(header[at:])
    if subject == _INTERNAL and b"x-imap" in header.lower():
        return None
    whole = b"".join([*kept, empty[-1:], _QUOTED.sub(rb"\1", body)])
    return MboxMessage(whole, flags, tuple(keywords), date)


def _flags(value: bytes, *, letters: bytes) -> Flag:
    found = Flag.NONE
    for letter in value:
        if letter in letters:
            found |= _LETTERS[bytes((letter,))]
    return found
