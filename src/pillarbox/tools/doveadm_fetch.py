"""doveadm fetch: what there is to know of a message, field by field.

DESCRIPTION
    Texts have LF line ends, as files have; imap.* and body.<section> are as IMAP gives them.

FAULTS
    Fatal  a field that there is not; the list of those there are goes before it
"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from pillarbox.mailstore.mailbox import Fields, Mailbox, MessageGone, MessageSummary
from pillarbox.mailstore.maildir import MaildirMailbox
from pillarbox.mailstore.view import MailboxView
from pillarbox.message import mime_tree
from pillarbox.message.encoded_words import decode_words
from pillarbox.message.header_fields import fields, split
from pillarbox.message.mime_tree import Part
from pillarbox.message.part_content import decoded_body, text_of
from pillarbox.message.sections import Section, Text, find_part, locate
from pillarbox.message.structured_fields import parse_date
from pillarbox.sessions.imap.flag_rendering import FlagRenderer
from pillarbox.tools.doveadm_faults import Fatal
from pillarbox.vocabulary.identifiers import Uid


class Message(msgspec.Struct):
    """A message, and what is known of it; `content` with CRLF, empty unless it is wanted."""

    user: str
    mailbox: Mailbox
    name: str
    sequence: int
    summary: MessageSummary
    flags: str
    content: bytes = b""
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

    value: Callable[[Message], str]
    needs: Fields = Fields(0)
    whole: bool = False
    is_text: bool = False
    """Whether a pager puts it on lines of its own."""


def _lf(content: bytes) -> str:
    return content.replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape")


def _raw(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _body(message: Message) -> str:
    return _lf(split(message.content)[1])


def _header(message: Message) -> str:
    return _lf(split(message.content)[0])


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


def _text_utf8(message: Message) -> str:
    """The message with its parts decoded; what is around the parts is left out."""
    content, parts = message.content, list[str]()

    def add(part: Part) -> None:
        parts.append(_decoded_header(content[part.header_start : part.body_start]))
        if part.children:
            for child in part.children:
                add(child)
            return
        kind = part.content_type
        is_text = kind is None or kind.type.lower() in (b"text", b"message")
        parts.append(
            text_of(content, part).replace("\r\n", "\n") if is_text else _raw(decoded_body(content, part))
        )

    add(message.part)
    return "".join(parts)


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
    "text": _Field(lambda message: _lf(message.content), whole=True, is_text=True),
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

    async def rows(self, user: str, name: str, view: MailboxView, uids: Sequence[int]) -> list[list[str]]:
        """A row for each message that is still there."""
        flags, rows = FlagRenderer(view), list[list[str]]()
        for start in range(0, len(uids), BATCH):
            batch = [Uid(uid) for uid in uids[start : start + BATCH]]
            for summary in await view.mailbox.summaries(batch, self._needs):
                number, shown = view.number_of(summary.uid), flags.of_uid(summary.uid)
                if number is None or shown is None:
                    continue
                message = Message(user, view.mailbox, name, number, summary, shown.decode())
                try:
                    if self._whole:
                        content = await view.mailbox.content(summary.uid)
                        # What is printed is made in memory: this process ends with it.
                        message.content = (
                            content if isinstance(content, bytes) else b"".join(content.blocks())
                        )
                    rows.append([field.value(message) for field in self._fields])
                except MessageGone:
                    continue
        return rows


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
    if not all(word.isascii() and word.isdigit() and len(word) < 6 for word in words):
        raise _unknown(f"Unknown fetch section: {rest}")
    section = Section(tuple(int(word) for word in words), text)

    def value(message: Message) -> str:
        if kind == "binary" and text is Text.ALL:
            part = find_part(message.part, section.path)
            return _raw(decoded_body(message.content, part)) if part is not None else ""
        found = locate(message.part, section)
        return _raw(message.content[found[0] : found[1]]) if found is not None else ""

    return _Field(value, whole=True, is_text=True)
