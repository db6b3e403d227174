"""The lines of dovecot.conf: settings, blocks, includes, each with the line where it stands.

DESCRIPTION
    `statements()` cuts a text into statements.  Blanks around a line count for nothing; `#` begins a comment at
    the start of a line or outside quotes; a line that ends with `\\` goes on in the next one, the two joined by
    one blank.  A value in quotes, single or double, may hold `#` and blanks; `\\"` and `\\\\` stand for `"` and
    `\\` in it.  `<path` as a value is the content of a file.  `<<WORD` (2.4) takes the lines up to WORD.

FAULTS
    ConfigurationFault  with Dovecot's words: Expecting '{', Garbage after '{'

STANDARDS
    Dovecot 2.3 ConfigFile; Dovecot 2.4 Settings Syntax
"""

from collections.abc import Iterator
from enum import Enum
from typing import Final

import msgspec

from pillarbox.vocabulary.faults import ConfigurationFault

_BLANK: Final = " \t\r\f\v"


class Form(Enum):
    """How the value of a setting is written."""

    PLAIN = "plain"  # may hold $variables
    QUOTED = "quoted"  # is what it is
    FILE = "file"  # `<path`: the content of a file


class Assignment(msgspec.Struct, frozen=True):
    """`name = value`"""

    name: str
    value: str
    form: Form
    line: int


class BlockBegin(msgspec.Struct, frozen=True):
    """`kind name {`; the name is empty if there is none."""

    kind: str
    name: str
    line: int


class BlockEnd(msgspec.Struct, frozen=True):
    """`}`"""

    line: int


class Include(msgspec.Struct, frozen=True):
    """`!include path`, or `!include_try path`, which may find nothing."""

    pattern: str
    may_be_missing: bool
    line: int


class Remark(msgspec.Struct, frozen=True):
    """Something that an admin should look at."""

    text: str
    line: int


Statement = Assignment | BlockBegin | BlockEnd | Include | Remark


def statements(text: str, *, path: str) -> Iterator[Statement]:
    """The statements of a text, in its order."""
    lines = _Lines(text, path)
    while (logical := lines.next()) is not None:
        number, line, ambiguous = logical
        if ambiguous:
            yield Remark(
                "Ambiguous '#' character in line, treating it as comment. "
                "Add a space before it to remove this warning.",
                number,
            )
        if line:
            yield _statement(line, number, lines)


class _Lines:
    """Logical lines: comments gone, continuations joined."""

    def __init__(self, text: str, path: str) -> None:
        self._lines = [line.partition("\0")[0] for line in text.split("\n")]  # as Dovecot: a NUL ends a line
        self._at = 0
        self.path = path

    def next(self) -> tuple[int, str, bool] | None:
        """Number of the last physical line, the text, and whether a `#` stands in the middle of a word."""
        whole = ""
        ambiguous = False
        while self._at < len(self._lines):
            raw = self._lines[self._at].lstrip(_BLANK)
            self._at += 1
            line, odd = _without_comment(raw)
            ambiguous = ambiguous or odd
            if line.endswith("\\") and not raw.startswith("#"):
                whole += line[:-1].rstrip(_BLANK) + " "
                continue
            return self._at, (whole + line).strip(_BLANK), ambiguous
        return (self._at, whole.strip(_BLANK), ambiguous) if whole else None

    def heredoc(self, word: str, number: int) -> str:
        """The lines up to the one that is `word`."""
        taken: list[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if line.strip(_BLANK) == word:
                return "\n".join(taken)
            taken.append(line.removesuffix("\r"))
        raise ConfigurationFault(
            f"Error in configuration file {self.path} line {number}", f"Missing {word} after <<{word}"
        )


def _without_comment(line: str) -> tuple[str, bool]:
    """The line up to its comment, trailing blanks gone; whether the `#` follows a word directly."""
    quote = ""
    skip = False
    for at, letter in enumerate(line):
        if skip:
            skip = False
        elif quote:
            if letter == "\\":
                skip = True
            elif letter == quote:
                quote = ""
        elif letter in "\"'" and (at == 0 or line[at - 1] in _BLANK + "="):
            quote = letter
        elif letter == "#":
            return line[:at].rstrip(_BLANK), at > 0 and line[at - 1] not in _BLANK
    if quote:  # never closed: the quote is a letter like any other, and # a comment
        return _without_unquoted_comment(line)
    return line.rstrip(_BLANK), False


def _without_unquoted_comment(line: str) -> tuple[str, bool]:
    at = line.find("#")
    if at < 0:
        return line.rstrip(_BLANK), False
    return line[:at].rstrip(_BLANK), at > 0 and line[at - 1] not in _BLANK


def _statement(line: str, number: int, lines: _Lines) -> Statement:
    where = f"Error in configuration file {lines.path} line {number}"
    if line == "}":
        return BlockEnd(number)
    key, rest = _word(line)
    if key in ("!include", "!include_try"):
        return Include(_unquoted(rest)[0], key.endswith("_try"), number)
    if rest.startswith("="):
        return _assignment(key, rest[1:].lstrip(_BLANK), number, lines)
    name = ""
    if not rest.startswith("{"):
        name, rest = _block_name(rest)
        # 2.4: `settings name += value` and its like do not exist in 2.3
    if not rest.startswith("{"):
        raise ConfigurationFault(where, "Expecting '{'")
    if rest != "{":
        raise ConfigurationFault(where, "Garbage after '{'")
    return BlockBegin(key, name, number)


def _word(line: str) -> tuple[str, str]:
    """The first word, and what follows its blanks."""
    end = next((at for at, letter in enumerate(line) if letter in _BLANK or letter == "="), len(line))
    return line[:end], line[end:].lstrip(_BLANK)


def _block_name(rest: str) -> tuple[str, str]:
    if rest[:1] == '"':
        name, length = _quoted(rest)
        return name, rest[length:].lstrip(_BLANK)
    end = next((at for at, letter in enumerate(rest) if letter in _BLANK), len(rest))
    return rest[:end], rest[end:].lstrip(_BLANK)


def _assignment(name: str, value: str, number: int, lines: _Lines) -> Assignment:
    if value.startswith("<<") and value[2:].strip(_BLANK):
        return Assignment(name, lines.heredoc(value[2:].strip(_BLANK), number), Form.QUOTED, number)
    if value.startswith("<"):
        return Assignment(name, value[1:].lstrip(_BLANK), Form.FILE, number)
    text, quoted = _unquoted(value)
    return Assignment(name, text, Form.QUOTED if quoted else Form.PLAIN, number)


def _unquoted(value: str) -> tuple[str, bool]:
    """The value without the quotes around it; whether there were any."""
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        text, length = _quoted(value)
        if length == len(value):
            return text, True
    return value, False


def _quoted(text: str) -> tuple[str, int]:
    """What stands between the quotes at the start, and how long it is with them."""
    quote, found, at = text[0], [], 1
    while at < len(text) and text[at] != quote:
        if text[at] == "\\" and at + 1 < len(text):
            at += 1
        found.append(text[at])
        at += 1
    return "".join(found), at + 1
