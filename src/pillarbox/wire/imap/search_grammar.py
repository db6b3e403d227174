"""SEARCH: `search-key` with its charset and its return options.

FAULTS
    BadSyntax  as `scanner` says.
    Refusal    `[BADCHARSET …]`: a charset that we do not know, or text that is not in it.

STANDARDS
    RFC 3501 §6.4.4, §9 (search-key); RFC 4731 §3.1 (RETURN); RFC 5032 §3 (WITHIN); RFC 7162
    §3.1.5 (MODSEQ); RFC 5182 (SAVE); RFC 5267 §4 (UPDATE, CONTEXT, PARTIAL); RFC 6203 (FUZZY); RFC 8514 §4.3
    (SAVEDATE); RFC 8474 §6 (OBJECTID); RFC 9394 (PARTIAL)
"""

import re
from collections.abc import Callable
from typing import Final

from pillarbox.message.charsets import codec_of
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.number_set import NumberSet
from pillarbox.wire.imap.commands import Search
from pillarbox.wire.imap.dates import search_date
from pillarbox.wire.imap.fetch_items import FetchItems
from pillarbox.wire.imap.message_grammar import fetch_list
from pillarbox.wire.imap.partial_range import partial_range
from pillarbox.wire.imap.scanner import BadSyntax, Refusal, Scanner
from pillarbox.wire.imap.search_keys import (
    AddressHas,
    Age,
    All,
    And,
    Arrived,
    BelongsTo,
    BodyHas,
    DateTest,
    EmailIs,
    GuidIs,
    HasFlags,
    HasKeyword,
    HeaderHas,
    IsRecent,
    MailboxIs,
    ModSeqSince,
    Not,
    Numbers,
    Or,
    ResultOptions,
    Saved,
    SearchKey,
    SearchResult,
    Sent,
    Size,
    TextHas,
    Uids,
)

MAX_MODSEQ: Final = (1 << 63) - 1
"""RFC 7162 §7: mod-sequence-value"""
MAX_DEPTH: Final = 100
"""Parentheses, NOT and OR within each other."""

BARE_KEYS: Final[dict[bytes, SearchKey]] = {
    b"ALL": All(),
    b"SAVEDATESUPPORTED": All(),  # RFC 8514 §4.3: all messages, where the mailbox has save dates
    b"ANSWERED": HasFlags(Flag.ANSWERED, wanted=True),
    b"DELETED": HasFlags(Flag.DELETED, wanted=True),
    b"DRAFT": HasFlags(Flag.DRAFT, wanted=True),
    b"FLAGGED": HasFlags(Flag.FLAGGED, wanted=True),
    b"SEEN": HasFlags(Flag.SEEN, wanted=True),
    b"UNANSWERED": HasFlags(Flag.ANSWERED, wanted=False),
    b"UNDELETED": HasFlags(Flag.DELETED, wanted=False),
    b"UNDRAFT": HasFlags(Flag.DRAFT, wanted=False),
    b"UNFLAGGED": HasFlags(Flag.FLAGGED, wanted=False),
    b"UNSEEN": HasFlags(Flag.SEEN, wanted=False),
    b"RECENT": IsRecent(wanted=True),
    b"OLD": IsRecent(wanted=False),
    # "NEW: … functionally equivalent to (RECENT UNSEEN)"
    b"NEW": And((IsRecent(wanted=True), HasFlags(Flag.SEEN, wanted=False))),
}
ADDRESS_KEYS: Final = (b"BCC", b"CC", b"FROM", b"TO")
_RESULTS: Final = {
    b"MIN": SearchResult.MIN,
    b"MAX": SearchResult.MAX,
    b"ALL": SearchResult.ALL,
    b"COUNT": SearchResult.COUNT,
    b"SAVE": SearchResult.SAVE,
    b"UPDATE": SearchResult.UPDATE,
    b"CONTEXT": SearchResult.CONTEXT,
    b"PARTIAL": SearchResult.PARTIAL,
    b"RELEVANCY": SearchResult.RELEVANCY,
}
_OBJECT_ID: Final = re.compile(rb"[A-Za-z0-9_-]{1,255}")
# Python passes over punctuation before and behind a name.
_CHARSET: Final = re.compile(rb"[A-Za-z0-9](?:[\x21-\x7e]*[A-Za-z0-9])?")
_BAD_CHARSET: Final = "[BADCHARSET] "


def search(tag: bytes, scanner: Scanner, *, by_uid: bool) -> Search:
    """`search = "SEARCH" [search-return-opts] [SP "CHARSET" SP astring] 1*(SP search-key)`"""
    scanner.space_or("Missing search parameters")
    result = take_return_options(scanner)
    charset, names_charset = "utf-8", False
    try:
        if scanner.take_word(b"CHARSET"):
            scanner.space_or("Invalid charset argument")
            charset, names_charset = known_charset(scanner), True
            scanner.space_or("Missing search parameters")
        return Search(tag, by_uid, keys_to_end(scanner, charset), result, names_charset)
    except Refusal as refusal:
        refusal.forgets_result = saves(result)
        raise


def saves(result: ResultOptions | None) -> bool:
    """Whether the result is to be kept as `$`."""
    return result is not None and SearchResult.SAVE in result.what


def keys_to_end(scanner: Scanner, charset: str) -> SearchKey:
    """`search-key *(SP search-key)` up to the end of the command, texts in that codec"""
    if scanner.at_end:
        raise BadSyntax("Missing search parameters")
    return _KeyReader(scanner, charset).keys_to_end()


def take_return_options(scanner: Scanner) -> ResultOptions | None:
    """`"RETURN" SP "(" … ")"` and the space behind it, if they are there"""
    if not scanner.take_word(b"RETURN"):
        return None
    if not scanner.take_space() or not scanner.at(b"("):
        raise BadSyntax("Unknown argument RETURN")
    options = _return_options(scanner)
    scanner.space_or("Missing search parameters")
    return options


def known_charset(scanner: Scanner) -> str:
    """The codec of the charset that comes next.  Raises Refusal."""
    name = scanner.astring()
    known = codec_of(name) if _CHARSET.fullmatch(name) is not None else None
    if known is None:
        raise Refusal(_BAD_CHARSET + "Unknown charset")
    return known


def _return_options(scanner: Scanner) -> ResultOptions:
    """`search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"`"""
    scanner.expect_open()
    options = SearchResult(0)
    partial = (0, 0)
    fetch: FetchItems | None = None
    first = True
    while not scanner.take_close():
        if not first:
            scanner.space()
        first = False
        option = _RESULTS.get(scanner.word())
        if option is None:
            raise BadSyntax("Unknown SEARCH return option")
        if option is SearchResult.PARTIAL:
            if options & SearchResult.PARTIAL:
                raise BadSyntax("PARTIAL can be used only once")
            partial = partial_range(scanner)
        if option is SearchResult.UPDATE and scanner.at(b" ("):  # RFC 5465 §8 (modifier-update)
            scanner.space()
            fetch = fetch_list(scanner)
        options |= option
    if not options & ~SearchResult.CONTEXT:
        options |= SearchResult.ALL  # RFC 4731 §3.1: "()" is the same as "(ALL)"
    if SearchResult.PARTIAL in options and SearchResult.ALL in options:
        raise BadSyntax("PARTIAL conflicts with ALL")  # RFC 5267 §4.4
    return ResultOptions(options, partial, fetch)


class _KeyReader:
    """Keys behind one scanner."""

    def __init__(self, scanner: Scanner, charset: str) -> None:
        self._scanner = scanner
        self._charset = charset
        self._depth = 0

    def keys_to_end(self) -> SearchKey:
        """`search-key *(SP search-key)` up to the end of the command"""
        keys = [self._key()]
        while self._scanner.take_space() and not self._scanner.at_end:
            keys.append(self._key())
        self._scanner.end()
        return keys[0] if len(keys) == 1 else And(tuple(keys))

    def _key(self) -> SearchKey:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise BadSyntax("Too many nested search keys")
        key = self._one_key()
        self._depth -= 1
        return key

    def _one_key(self) -> SearchKey:
        scanner = self._scanner
        if scanner.take_open():
            return self._group()
        if scanner.looks_like_sequence_set():
            return Numbers(scanner.sequence_set())
        if scanner.at_end:
            raise BadSyntax("Missing argument")
        name = scanner.word(reason="Invalid argument")
        bare = BARE_KEYS.get(name)
        if bare is not None:
            return bare
        if name in ADDRESS_KEYS:
            return AddressHas(name, self._text(name))
        parser = _WITH_ARGUMENTS.get(name)
        if parser is None:
            raise BadSyntax(f"Unknown argument {name.decode('ascii')}")
        return parser(self, name)

    def _group(self) -> SearchKey:
        if self._scanner.at_close():
            raise BadSyntax("No search parameters inside list")
        keys = [self._key()]
        while not self._scanner.take_close():
            self._scanner.space()
            keys.append(self._key())
        return keys[0] if len(keys) == 1 else And(tuple(keys))

    def _argument(self, name: bytes) -> bytes:
        text = self._scanner.take_astring() if self._scanner.take_space() else None
        if text is None:
            raise _missing(name)
        return text

    def _parameter(self, name: bytes) -> None:
        """The space before a key's number."""
        if not self._scanner.take_space() or self._scanner.at_end:
            raise _missing(name)

    def _text(self, name: bytes) -> str:
        try:
            return self._argument(name).decode(self._charset)
        except UnicodeError:
            raise Refusal(_BAD_CHARSET + "Text is not in the given charset") from None

    # Keys with arguments; each is called with the name of its key.

    def negation(self, name: bytes) -> SearchKey:
        """`"NOT" SP search-key`"""
        self._next_key()
        return Not(self._key())

    def alternative(self, name: bytes) -> SearchKey:
        """`"OR" SP search-key SP search-key`

        Programs write `OR a OR b OR c d` for hundreds of keys: that is no deeper than one of them.
        """
        keys: list[SearchKey] = []
        while True:
            self._next_key()
            keys.append(self._key())
            self._next_key()
            if not self._scanner.take_word(b"OR"):
                keys.append(self._key())
                return _any_of(keys)

    def _next_key(self) -> None:
        if not self._scanner.take_space():
            raise BadSyntax("Missing argument")

    def uid(self, name: bytes) -> SearchKey:
        """`"UID" SP sequence-set`"""
        text = name.decode("ascii")
        self._scanner.space_or(f"Missing parameter for search key (for search key: {text})")
        return Uids(self._scanner.sequence_set(reason="Invalid UID messageset"))

    def keyword(self, name: bytes) -> SearchKey:
        """`"KEYWORD" SP flag-keyword`"""
        return HasKeyword(self._argument(name), wanted=name == b"KEYWORD")

    def arrived(self, name: bytes) -> SearchKey:
        """`"SINCE" SP date`"""
        return Arrived(DateTest[name.decode("ascii")], search_date(self._argument(name)))

    def saved(self, name: bytes) -> SearchKey:
        """`"SAVEDSINCE" SP date`  RFC 8514"""
        test = DateTest[name.removeprefix(b"X-").removeprefix(b"SAVED").decode("ascii")]
        return Saved(test, search_date(self._argument(name)))

    def fuzzy(self, name: bytes) -> SearchKey:
        """`"FUZZY" SP search-key`  RFC 6203: we find what matches exactly, and all of it is equally relevant"""
        self._next_key()
        return self._key()

    def sent(self, name: bytes) -> SearchKey:
        """`"SENTSINCE" SP date`"""
        test = DateTest[name.removeprefix(b"SENT").decode("ascii")]
        return Sent(test, search_date(self._argument(name)))

    def age(self, name: bytes) -> SearchKey:
        """`"OLDER" SP nz-number`"""
        self._parameter(name)
        seconds = self._scanner.number(reason="Invalid search interval parameter")
        if seconds == 0:
            raise BadSyntax("Invalid search interval parameter")
        return Age(seconds, older=name == b"OLDER")

    def size(self, name: bytes) -> SearchKey:
        """`"LARGER" SP number`"""
        self._parameter(name)
        octets = self._scanner.number(reason="Invalid search size parameter", maximum=(1 << 63) - 1)
        return Size(octets, larger=name == b"LARGER")

    def modseq(self, name: bytes) -> SearchKey:
        """`"MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer`

        There is one mod-sequence for all of a message's flags, so that the entry means nothing.
        """
        scanner = self._scanner
        scanner.space_or("Missing parameter for search key (for search key: MODSEQ)")
        if not scanner.looks_like_sequence_set():
            if not scanner.astring().lower().startswith(b"/flags/"):
                raise BadSyntax("Invalid MODSEQ value")
            scanner.space()
            if scanner.word() not in (b"PRIV", b"SHARED", b"ALL"):
                raise BadSyntax("Invalid MODSEQ type")
            scanner.space()
        return ModSeqSince(scanner.number(reason="Invalid MODSEQ value", maximum=MAX_MODSEQ))

    def subject(self, name: bytes) -> SearchKey:
        """`"SUBJECT" SP astring`"""
        return HeaderHas(name, self._text(name))

    def header(self, name: bytes) -> SearchKey:
        """`"HEADER" SP header-fld-name SP astring`"""
        field = self._argument(name).upper()
        return HeaderHas(field, self._text(name))

    def email_id(self, name: bytes) -> SearchKey:
        """`"EMAILID" SP objectid`  RFC 8474 §6.1"""
        return EmailIs(self._object_id(name))

    def guid(self, name: bytes) -> SearchKey:
        """`"X-GUID" SP astring`"""
        return GuidIs(self._argument(name))

    def mailbox(self, name: bytes) -> SearchKey:
        """`"X-MAILBOX" SP mailbox`"""
        return MailboxIs(self._argument(name))

    def thread_id(self, name: bytes) -> SearchKey:
        """`"THREADID" SP objectid`"""
        return BelongsTo(self._object_id(name))

    def _object_id(self, name: bytes) -> bytes:
        """`objectid = 1*255(ALPHA / DIGIT / "_" / "-")`"""
        text = self._argument(name)
        if _OBJECT_ID.fullmatch(text) is None:
            raise BadSyntax(f"Invalid {name.decode('ascii')} parameter")
        return text

    def body(self, name: bytes) -> SearchKey:
        """`"BODY" SP astring`"""
        return BodyHas(self._text(name))

    def text(self, name: bytes) -> SearchKey:
        """`"TEXT" SP astring`"""
        return TextHas(self._text(name))


def _missing(name: bytes) -> BadSyntax:
    return BadSyntax(f"Missing parameter for search key (for search key: {name.decode('ascii')})")


def _any_of(keys: list[SearchKey]) -> SearchKey:
    """OR of all keys, as flat as two at a time can be; sets of messages become one, so that each is not looked for
    by itself (`OR UID 1 OR UID 2 UID 5`)."""
    uids = [key.uids for key in keys if isinstance(key, Uids) and not key.uids.saved]
    if len(uids) > 1:
        keys = [Uids(_union(uids)), *(key for key in keys if not isinstance(key, Uids) or key.uids.saved)]
    numbers = [key.numbers for key in keys if isinstance(key, Numbers) and not key.numbers.saved]
    if len(numbers) > 1:
        others = (key for key in keys if not isinstance(key, Numbers) or key.numbers.saved)
        keys = [Numbers(_union(numbers)), *others]
    return _halved(keys)


def _union(sets: list[NumberSet]) -> NumberSet:
    return NumberSet(tuple([ends for one in sets for ends in one.ranges]))


def _halved(keys: list[SearchKey]) -> SearchKey:
    if len(keys) == 1:
        return keys[0]
    middle = len(keys) // 2
    return Or(_halved(keys[:middle]), _halved(keys[middle:]))


_WITH_ARGUMENTS: Final[dict[bytes, Callable[[_KeyReader, bytes], SearchKey]]] = {
    b"NOT": _KeyReader.negation,
    b"OR": _KeyReader.alternative,
    b"UID": _KeyReader.uid,
    b"SUBJECT": _KeyReader.subject,
    b"KEYWORD": _KeyReader.keyword,
    b"UNKEYWORD": _KeyReader.keyword,
    b"BEFORE": _KeyReader.arrived,
    b"ON": _KeyReader.arrived,
    b"SINCE": _KeyReader.arrived,
    b"SENTBEFORE": _KeyReader.sent,
    b"SENTON": _KeyReader.sent,
    b"SENTSINCE": _KeyReader.sent,
    b"SAVEDBEFORE": _KeyReader.saved,
    b"SAVEDON": _KeyReader.saved,
    b"SAVEDSINCE": _KeyReader.saved,
    b"X-SAVEDBEFORE": _KeyReader.saved,
    b"X-SAVEDON": _KeyReader.saved,
    b"X-SAVEDSINCE": _KeyReader.saved,
    b"X-GUID": _KeyReader.guid,
    b"X-MAILBOX": _KeyReader.mailbox,
    b"X-REAL-UID": _KeyReader.uid,
    b"FUZZY": _KeyReader.fuzzy,
    b"OLDER": _KeyReader.age,
    b"YOUNGER": _KeyReader.age,
    b"LARGER": _KeyReader.size,
    b"MODSEQ": _KeyReader.modseq,
    b"SMALLER": _KeyReader.size,
    b"HEADER": _KeyReader.header,
    b"EMAILID": _KeyReader.email_id,
    b"THREADID": _KeyReader.thread_id,
    b"BODY": _KeyReader.body,
    b"TEXT": _KeyReader.text,
}
