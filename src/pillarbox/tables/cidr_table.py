"""cidr: tables: address blocks in order, the first that holds the client's address decides.

DESCRIPTION
        192.0.2.0/24 text      [2001:db8::]/32 text      !198.51.100.0/24 text
        if 192.0.2.0/24 … endif

    An address without a length stands for itself.  A rule that is wrong is warned of and left out.

FAULTS
    OSError   at open
    warnings  rules that are left out

STANDARDS
    cidr_table(5)
"""

import re
import socket
from typing import Final

import msgspec

from pillarbox.tables.file_values import FileValueFault
from pillarbox.tables.map_source import split_at_blank
from pillarbox.tables.pattern_sources import rules_of
from pillarbox.tables.table import Opening
from pillarbox.vocabulary.digits import decimal


class _Skip(Exception):
    """The rule is left out."""


class Block(msgspec.Struct, frozen=True):
    """Addresses of one family whose first bits are these."""

    family: socket.AddressFamily
    first: int
    mask: int
    wanted: bool = True


class Rule(msgspec.Struct):
    """A block with a text; or one without, an IF, whose rules go on to `end` (None: to the table's end)."""

    line: int
    block: Block
    text: str | None = None
    end: int | None = None


class CidrTable:
    """`cidr:/path`, `cidr:{ {rule} … }`"""

    partial_keys = False

    def __init__(self, name: str, opening: Opening) -> None:
        self.name = f"cidr:{name}"
        self._warn = opening.warn
        self._map = f"cidr map {name}"
        self.owner_uid, lines = rules_of("cidr", name, opening)
        self._opening = opening
        self._rules = self._parse(lines)

    def query(self, key: str) -> str | None:
        """The text of the first rule for an address; a key that is no address has none."""
        family = _family(key)
        try:
            address = int.from_bytes(socket.inet_pton(family, key), "big")
        except (OSError, ValueError):
            return None
        rules = self._rules
        index = 0
        while index < len(rules):
            rule = rules[index]
            index += 1
            block = rule.block
            holds = block.family == family and (address & block.mask == block.first) == block.wanted
            if rule.text is not None:
                if holds:
                    return rule.text
            elif not holds:
                if rule.end is None:
                    return None
                index = rule.end
        return None

    def _parse(self, lines: list[tuple[int, str]]) -> list[Rule]:
        found: list[Rule] = []
        open_ifs: list[Rule] = []
        for line, text in lines:
            try:
                word, rest = _split(text)
                if word.lower() == "endif":
                    self._endif(line, rest, found, open_ifs)
                elif word.lower() == "if":
                    pattern, rest = _split(rest)
                    if not pattern.strip("!"):
                        raise _Skip("no address pattern: skipping this rule")
                    found.append(Rule(line, parse_block(pattern)))
                    open_ifs.append(found[-1])
                    if rest:
                        raise _Skip(f'garbage after "if {pattern}": "{rest}"')
                elif not word.strip("!"):
                    raise _Skip("no address pattern: skipping this rule")
                else:
                    block = parse_block(word)
                    if not rest:
                        raise _Skip("no lookup result: skipping this rule")
                    found.append(Rule(line, block, text=self._opening.value(rest)))
            except (_Skip, ValueError, FileValueFault) as skip:
                reason = str(skip) if isinstance(skip, _Skip) else f"{skip}: skipping this rule"
                self._warn(f"{self._map}, line {line}: {reason}")
        for rule in reversed(open_ifs):
            self._warn(f"{self._map}, line {rule.line}: IF has no matching ENDIF")
        return found

    def _endif(self, line: int, rest: str, found: list[Rule], open_ifs: list[Rule]) -> None:
        if not open_ifs:
            raise _Skip("ENDIF without IF: skipping this rule")
        if rest:
            raise _Skip("garbage after ENDIF: skipping this rule")
        open_ifs.pop().end = len(found)


def _split(text: str) -> tuple[str, str]:
    """The pattern and the rest of a rule; blanks after a `!` are no end of the pattern."""
    marks = _NEGATIONS.match(text)
    assert marks is not None
    word, rest = split_at_blank(text[marks.end() :])
    return "!" * marks[0].count("!") + word, rest


def parse_block(text: str) -> Block:
    """`address`, `address/length`, `[address]/length`, `[address/length]`, with any number of `!` before."""
    pattern = text.lstrip("!")
    wanted = (len(text) - len(pattern)) % 2 == 0
    if not pattern:
        raise ValueError("no pattern")
    tail = ""
    if pattern.startswith("["):
        pattern, bracket, tail = pattern[1:].partition("]")
        if not bracket:
            raise ValueError(f"missing ']' character after \"[{pattern}\"")
        if tail and not tail.startswith("/"):
            raise ValueError(f'garbage after "[{pattern}]"')
    address, slash, length = (pattern, "/", tail[1:]) if tail else pattern.partition("/")
    family = _family(address)
    bits = _BITS[family]
    if not slash:
        try:
            first = int.from_bytes(socket.inet_pton(family, address), "big")
        except (OSError, ValueError):
            raise ValueError(f'bad address pattern: "{address}"') from None
        return Block(family, first, (1 << bits) - 1, wanted)
    shown = f'"{address}/{length}"'
    try:
        prefix = decimal(length.encode("ascii"), max_digits=1000)
    except ValueError:
        raise ValueError(f"bad mask value in {shown}") from None
    if prefix > bits:
        raise ValueError(f"bad mask length in {shown}")
    try:
        first = int.from_bytes(socket.inet_pton(family, address), "big")
    except (OSError, ValueError):
        raise ValueError(f"bad network value in {shown}") from None
    mask = ((1 << prefix) - 1) << (bits - prefix)
    if first & ~mask:
        meant = socket.inet_ntop(family, (first & mask).to_bytes(bits // 8, "big"))
        raise ValueError(
            f'non-null host address bits in {shown}, perhaps you should use "{meant}/{prefix}" instead'
        )
    return Block(family, first, mask, wanted)


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


_NEGATIONS: Final = re.compile(r"(?:![ \t]*)*")
_BITS: Final = {socket.AF_INET: 32, socket.AF_INET6: 128}
