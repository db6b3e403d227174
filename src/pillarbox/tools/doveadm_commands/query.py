"""doveadm-search-query(7): which messages of which mailboxes.

DESCRIPTION
    The words are IMAP's search keys, with these differences: MAILBOX and MAILBOX-GUID choose mailboxes; OR
    stands between keys, and makes all keys of its parentheses (or of the query) alternatives; dates may be
    `2024-12-31`, seconds since 1970, or an interval before now (`30d`).

FAULTS
    Fatal  `Unknown argument FROB` and the like
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from pillarbox.config.dovecot import value_types
from pillarbox.tools.doveadm_commands.faults import EX_USAGE, Fatal
from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.number_set import NumberSet
from pillarbox.wire.imap import search_keys as keys
from pillarbox.wire.imap.dates import search_date
from pillarbox.wire.imap.scanner import BadSyntax
from pillarbox.wire.imap.search_grammar import ADDRESS_KEYS, BARE_KEYS
from pillarbox.wire.imap.search_keys import DateTest, SearchKey

MAX_DEPTH: Final = 50
"""Parentheses and NOT within each other."""
_DAY: Final = 86400
_ISO: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_NOTHING: Final = keys.Not(keys.All())


class InMailbox(msgspec.Struct, frozen=True):
    """`MAILBOX name`, or a mask with `*` and `%`."""

    mask: str

    def fits(self, name: str) -> bool:
        """Whether it is this mailbox."""
        if self.mask.upper() == "INBOX":
            return name == "INBOX"
        return fnmatchcase(name, self.mask.replace("[", "[[]").replace("%", "*"))


class InMailboxGuid(msgspec.Struct, frozen=True):
    """`MAILBOX-GUID guid`"""

    guid: str


class Every(msgspec.Struct, frozen=True):
    """All of them."""

    nodes: "tuple[Node, ...]"


class Some(msgspec.Struct, frozen=True):
    """One of them."""

    nodes: "tuple[Node, ...]"


class Except(msgspec.Struct, frozen=True):
    """`NOT`"""

    node: "Node"


class Matching(msgspec.Struct, frozen=True):
    """A key about messages."""

    key: SearchKey


Node = InMailbox | InMailboxGuid | Every | Some | Except | Matching


class Query(msgspec.Struct, frozen=True):
    """A whole query."""

    node: Node

    @property
    def named(self) -> list[str]:
        """Mailboxes that are named, not by a mask."""
        return [
            one.mask for one in _mailboxes(self.node) if isinstance(one, InMailbox) and not is_mask(one.mask)
        ]

    @property
    def masks(self) -> list[str]:
        """Mailboxes that are named, masks too."""
        return [one.mask for one in _mailboxes(self.node) if isinstance(one, InMailbox)]

    @property
    def asks_guid(self) -> bool:
        """Whether mailboxes are chosen by GUID."""
        return any(isinstance(one, InMailboxGuid) for one in _mailboxes(self.node))

    def within(self, name: str, guid: str) -> SearchKey | None:
        """What it asks of the messages of a mailbox; None if of none."""
        key = _within(self.node, name, guid)
        return None if key == _NOTHING else key

    def check_expunge(self) -> None:
        """Fatal unless every branch names mailboxes, and something else."""
        if not _always(self.node, lambda node: isinstance(node, InMailbox | InMailboxGuid)):
            raise Fatal(
                "expunge: To avoid accidents, search query must contain MAILBOX in all search branches",
                status=EX_USAGE,
            )
        if not _always(self.node, lambda node: isinstance(node, Matching | Except)):
            raise Fatal(
                "expunge: To avoid accidents, each branch in search query must contain something else besides "
                'MAILBOX (e.g. just add "all" if you want everything)',
                status=EX_USAGE,
            )


def is_mask(text: str) -> bool:
    """Whether it stands for many names."""
    return "*" in text or "%" in text


def parse(words: Sequence[str], *, now: int) -> Query:
    """The query that the words of a command line are; `now` in seconds since 1970.  Fatal."""
    reader = _Reader(words, now)
    node = reader.block(depth=0)
    return Query(node)


def _mailboxes(node: Node) -> Iterator[InMailbox | InMailboxGuid]:
    match node:
        case Every(nodes) | Some(nodes):
            for one in nodes:
                yield from _mailboxes(one)
        case Except(inner):
            yield from _mailboxes(inner)
        case InMailbox() | InMailboxGuid():
            yield node


def _always(node: Node, holds: Callable[[Node], bool]) -> bool:
    """Whether a part that `holds` is in all branches."""
    match node:
        case Every(nodes):
            return any(_always(one, holds) for one in nodes)
        case Some(nodes):
            return all(_always(one, holds) for one in nodes)
        case _:
            return holds(node)


def _within(node: Node, name: str, guid: str) -> SearchKey:
    match node:
        case InMailbox():
            return keys.All() if node.fits(name) else _NOTHING
        case InMailboxGuid(wanted):
            return keys.All() if wanted.lower() == guid else _NOTHING
        case Matching(key):
            return key
        case Except(inner):
            key = _within(inner, name, guid)
            return key.key if isinstance(key, keys.Not) else keys.Not(key)
        case Every(nodes):
            found = [key for one in nodes if (key := _within(one, name, guid)) != keys.All()]
            if _NOTHING in found:
                return _NOTHING
            return keys.All() if not found else keys.And(tuple(found)) if len(found) > 1 else found[0]
        case Some(nodes):
            found = [key for one in nodes if (key := _within(one, name, guid)) != _NOTHING]
            if not found:
                return _NOTHING
            if keys.All() in found:
                return keys.All()
            whole = found[0]
            for key in found[1:]:
                whole = keys.Or(whole, key)
            return whole


class _Reader:
    """Words one after the other."""

    def __init__(self, words: Sequence[str], now: int) -> None:
        self._words = list(words)
        self._at = 0
        self._now = now

    def block(self, *, depth: int) -> Node:
        """Keys up to the closing parenthesis, or the end."""
        if depth > MAX_DEPTH:
            raise Fatal("Too many nested search keys")
        nodes: list[Node] = []
        is_or = joined = False
        while self._at < len(self._words):
            word = self._words[self._at]
            if word == ")":
                if not depth:
                    raise Fatal("Unexpected ')'")
                break
            if word.upper() == "OR":
                self._at += 1
                is_or = joined = True
                continue
            if is_or and not joined:
                raise Fatal("Use parenthesis when mixing ANDs and ORs")
            nodes.append(self._key(depth))
            joined = False
        else:
            if depth:
                raise Fatal("Missing ')'")
        if (is_or and joined) or not nodes:
            raise Fatal("Missing argument")
        if len(nodes) == 1:
            return nodes[0]
        return Some(tuple(nodes)) if is_or else Every(tuple(nodes))

    def _key(self, depth: int) -> Node:
        if self._at >= len(self._words):
            raise Fatal("Missing argument")
        word = self._words[self._at]
        self._at += 1
        if word == "(":
            node = self.block(depth=depth + 1)
            self._at += 1
            return node
        name = word.upper()
        match name:
            case "NOT":
                return Except(self._key(depth + 1))
            case "MAILBOX" | "X-MAILBOX":
                return InMailbox(self._argument(name))
            case "MAILBOX-GUID":
                return InMailboxGuid(self._argument(name))
        return Matching(self._message_key(name, word))

    def _message_key(self, name: str, word: str) -> SearchKey:
        octets = name.encode("utf-8", "surrogateescape")
        bare = BARE_KEYS.get(octets)
        if bare is not None:
            return bare
        if octets in ADDRESS_KEYS:
            return keys.AddressHas(octets, self._argument(name))
        made = _WITH_ARGUMENTS.get(name)
        if made is not None:
            return made(self, name)
        try:
            return keys.Numbers(NumberSet.parse(octets))
        except ValueError:
            raise Fatal(f"Unknown argument {name}") from None

    def _argument(self, name: str) -> str:
        if self._at >= len(self._words):
            raise Fatal(f"Missing parameter for search key (for search key: {name})")
        self._at += 1
        return self._words[self._at - 1]

    def subject(self, name: str) -> SearchKey:
        """SUBJECT text"""
        return keys.HeaderHas(b"SUBJECT", self._argument(name))

    def header(self, name: str) -> SearchKey:
        """HEADER field text"""
        field = self._argument(name).upper().encode("utf-8", "surrogateescape")
        return keys.HeaderHas(field, self._argument(name))

    def text(self, name: str) -> SearchKey:
        """BODY and TEXT"""
        return (keys.BodyHas if name == "BODY" else keys.TextHas)(self._argument(name))

    def keyword(self, name: str) -> SearchKey:
        """KEYWORD and UNKEYWORD"""
        text = self._argument(name).encode("utf-8", "surrogateescape")
        return keys.HasKeyword(text, wanted=name == "KEYWORD")

    def uid(self, name: str) -> SearchKey:
        """UID set"""
        try:
            return keys.Uids(NumberSet.parse(self._argument(name).encode("utf-8", "surrogateescape")))
        except ValueError:
            raise Fatal("Invalid UID messageset") from None

    def size(self, name: str) -> SearchKey:
        """LARGER and SMALLER: octets, or with a unit as in dovecot.conf"""
        try:
            number = value_types.octets(value_types.canonical("size", self._argument(name)))
        except ValueError:
            raise Fatal("Invalid search size parameter") from None
        return keys.Size(number, larger=name == "LARGER")

    def age(self, name: str) -> SearchKey:
        """OLDER and YOUNGER: seconds"""
        number = self._number(name, "Invalid search interval parameter")
        if not number:
            raise Fatal("Invalid search interval parameter")
        return keys.Age(number, older=name == "OLDER")

    def modseq(self, name: str) -> SearchKey:
        """MODSEQ number"""
        return keys.ModSeqSince(self._number(name, "Invalid MODSEQ value"))

    def _number(self, name: str, fault: str) -> int:
        try:
            return decimal(self._argument(name).encode("utf-8", "surrogateescape"))
        except ValueError:
            raise Fatal(fault) from None

    def date(self, name: str) -> SearchKey:
        """BEFORE, ON, SINCE, and the same of SENT and SAVED"""
        day, utc = self._day(self._argument(name))
        if name.startswith("SENT"):
            return keys.Sent(DateTest[name.removeprefix("SENT")], day)
        if name.startswith("SAVED"):
            return keys.Saved(DateTest[name.removeprefix("SAVED")], day, utc)
        return keys.Arrived(DateTest[name], day, utc)

    def _day(self, text: str) -> tuple[float, bool]:
        """Days since 1970, and whether they are those of UTC: a moment, or an interval before now."""
        try:
            return day_of(text, now=self._now)
        except ValueError:
            raise Fatal(f"Invalid search date parameter: {text}") from None


def day_of(text: str, *, now: int) -> tuple[float, bool]:
    """Days since 1970, and whether they are those of UTC: a date, seconds since 1970, or an interval before `now`.

    ValueError if it is none of them.
    """
    try:
        if match := _ISO.fullmatch(text):
            return date(int(match[1]), int(match[2]), int(match[3])).toordinal() - _EPOCH, False
        if text.isascii() and text.isdigit():
            return decimal(text.encode(), max_digits=12) / _DAY, True
        if text[:1].isdigit() and "-" in text:
            return search_date(text.encode("utf-8", "surrogateescape")), False
        return (now - value_types.seconds(value_types.canonical("time", text))) / _DAY, True
    except BadSyntax as error:
        raise ValueError(text) from error


_EPOCH: Final = date(1970, 1, 1).toordinal()
_WITH_ARGUMENTS: Final[dict[str, Callable[[_Reader, str], SearchKey]]] = {
    "SUBJECT": _Reader.subject,
    "HEADER": _Reader.header,
    "BODY": _Reader.text,
    "TEXT": _Reader.text,
    "KEYWORD": _Reader.keyword,
    "UNKEYWORD": _Reader.keyword,
    "UID": _Reader.uid,
    "LARGER": _Reader.size,
    "SMALLER": _Reader.size,
    "OLDER": _Reader.age,
    "YOUNGER": _Reader.age,
    "MODSEQ": _Reader.modseq,
    **{prefix + test: _Reader.date for prefix in ("", "SENT", "SAVED") for test in ("BEFORE", "ON", "SINCE")},
}
