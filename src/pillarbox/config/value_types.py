"""From the text of a value to what a program works with: booleans, times, sizes, lists, networks.

DESCRIPTION
    One function per kind of value, each from expanded text to a typed value.  The grammar is Postfix's:

        boolean   yes or no, in any case; nothing else
        number    decimal digits, less than 2**31; sizes less than 2**63
        time      a number with s, m, h, d or w; without a letter, the unit of the parameter's default
        mode      octal digits
        list      items separated by commas and whitespace; `{…}` keeps an item with blanks together
        networks  192.0.2.0/24  192.0.2.1  [2001:db8::]/32  host.example.org  .example.org  /file/name
                  type:table  and `!` before any of them; the first item that matches decides

FAULTS
    ValueError  with a text for the admin: what is wrong with the value.  The caller knows the parameter and
                the line.

STANDARDS
    RFC 4291 §2.2 (IPv6 address text); RFC 5952 is not required of what an admin writes
"""

import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, NewType

import msgspec

from pillarbox.config.logical_lines import BLANKS
from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.faults import TemporaryFault

if TYPE_CHECKING:  # most commands ask for no addresses
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Seconds = NewType("Seconds", float)
"""A span of time."""

Octets = NewType("Octets", int)
"""A size, which may have 64 bits where other numbers have 32."""

OctalMode = NewType("OctalMode", int)
"""Permission bits, as `0600`."""

UNITS: Final[dict[str, int]] = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
"""Seconds in each unit of time."""

_TIME: Final = re.compile(r"\+?([0-9]{1,10})([smhdw]?)")
_OCTAL: Final = re.compile(r"[0-7]{1,6}")
_TABLE: Final = re.compile(r"[a-z][a-z0-9_-]*:.*", re.DOTALL)
_HOST: Final = re.compile(r"(?!(?:\d+\.){2,}[^.]*\Z)(?=.*[^\d.])\.?[\w-]+(?:\.[\w-]+)*")
"""A host name or `.domain`; not `192.0.2.x`, which is meant for a network."""


def boolean(text: str) -> bool:
    """`yes` or `no`."""
    match text.lower():
        case "yes":
            return True
        case "no":
            return False
    raise ValueError(f'"{text}" is neither yes nor no')


def number(text: str, *, bits: int = 32) -> int:
    """Decimal digits, up to what a signed number of so many bits holds."""
    try:
        found = decimal(text.removeprefix("+").encode("ascii", errors="replace"), max_digits=19)
    except ValueError:
        raise ValueError(f'"{text}" is not a number of digits only') from None
    if found >= 2 ** (bits - 1):
        raise ValueError(f'"{text}" is too large: the largest number is {2 ** (bits - 1) - 1}')
    return found


def time_span(text: str, *, unit: str = "s") -> Seconds:
    """A number with an optional unit; `unit` is meant when there is none."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a time such as 300s, 5m, 1h, 2d or 1w')
    seconds = decimal(match[1].encode()) * UNITS[match[2] or unit]
    if seconds >= 2**31:
        raise ValueError(f'"{text}" is too long a time: the longest is {2**31 - 1}s')
    return Seconds(float(seconds))


def octal_mode(text: str) -> OctalMode:
    """Permission bits in octal."""
    if _OCTAL.fullmatch(text) is None:
        raise ValueError(f'"{text}" is not a file mode in octal digits, such as 0600')
    return OctalMode(int(text, 8))


def items(text: str) -> tuple[str, ...]:
    """The items of a list.  Braces around an item are taken off, blanks inside them with it."""
    return tuple(without_braces(item) for item in words(text, separators=BLANKS + ","))


def words(text: str, *, separators: str = BLANKS, limit: int = 0) -> tuple[str, ...]:
    """The parts of a text between separators.  Inside `{…}` nothing separates; the braces stay on.

    With a `limit`, the last of so many words is all that is left.
    """
    if "{" not in text and not limit:
        return tuple(_between(separators).findall(text))
    found: list[str] = []
    position = 0
    length = len(text)
    while position < length:
        if text[position] in separators:
            position += 1
            continue
        if limit and len(found) == limit - 1:
            found.append(text[position:].rstrip(separators))
            break
        start = position
        level = 0
        while position < length and (level > 0 or text[position] not in separators):
            level = max(0, level + (text[position] == "{") - (text[position] == "}"))
            position += 1
        found.append(text[start:position])
    return tuple(found)


@cache
def _between(separators: str) -> re.Pattern[str]:
    return re.compile(f"[^{re.escape(separators)}]+")


def without_braces(word: str) -> str:
    """The inside of `{…}` without blanks around it; a word that does not begin with a brace as it is."""
    if word[:1] != "{":
        return word
    text, mistake = inside_braces(word)
    if mistake:
        raise ValueError(mistake)
    return text


def inside_braces(word: str) -> tuple[str, str]:
    """What stands behind the brace that a word begins with, up to its fellow; and what is wrong, or nothing."""
    level = 0
    for position, character in enumerate(word):
        level += (character == "{") - (character == "}")
        if level == 0:
            is_end = position + 1 == len(word)
            mistake = "" if is_end else f"syntax error after '}}' in \"{word}\""
            return word[1:position].strip(BLANKS), mistake
    return word[1:].strip(BLANKS), f"missing '}}' in \"{word}\""


class Pattern(msgspec.Struct, frozen=True):
    """One item of a match list: a text or `type:table`, perhaps negated."""

    text: str
    negated: bool = False
    is_table: bool = False


class MatchList(msgspec.Struct, frozen=True):
    """Domain or host names, tables and their negations, in order.

    `names` are the plain names of a list that has neither tables nor negations, folded to lower case.
    """

    patterns: tuple[Pattern, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The plain names, in order, in lower case."""
        return tuple(
            _folded(pattern.text) for pattern in self.patterns if not pattern.is_table and not pattern.negated
        )

    @property
    def tables(self) -> tuple[str, ...]:
        """The `type:table` items, in order."""
        return tuple(pattern.text for pattern in self.patterns if pattern.is_table)


class Network(msgspec.Struct, frozen=True):
    """One address block of a network list, in the form that is compared: the masked bits as a number."""

    text: str
    version: int
    prefix: int
    first: int
    last: int
    negated: bool = False


class NetworkTable(msgspec.Struct, frozen=True):
    """A `type:table` in a network list; its keys are host names, domains and addresses."""

    text: str
    negated: bool = False


class NetworkName(msgspec.Struct, frozen=True):
    """A host name in a network list, or `.domain` for the hosts below it."""

    text: str  # in lower case
    negated: bool = False


class NetworkMistake(msgspec.Struct, frozen=True):
    """An item that cannot be read.

    Of a block, nobody knows who is meant: a question that comes as far is a fault.  Anything else fits nobody.
    """

    reason: str
    is_block: bool


class NetworkList(msgspec.Struct, frozen=True):
    """Address blocks, host names and tables, in order; the first that matches decides.

    A list with tables can be asked when these are open (tables/networks.py): `table_has` says whether a table has
    a key; that the key is a whole name or address, and no parent domain, is told it.  It is asked of mistakes, too,
    by their reason.
    """

    entries: tuple[Network | NetworkTable | NetworkName | NetworkMistake, ...] = ()
    table_has: Callable[[str, str, bool], bool] | None = None
    subdomains: bool = False
    """Whether example.org stands for the hosts below it, too (parent_domain_matches_subdomains)."""

    def contains(self, address: "IPv4Address | IPv6Address", name: str = "") -> bool:
        """Whether a host is in the list; where a table cannot say so, it is not: these lists are about trust."""
        if not self.entries:
            return False
        try:
            return self.holds(address, name)
        except TemporaryFault:
            return False

    def holds(self, address: "IPv4Address | IPv6Address", name: str = "") -> bool:
        """Whether the first item that has the host is one without `!`.  TemporaryFault of a table.

        `name` is the host's, if it has been verified.
        """
        if not self.entries:
            return False
        mapped: IPv4Address | None = getattr(address, "ipv4_mapped", None)
        if mapped is not None:
            address = mapped
        name, version, number = name.lower(), address.version, int(address)
        for entry in self.entries:
            if isinstance(entry, NetworkMistake):
                if entry.is_block:
                    self._in_table(entry.reason, name, str(address))
                continue
            if isinstance(entry, NetworkTable):
                found = self._in_table(entry.text, name, str(address))
            elif isinstance(entry, NetworkName):
                found = self._is_named(entry.text, name)
            else:
                found = entry.version == version and entry.first <= number <= entry.last
            if found:
                return not entry.negated
        return False

    def _in_table(self, table: str, name: str, address: str) -> bool:
        has = self.table_has
        if has is None:
            raise AssertionError(f"{table} is not open")
        if name and has(table, name, True):
            return True
        dots = [at for at, character in enumerate(name) if character == "." and at]
        domains = [name[at + 1 if self.subdomains else at :] for at in dots]
        return any(has(table, domain, False) for domain in domains if domain) or has(table, address, True)

    def _is_named(self, pattern: str, name: str) -> bool:
        if name == pattern:
            return True
        if self.subdomains:
            return name.endswith(f".{pattern}")
        return pattern.startswith(".") and name.endswith(pattern) and name != pattern

    @property
    def tables(self) -> tuple[str, ...]:
        """The `type:table` items, in order."""
        return tuple(entry.text for entry in self.entries if isinstance(entry, NetworkTable))

    @property
    def mistakes(self) -> tuple[str, ...]:
        """What is wrong with items that cannot be read."""
        return tuple(entry.reason for entry in self.entries if isinstance(entry, NetworkMistake))


NO_FILE: Final = "non-existent"
"""The type of table that stands for a `/file/name` that cannot be read: Postfix's own name for it."""
PatternFiles = Mapping[str, tuple[str, ...]]
"""Lines of the `/file/name` items of match lists, by path; read before the settings are handed out."""


def match_list(text: str, *, files: PatternFiles | None = None) -> MatchList:
    """Names, tables and `/file/name` items, each perhaps with `!` before it."""
    return MatchList(tuple(_patterns(text, files=files or {}, negated=False)))


def network_list(text: str, *, files: PatternFiles | None = None) -> NetworkList:
    """The networks of a value such as that of mynetworks.

    As in Postfix an address that cannot be one is nobody's, and a block that cannot be one is a mistake.
    """
    entries: list[Network | NetworkTable | NetworkName | NetworkMistake] = []
    for pattern in _patterns(text, files=files or {}, negated=False):
        if pattern.is_table:
            entries.append(NetworkTable(pattern.text, pattern.negated))
        elif _HOST.fullmatch(pattern.text) is not None:
            entries.append(NetworkName(_folded(pattern.text), pattern.negated))
        else:
            try:
                entries.append(_network(pattern))
            except ValueError as error:
                is_block = "/" in pattern.text or (pattern.text[0] != "[" and ":" in pattern.text)
                entries.append(NetworkMistake(str(error), is_block))
    return NetworkList(tuple(entries))


def pattern_file_names(text: str) -> tuple[str, ...]:
    """The `/file/name` items of a match list."""
    return tuple(name for item in items(text) if (name := item.lstrip("!")).startswith("/"))


def _patterns(text: str, *, files: PatternFiles, negated: bool, depth: int = 0) -> list[Pattern]:
    found: list[Pattern] = []
    for item in items(text):
        bare = item.lstrip("!")
        inverted = negated ^ ((len(item) - len(bare)) % 2 == 1)
        if not bare:
            raise ValueError('"!" with nothing after it')
        if bare.startswith("/"):
            if bare not in files or depth > 10:
                raise ValueError(f"{bare}: cannot read this file of patterns")
            for line in files[bare]:
                found += _patterns(line, files=files, negated=inverted, depth=depth + 1)
        else:
            found.append(Pattern(bare, inverted, is_table=_is_table(bare)))
    return found


def _is_table(item: str) -> bool:
    # An IPv6 address in brackets has colons too; without brackets it looks like a table.
    return item[0] != "[" and _TABLE.fullmatch(item) is not None


@lru_cache(maxsize=256)
def _network(pattern: Pattern) -> Network:
    from ipaddress import ip_address, ip_network

    text = pattern.text
    if text[:1] == "[" and text[-1:] == "]" and "/" in text:  # [address/length] is [address]/length
        text = f"{text[:-1].replace('/', ']/', 1)}"
    address, slash, length = text.partition("/")
    bare = address[1:-1] if address[:1] == "[" and address[-1:] == "]" else address
    if ":" in address and bare == address:
        raise ValueError(f'"{pattern.text}": write an IPv6 address in brackets, [{address}]')
    try:
        start = ip_address(bare)
    except ValueError:
        raise ValueError(f'bad address or network: "{pattern.text}"') from None
    try:
        prefix = (
            decimal(length.encode("ascii", errors="replace"), max_digits=3) if slash else start.max_prefixlen
        )
        block: IPv4Network | IPv6Network = ip_network((start, prefix), strict=False)
    except ValueError:
        raise ValueError(
            f'bad net/mask pattern: "{pattern.text}": the prefix is 0 to {start.max_prefixlen}'
        ) from None
    if block.network_address != start:
        net = str(block) if start.version == 4 else f"[{block.network_address}]/{prefix}"
        raise ValueError(
            f'non-null host address bits in "{pattern.text}", perhaps you should use "{net}" instead'
        )
    return Network(
        pattern.text,
        start.version,
        prefix,
        int(block.network_address),
        int(block.broadcast_address),
        pattern.negated,
    )


def _folded(name: str) -> str:
    """Lower case for ASCII letters; others are left to IDNA."""
    return name.lower() if name.isascii() else name


def unescaped(text: str) -> str:
    """`\\r\\n` and the like as C has them; octal codes, too, which are octets of UTF-8 and not characters."""
    found: list[str] = []
    at = 0
    while at < len(text):
        if text[at] != "\\" or at + 1 == len(text):
            found.append(text[at])
            at += 1
            continue
        octal = text[at + 1 : at + 4]
        octal = octal[: len(octal) - len(octal.lstrip("01234567"))]
        if octal:
            code = 0
            for digit in octal:
                code = code * 8 + ord(digit) - ord("0")
            found.append(bytes([code & 255]).decode("utf-8", "surrogateescape"))
            at += 1 + len(octal)
        else:
            found.append(_ESCAPES.get(text[at + 1], text[at + 1]))
            at += 2
    return "".join(found).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


_ESCAPES: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
