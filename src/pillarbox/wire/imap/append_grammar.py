"""APPEND and REPLACE, whose literals are messages: each is offered to the session before it comes.

FAULTS
    BadSyntax, Refusal  as `scanner` says.

STANDARDS
    RFC 3501 §6.3.11; RFC 3502 (MULTIAPPEND); RFC 3516 §4.4 (literal8); RFC 4469 (CATENATE); RFC 6855 §4 (UTF8);
    RFC 8508 (REPLACE)
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from pillarbox.vocabulary.flags import Flag
from pillarbox.wire.imap.commands import Append, Appended, AppendOffer, Replace, Url
from pillarbox.wire.imap.dates import date_time
from pillarbox.wire.imap.flag_grammar import flag_list
from pillarbox.wire.imap.fragments import Streamed
from pillarbox.wire.imap.scanner import BadSyntax, Refusal, Scanner

MAX_PARTS: Final = 1000
"""Parts of one CATENATE."""


class _UrlComes(Exception):
    """A literal has not come yet that is no message."""


class _Comes(Exception):
    """A message's literal has not come yet; the argument says how many octets of messages have."""

    def __init__(self, octets: int) -> None:
        super().__init__()
        self.octets = octets


def append_offer(tag: bytes, scanner: Scanner, announced: int, *, synchronizing: bool) -> AppendOffer | None:
    """What has come of APPEND up to a literal of `announced` octets, the literal not yet.

    None if that literal is no message but the name of the mailbox, or a URL.
    """
    return _offer(tag, scanner, announced, synchronizing=synchronizing)


def replace_offer(tag: bytes, scanner: Scanner, announced: int, *, synchronizing: bool) -> AppendOffer | None:
    """The same for REPLACE."""
    scanner.space()
    scanner.sequence_set()
    return _offer(tag, scanner, announced, synchronizing=synchronizing)


def _offer(tag: bytes, scanner: Scanner, announced: int, *, synchronizing: bool) -> AppendOffer | None:
    scanner.space()
    if scanner.at_announcement():
        return None
    mailbox = scanner.mailbox()
    try:
        for _ in _messages(scanner):
            pass
    except _Comes as coming:
        return AppendOffer(tag, mailbox, announced, coming.octets + announced, synchronizing)
    except _UrlComes:
        return None
    raise BadSyntax("Invalid arguments")


def append(tag: bytes, scanner: Scanner) -> Append:
    """`append = "APPEND" SP mailbox 1*append-message`  RFC 3502 §6.3.11"""
    scanner.space()
    mailbox = scanner.mailbox()
    messages = _all_messages(scanner)
    scanner.end()
    if not messages:
        raise BadSyntax("Missing message size")
    return Append(tag, mailbox, messages)


@lru_cache(maxsize=256)
def read_before(words: bytes, *, utf8_names: bool) -> Append | None:
    """APPEND of one message as it is said up to the literal, which is `-` here: a client says the same of many.

    None if more than the literal has to follow, and of what is no command at all.
    """
    scanner = Scanner([words + b"{1}", b"-", b""], utf8_names=utf8_names)
    try:
        scanner.word()
        command = append(b"", scanner)
    except (BadSyntax, Refusal):
        return None
    return command if [message.content for message in command.messages] == [b"-"] else None


def replace(tag: bytes, scanner: Scanner, *, by_uid: bool) -> Replace:
    """`replace = ["UID" SP] "REPLACE" SP seq-number SP mailbox append-message`  RFC 8508 §3"""
    scanner.space()
    messages = scanner.sequence_set(reason="Invalid uidset" if by_uid else "Invalid messageset")
    scanner.space()
    mailbox = scanner.mailbox()
    appended = _all_messages(scanner)
    scanner.end()
    if len(appended) != 1 or messages.saved or len(messages.ranges) != 1 or len(set(messages.ranges[0])) != 1:
        raise BadSyntax("Invalid arguments")
    return Replace(tag, by_uid, messages, mailbox, appended[0])


def _all_messages(scanner: Scanner) -> tuple[Appended, ...]:
    """Of a command that is complete: what looks like the announcement of a literal there was none."""
    try:
        return tuple(_messages(scanner))
    except (_Comes, _UrlComes):
        raise BadSyntax("Invalid arguments") from None


def _messages(scanner: Scanner) -> Iterator[Appended]:
    """`append-message = [SP flag-list] [SP date-time] SP append-data`, one after the other"""
    octets = 0
    while scanner.take_space() and not scanner.at_end:
        flags, keywords, internal_date = _options(scanner)
        if scanner.take_word(b"CATENATE"):
            scanner.space_or("Invalid arguments")
            parts = _catenation(scanner, octets)
            octets += sum(_size(part) for part in parts if isinstance(part, bytes))
            yield Appended(b"", flags, keywords, internal_date, parts)
            continue
        utf8 = scanner.take_word(b"UTF8")
        if utf8:
            scanner.space_or("Invalid arguments")
            scanner.expect_open()
        content = _literal(scanner, octets)
        if utf8:
            scanner.expect_close()
        octets += _size(content)
        yield Appended(content, flags, keywords, internal_date)


def _options(scanner: Scanner) -> tuple[Flag, tuple[bytes, ...], int | None]:
    """Flags and date.

    Quirk: the space behind either may be missing, as it may for Dovecot: emailjs-imap-client sends `(){29}`.
    """
    flags = Flag.NONE
    keywords: tuple[bytes, ...] = ()
    internal_date = None
    if scanner.take_open():
        flags, keywords = flag_list(scanner)
        _optional_space(scanner)
    if not scanner.at_announcement() and scanner.take(b'"'):
        internal_date = date_time(scanner)
        _optional_space(scanner)
    return flags, keywords, internal_date


def _optional_space(scanner: Scanner) -> None:
    if not (scanner.take_space() or scanner.at(b"{") or scanner.at(b"~{") or scanner.at(b'"')):
        raise BadSyntax("Invalid arguments")


def _catenation(scanner: Scanner, before: int) -> tuple[bytes | Url, ...]:
    """`"(" cat-part *(SP cat-part) ")"`, `cat-part = "TEXT" SP literal / "URL" SP astring`  RFC 4469 §5"""
    scanner.expect_open()
    if scanner.take_close():
        raise BadSyntax("Empty CATENATE list")
    parts: list[bytes | Url] = []
    octets = before
    while True:
        name = scanner.word()
        scanner.space_or("Invalid arguments")
        if name == b"TEXT":
            text = _literal(scanner, octets)
            octets += _size(text)
            parts.append(text)
        elif name == b"URL":
            if scanner.at_announcement():
                raise _UrlComes
            parts.append(Url(scanner.astring()))
        else:
            raise BadSyntax("Invalid arguments")
        if len(parts) > MAX_PARTS:
            raise BadSyntax("Too many CATENATE parts")
        if scanner.take_close():
            return tuple(parts)
        scanner.space()


def _size(literal: bytes) -> int:
    return literal.size if isinstance(literal, Streamed) else len(literal)


def _literal(scanner: Scanner, octets: int) -> bytes:
    if scanner.at_announcement():
        raise _Comes(octets)
    content = None if scanner.at(b'"') else scanner.take_string()
    if content is None:
        raise BadSyntax("Invalid arguments")
    return content
