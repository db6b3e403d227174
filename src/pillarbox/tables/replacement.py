"""The text that a regular expression table gives back: `$1`, `${1}`, `$(1)` are what was matched, `$$` is `$`.

FAULTS
    BadReplacement  with Postfix's words; what else is wrong is told first, in `warnings`

STANDARDS
    regexp_table(5), pcre_table(5): TEXT SUBSTITUTION
"""

import re
from typing import Final

from pillarbox.vocabulary.digits import decimal

_NAME: Final = re.compile(r"[A-Za-z0-9_]*")
_PAIRS: Final = {"{": "}", "(": ")"}


class BadReplacement(Exception):
    """The warnings, in order."""


class Replacement:
    """A parsed text: literal parts and group numbers."""

    __slots__ = ("highest", "parts")

    def __init__(self, text: str, *, below_one: str = "out of range replacement index") -> None:
        self.parts: list[bytes | int] = []
        literal = ""
        position = 0
        while position < len(text):
            dollar = text.find("$", position)
            if dollar < 0:
                literal += text[position:]
                break
            literal += text[position:dollar]
            if text[dollar + 1 : dollar + 2] == "$":
                literal += "$"
                position = dollar + 2
                continue
            name, position = _name(text, dollar + 1)
            self._add(literal)
            literal = ""
            self.parts.append(_index(name, below_one))
        self._add(literal)
        self.highest = max((part for part in self.parts if isinstance(part, int)), default=0)

    def expand(self, groups: tuple[bytes, ...]) -> bytes:
        """The text, with the groups of a match (the whole match comes first)."""
        return b"".join(part if isinstance(part, bytes) else groups[part] for part in self.parts)

    def _add(self, literal: str) -> None:
        if literal:
            self.parts.append(literal.encode("utf-8", "surrogateescape"))


def _name(text: str, position: int) -> tuple[str, int]:
    """The name after a `$`, and the place after it."""
    closing = _PAIRS.get(text[position : position + 1])
    if closing is None:
        match = _NAME.match(text, position)
        name = match[0] if match is not None else ""
        end = position + len(name)
    else:
        opening = text[position]
        level, end = 1, position + 1
        while end < len(text) and level:
            level += (text[end] == opening) - (text[end] == closing)
            end += 1
        if level:
            raise BadReplacement(f'truncated macro reference: "{text}"')
        name = text[position + 1 : end - 1]
    if not name:
        raise BadReplacement(f'empty macro name: "{text}"')
    return name, end


def _index(name: str, below_one: str) -> int:
    try:
        number = decimal(name.encode("utf-8", "surrogateescape"), max_digits=9)
    except ValueError:
        raise BadReplacement(f'non-numeric replacement index "{name}"') from None
    if number < 1:
        raise BadReplacement(f'{below_one} "{name}"')
    return number
