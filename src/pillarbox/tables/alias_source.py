"""The text of alias files, as postalias(1) reads it: `name: value, value …`, a logical line each.

DESCRIPTION
    Lines are taken apart as RFC 822 takes addresses apart: atoms, quoted strings, comments, `[literals]` and
    single characters that mean something.  The key is put together without quotes (as addresses are looked up),
    the value with them (as it is read again by those who look it up).

FAULTS
    warnings  lines that are left out, by number, in Postfix's words

STANDARDS
    aliases(5); RFC 822 §3.3, as sendmail has it
"""

from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import Final

import msgspec

from pillarbox.tables.pattern_sources import lines_of
from pillarbox.tables.table import Opening, is_utf8

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


def alias_entries(content: str, *, path: str, opening: Opening) -> Iterator[tuple[int, str, str]]:
    """(line number, name, value) of each line."""
    for number, line in lines_of(content, path=path, opening=opening):
        where = f"{path}, line {number}"
        if opening.utf8 and not is_utf8(line):
            opening.warn(f'{where}: non-UTF-8 input "{line}" -- ignoring this line')
            continue
        tokens = tokens_of(line)
        names = [token.text if token.kind is Kind.OPERATOR else "" for token in tokens]
        colon = names.index(":") if ":" in names else -1
        if colon <= 0 or colon + 1 == len(tokens) or "," in names[:colon]:
            opening.warn(f"{where}: need name:value pair")
        elif "@" in names[:colon] or "%" in names[:colon]:
            opening.warn(f"{where}: name must be local")
        else:
            key = _joined(tokens[:colon], [token.unquoted for token in tokens[:colon]])
            value = _joined(tokens[colon + 1 :], [token.quoted for token in tokens[colon + 1 :]])
            yield number, key, value


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


def _joined(tokens: Sequence[Token], texts: Sequence[str]) -> str:
    parts: list[str] = []
    for index, text in enumerate(texts):
        parts.append(text)
        if index + 1 < len(tokens) and _space_between(tokens[index], tokens[index + 1]):
            parts.append(" ")
    return "".join(parts)


def _space_between(token: Token, after: Token) -> bool:
    if token.kind is Kind.OPERATOR and token.text == ",":
        return True
    if after.kind is Kind.OPERATOR:
        return after.text == "<"
    return token.kind is not Kind.OPERATOR


def _escaped(text: str, special: frozenset[str]) -> str:
    return "".join(f"\\{character}" if character in special else character for character in text)
