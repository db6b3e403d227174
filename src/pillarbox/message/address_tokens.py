"""Address text taken apart as RFC 822 does it: atoms, quoted strings, comments, literals, single characters.

DESCRIPTION
    aliases(5), `sendmail -t` and command lines are all read this way.  Nothing here is an error: what is open at
    the end of the text ends there.

STANDARDS
    RFC 822 §3.3, with the special characters that sendmail has besides
"""

from enum import Enum, auto
from typing import Final

import msgspec

_OPERATORS: Final = frozenset('|%!()<>@,;:\\".[]')
_BLANKS: Final = frozenset(" \t\r\n")
_IN_QUOTES: Final = frozenset('"\\\r\n')
_IN_LITERAL: Final = frozenset("\\\r\n")


class Kind(Enum):
    """What a token is."""

    ATOM = auto()
    QUOTED = auto()
    COMMENT = auto()
    LITERAL = auto()
    OPERATOR = auto()


class Token(msgspec.Struct, frozen=True):
    """A piece of a line; `text` is without quotes and backslashes, except in comments."""

    kind: Kind
    text: str

    @property
    def unquoted(self) -> str:
        """As in keys."""
        return f"[{self.text}]" if self.kind is Kind.LITERAL else self.text

    @property
    def quoted(self) -> str:
        """As in values."""
        if self.kind is Kind.QUOTED:
            return f'"{_escaped(self.text, _IN_QUOTES)}"'
        if self.kind is Kind.LITERAL:
            return f"[{_escaped(self.text, _IN_LITERAL)}]"
        return self.text


def tokens_of(line: str) -> list[Token]:
    """The tokens of a line."""
    found: list[Token] = []
    position = 0
    while position < len(line):
        character = line[position]
        if character in _BLANKS:
            position += 1
        elif character == "(":
            text, position = _comment(line, position)
            found.append(Token(Kind.COMMENT, text))
        elif character == "[":
            text, position = _collected(line, position + 1, frozenset("]"))
            found.append(Token(Kind.LITERAL, text))
            position += 1
        elif character == '"':
            text, position = _collected(line, position + 1, frozenset('"'))
            found.append(Token(Kind.QUOTED, text))
            position += 1
        elif character in _OPERATORS and character != "\\":
            found.append(Token(Kind.OPERATOR, character))
            position += 1
        else:
            text, position = _collected(line, position, _OPERATORS | _BLANKS)
            found.append(Token(Kind.QUOTED if _needs_quotes(text) else Kind.ATOM, text))
    return found


def _collected(line: str, position: int, end: frozenset[str]) -> tuple[str, int]:
    """Text up to one of `end`; a backslash takes the next character with it.  The place of the end."""
    parts: list[str] = []
    while position < len(line):
        character = line[position]
        if character == "\\":
            position += 1
            if position == len(line):
                break
            character = line[position]
        elif character in end:
            break
        parts.append(" " if character in _BLANKS else character)
        position += 1
    return "".join(parts), position


def _comment(line: str, position: int) -> tuple[str, int]:
    """A comment with its parentheses, as it stands; comments nest."""
    start = position
    level = 0
    while position < len(line):
        character = line[position]
        position += 1
        if character == "\\":
            position += 1
        elif character == "(":
            level += 1
        elif character == ")":
            level -= 1
            if level == 0:
                break
    return line[start:position], min(position, len(line))


def _needs_quotes(text: str) -> bool:
    return any(character in _OPERATORS or character < "!" or character == "\x7f" for character in text)


def _escaped(text: str, special: frozenset[str]) -> str:
    return "".join(f"\\{character}" if character in special else character for character in text)
