"""Address text taken apart as RFC 822 does it: atoms, quoted strings, comments, literals, single characters.

DESCRIPTION
    aliases(5), `sendmail -t` and command lines are all read this way.  Nothing here is an error: what is open at
    the end of the text ends there.

STANDARDS
    RFC 822 §3.3, with the special characters that sendmail has besides
"""

import re
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from itertools import zip_longest
from typing import Final

import msgspec

_TOKEN: Final = re.compile(
    r"""
      (?P<BLANKS>[ \t\r\n]+)
    | (?P<ATOM>(?:[^ \t\r\n|%!()<>@,;:\\".\[\]]|\\.)+(?:\\\Z)?|\\\Z)
    | "(?P<QUOTED>(?:[^"\\]|\\.)*)(?:"|\\?\Z)
    | \[(?P<LITERAL>(?:[^\]\\]|\\.)*)(?:\]|\\?\Z)
    | (?P<OPERATOR>[|%!)<>@,;:.\]])
    """,
    re.DOTALL | re.VERBOSE,
)
_COMMENT_MARK: Final = re.compile(r"\\.?|[()]", re.DOTALL)
_PAIR: Final = re.compile(r"\\(.?)", re.DOTALL)
_BLANK: Final = re.compile(r"[\t\r\n]")
_NEEDS_QUOTES: Final = re.compile(r'[\x00-\x20\x7f|%!()<>@,;:\\".\[\]]')
_IN_QUOTES: Final = re.compile(r'(["\\\r\n])')
_IN_LITERAL: Final = re.compile(r"([\\\r\n])")


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
    def operator(self) -> str:
        """The character that means something; nothing if the token is a word."""
        return self.text if self.kind is Kind.OPERATOR else ""

    @property
    def unquoted(self) -> str:
        """As in keys, and in addresses in internal form."""
        return f"[{self.text}]" if self.kind is Kind.LITERAL else self.text

    @property
    def quoted(self) -> str:
        """As in values, and in addresses in external form."""
        if self.kind is Kind.QUOTED:
            return '"' + _IN_QUOTES.sub(r"\\\1", self.text) + '"'
        if self.kind is Kind.LITERAL:
            return "[" + _IN_LITERAL.sub(r"\\\1", self.text) + "]"
        return self.text


def tokens_of(line: str, *, most: int = 0) -> list[Token]:
    """The tokens of a line, `most` of them if that is not 0."""
    found: list[Token] = []
    position = 0
    while position < len(line) and not (most and len(found) >= most):
        match = _TOKEN.match(line, position)
        if match is None:  # `(`: comments nest
            end = _behind_comment(line, position)
            found.append(Token(Kind.COMMENT, line[position:end]))
            position = end
            continue
        position = match.end()
        name = match.lastgroup or ""
        if name == "BLANKS":
            continue
        kind, text = Kind[name], match[name]
        if kind is not Kind.OPERATOR:
            if "\\" in text:
                text = _PAIR.sub(r"\1", text)
                if kind is Kind.ATOM and _NEEDS_QUOTES.search(text) is not None:
                    kind = Kind.QUOTED
            elif kind is Kind.ATOM and _NEEDS_QUOTES.search(text) is not None:  # a control character
                kind = Kind.QUOTED
            text = _BLANK.sub(" ", text)
        found.append(Token(kind, text))
    return found


def joined(tokens: Sequence[Token], texts: Iterable[str]) -> str:
    """The texts of tokens as one line, with blanks between words that would become one."""
    parts: list[str] = []
    for token, after, text in zip_longest(tokens, tokens[1:], texts):
        parts.append(text)
        if after is not None and _are_apart(token, after):
            parts.append(" ")
    return "".join(parts)


def internal_form(tokens: Sequence[Token]) -> str:
    """An address without quotes, as in queue files."""
    return joined(tokens, [token.unquoted for token in tokens])


def _are_apart(token: Token, after: Token) -> bool:
    if token.operator == ",":
        return True
    return after.text == "<" if after.kind is Kind.OPERATOR else token.kind is not Kind.OPERATOR


def _behind_comment(line: str, start: int) -> int:
    """Where a comment ends that begins at `start`."""
    level = 0
    for mark in _COMMENT_MARK.finditer(line, start):
        level += {"(": 1, ")": -1}.get(mark[0], 0)
        if level == 0 and mark[0] == ")":
            return mark.end()
    return len(line)
