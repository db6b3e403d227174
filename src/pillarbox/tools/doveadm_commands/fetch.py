"""doveadm fetch: what there is to know of a message, field by field.

DESCRIPTION
    Texts have LF line ends, as files have; imap.* and body.<section> are as IMAP gives them.  Those of a huge
    message are read while they are printed (tools/doveadm_commands/texts.py).

FAULTS
    Fatal  a field that there is not; the list of those there are goes before it
"""

import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from pillarbox.mailstore.content.large_content import LargeContent
from pillarbox.mailstore.mailbox import Fields, Mailbox, MessageGone, MessageSummary
from pillarbox.mailstore.maildir.mailbox import MaildirMailbox
from pillarbox.mailstore.view import MailboxView
from pillarbox.message import mime_tree
from pillarbox.message.encoded_words import decode_words
from pillarbox.message.header_fields import fields, header_end
from pillarbox.message.mime_tree import Part
from pillarbox.message.part_content import decoded_blocks, decoded_body, text_of
from pillarbox.message.sections import Section, Text, find_part, locate
from pillarbox.message.structured_fields import parse_date
from pillarbox.sessions.imap.flag_rendering import FlagRenderer
from pillarbox.tools.doveadm_commands.faults import Fatal
from pillarbox.tools.doveadm_commands.output import Cell, pieces
from pillarbox.tools.doveadm_commands.texts import lf_text, raw_text, readable_text
from pillarbox.vocabulary.digits import is_decimal_text
from pillarbox.vocabulary.identifiers import Uid


class Message(msgspec.Struct):
    """A message, and what is known of it; `content` with CRLF, empty unless it is wanted."""

    user: str
    mailbox: Mailbox
    name: str
    sequence: int
    summary: MessageSummary
    flags: str
    content: bytes | LargeContent = b""
    tree: Part | None = None

    @property
    def part(self) -> Part:
        """The parsed content."""
        if self.tree is None:
            self.tree = mime_tree.parse(self.content)
        return self.tree

    @property
    def guid(self) -> str:
        """The file's name without its flags."""
        mailbox = self.mailbox
        if not isinstance(mailbox, MaildirMailbox):
            return ""
        return os.fsdecode(mailbox.folder.message_guid(self.summary.uid))

    def uidlist_field(self, letter: bytes) -> str:
        """What dovecot-uidlist says of the message under a letter."""
        mailbox = self.mailbox
        if isinstance(mailbox, MaildirMailbox):
            for field in mailbox.folder.uidlist.fields.get(self.summary.uid, b"").split(b" "):
                if field.startswith(letter):
                    return os.fsdecode(field[1:])
        return ""

    @property
    def physical_size(self) -> int:
        """Octets of the file."""
        mailbox = self.mailbox
        path = mailbox.folder.path_of(self.summary.uid) if isinstance(mailbox, MaildirMailbox) else None
        try:
            return os.stat(path).st_size if path is not None else 0
        except FileNotFoundError:
            raise MessageGone from None


class _Field(msgspec.Struct, frozen=True):
    """How a field is found, and what of the summary or the message that needs."""

    value: Callable[[Message], Cell]
    needs: Fields = Fields(0)
    whole: bool = False
    is_text: bool = False
    """Whether a pager puts it on lines of its own."""


def _lf(content: bytes) -> str:
    return content.replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape")


def _raw(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _piece(message: Message, start: int, end: int, *, lf: bool) -> Cell:
    """Part of the content."""
    content = message.content
    if isinstance(content, bytes):
        return _lf(content[start:end]) if lf else _raw(content[start:end])
    blocks = content.blocks(start, end)
    return lf_text(blocks) if lf else raw_text(blocks)


def _body(message: Message) -> Cell:
    return _piece(message, header_end(message.content), len(message.content), lf=True)


def _header(message: Message) -> Cell:
    return _piece(message, 0, header_end(message.content), lf=True)


def _text(message: Message) -> Cell:
    return _piece(message, 0, len(message.content), lf=True)


def _decoded_part(message: Message, part: Part) -> Cell:
    """The part without its transfer encoding."""
    content = message.content
    if isinstance(content, bytes):
        return _raw(decoded_body(content, part))
    return raw_text(decoded_blocks(content, part))


def _sent(message: Message) -> tuple[int, int]:
    """Seconds since 1970 and the zone's minutes of the Date field; 0 if there is none."""
    for field in fields(message.summary.header):
        if field.name.lower() == b"date" and (moment := parse_date(field.value.strip())) is not None:
            return moment.seconds, moment.zone
    return 0, 0


def _date_sent(message: Message) -> str:
    seconds, zone = _sent(message)
    sign = "-" if zone < 0 else "+"
    return f"{_shown(seconds)} ({sign}{abs(zone) // 60:02d}{abs(zone) % 60:02d})"


def _shown(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _decoded_header(header: bytes) -> str:
    """Each field on a line, with encoded words decoded; then the empty line."""
    lines = [f"{_raw(field.name)}: {_decoded(field.value.strip())}\n" for field in fields(header)]
    return "".join(lines) + "\n"


def _decoded(value: bytes) -> str:
    return decode_words(value.replace(b"\r\n", b"").replace(b"\n", b"").replace(b"\t", b" "))


def _text_utf8(message: Message) -> Iterator[str]:
    """The message with its parts decoded; what is around the parts is left out."""
    content = message.content
    waiting = [message.part]
    while waiting:
        part = waiting.pop()
        yield _decoded_header(content[part.header_start : part.body_start])
        if part.children:
            waiting += reversed(part.children)
            continue
        kind = part.content_type
        if not (kind is None or kind.type.lower() in (b"text", b"message")):
            yield from pieces(_decoded_part(message, part))
        elif isinstance(content, bytes):
            yield text_of(content, part).replace("\r\n", "\n")
        else:
            yield from readable_text(content, part)


def _modseq(message: Message) -> str:
    table = message.mailbox.messages
    row = table.row(message.summary.uid)
    if row is None:
        raise MessageGone
    return str(table.modseqs[row])


def _inner(rendered: bytes) -> str:
    """An IMAP list without its parentheses."""
    return _raw(rendered[1:-1])


_FIELDS: Final[Mapping[str, _Field]] = {
    "user": _Field(lambda message: message.user),
    "mailbox": _Field(lambda message: message.name),
    "mailbox-guid": _Field(lambda message: message.mailbox.guid.decode()),
    "seq": _Field(lambda message: str(message.sequence)),
    "uid": _Field(lambda message: str(message.summary.uid)),
    "guid": _Field(lambda message: message.guid),
    "flags": _Field(lambda message: message.flags),
    "modseq": _Field(_modseq),
    "hdr": _Field(_header, whole=True, is_text=True),
    "body": _Field(_body, whole=True, is_text=True),
    "body.preview": _Field(lambda message: message.summary.preview.decode(), needs=Fields.PREVIEW),
    "body.snippet": _Field(lambda message: message.summary.preview.decode(), needs=Fields.PREVIEW),
    "text": _Field(_text, whole=True, is_text=True),
    "text.utf8": _Field(_text_utf8, whole=True, is_text=True),
    "size.physical": _Field(lambda message: str(message.physical_size)),
    "size.virtual": _Field(lambda message: str(message.summary.size), needs=Fields.SIZE),
    "date.received": _Field(lambda message: _shown(message.summary.internal_date), needs=Fields.DATE),
    "date.sent": _Field(_date_sent, needs=Fields.HEADER),
    "date.saved": _Field(lambda message: _shown(message.summary.saved), needs=Fields.SAVED),
    "date.received.unixtime": _Field(lambda message: str(message.summary.internal_date), needs=Fields.DATE),
    "date.sent.unixtime": _Field(lambda message: str(_sent(message)[0]), needs=Fields.HEADER),
    "date.saved.unixtime": _Field(lambda message: str(message.summary.saved), needs=Fields.SAVED),
    "imap.envelope": _Field(lambda message: _inner(message.summary.envelope), needs=Fields.ENVELOPE),
    "imap.body": _Field(lambda message: _inner(message.summary.body), needs=Fields.BODY),
    "imap.bodystructure": _Field(
        lambda message: _inner(message.summary.body_structure), needs=Fields.BODYSTRUCTURE
    ),
    "pop3.uidl": _Field(lambda message: message.uidlist_field(b"P")),
    "pop3.order": _Field(lambda message: message.uidlist_field(b"O")),
    "refcount": _Field(lambda _message: "1"),
    "storageid": _Field(lambda message: message.guid),
}
NAMES: Final = ("hdr.<name>", "body.<section>", "binary.<section>", *_FIELDS)
BATCH: Final = 100
"""Messages whose summaries are asked for at once."""


class FetchFields:
    """The fields that a command wants."""

    def __init__(self, words: Sequence[str]) -> None:
        """Fatal for a field that there is not."""
        self.names = tuple(words)
        self._fields = [_field(name) for name in words]
        self._needs = Fields(0)
        for field in self._fields:
            self._needs |= field.needs
        self._whole = any(field.whole for field in self._fields)

    @property
    def texts(self) -> tuple[str, ...]:
        """Those that a pager puts on lines of their own."""
        return tuple(name for name, field in zip(self.names, self._fields, strict=True) if field.is_text)

    async def rows(
        self, user: str, name: str, view: MailboxView, uids: Sequence[int]
    ) -> AsyncIterator[list[Cell]]:
        """A row for each message that is still there; to be used before the next is asked for.

        MessageUnreadable, when all others are told.
        """
        flags = FlagRenderer(view)
        failed = view.mailbox.failed_reads.count
        for start in range(0, len(uids), BATCH):
            batch = [Uid(uid) for uid in uids[start : start + BATCH]]
            for summary in await view.mailbox.summaries(batch, self._needs):
                number, shown = view.number_of(summary.uid), flags.of_uid(summary.uid)
                if number is None or shown is None:
                    continue
                message = Message(user, view.mailbox, name, number, summary, shown.decode())
                try:
                    if self._whole:
                        message.content = await view.mailbox.content(summary.uid)
                    row = [field.value(message) for field in self._fields]
                except MessageGone:
                    continue
                yield row
        view.mailbox.failed_reads.check(failed)


def _field(name: str) -> _Field:
    if name in _FIELDS:
        return _FIELDS[name]
    kind, _, rest = name.partition(".")
    if kind == "hdr" and rest:
        return _header_field(rest)
    if kind in ("body", "binary") and rest:
        return _section(kind, rest)
    raise _unknown(f"Unknown fetch field: {name}")


def _unknown(text: str) -> Fatal:
    sys.stdout.flush()
    sys.stderr.write(f"Available fetch fields: {' '.join(NAMES)}\n")
    return Fatal(text)


def _header_field(rest: str) -> _Field:
    decodes = rest.endswith(".utf8")
    wanted = rest.removesuffix(".utf8").lower().encode()

    def value(message: Message) -> str:
        found = [
            field.value.strip(b" \t\r\n")
            for field in fields(message.summary.header)
            if field.name.lower() == wanted
        ]
        if decodes:
            return "\n".join(map(_decoded, found))
        return "\n".join(map(_lf, found))

    return _Field(value, needs=Fields.HEADER)


def _section(kind: str, rest: str) -> _Field:
    """`1.2` and `1.2.mime`"""
    words = rest.split(".")
    text = Text.ALL
    if words[-1].isalpha():
        if words[-1].upper() not in ("HEADER", "TEXT", "MIME"):
            raise _unknown(f"Unknown fetch section: {words[-1]}")
        text = Text[words.pop().upper()]
    if not all(is_decimal_text(word, max_digits=5) for word in words):
        raise _unknown(f"Unknown fetch section: {rest}")
    section = Section(tuple(int(word) for word in words), text)

    def value(message: Message) -> Cell:
        if kind == "binary" and text is Text.ALL:
            part = find_part(message.part, section.path)
            return _decoded_part(message, part) if part is not None else ""
        found = locate(message.part, section)
        return _piece(message, *found, lf=False) if found is not None else ""

    return _Field(value, whole=True, is_text=True)
