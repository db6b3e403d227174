"""The grammar of `$name` and `${…}` in main.cf values: text in, references out.

DESCRIPTION
    `references()` takes a template apart from left to right.  What stands inside a reference (the texts of
    `${name?{text}:{other}}`, the sides of a comparison) stays text: it is a template of its own, and taken
    apart only when it is chosen.  expansion.py says what each form means.

FAULTS
    ExpansionError  bad syntax, in Postfix's words.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Final

import msgspec

FUNCTIONS: Final = frozenset({"domain_to_ascii", "domain_to_utf8"})
"""Names that may be called, as in `${domain_to_ascii{text}}` (Postfix 3.10)."""

_WORD: Final = re.compile(r"[A-Za-z0-9_]*")
_SPACE: Final = re.compile(r"[ \t\r\n\v\f]*")
_OPERATOR: Final = re.compile(r"(==|!=|<=|>=|<|>)(?![<>!=?+*/~&|%-])([a-zA-Z0-9]*)")
_EXPECTED_OPERATOR: Final = '"==" or "!="" or "<"" or "<="" or ">="" or ">"'
_BRACES: Final = re.compile(r"[{}]")
_PARENTHESES: Final = re.compile(r"[()]")


class Comparison(msgspec.Struct, frozen=True):
    """`{left} operator {right}`; the sides are templates."""

    left: str
    operator: str
    by_level: bool
    right: str


class Call(msgspec.Struct, frozen=True):
    """`${function{text}}`."""

    function: str
    text: str


class Reference(msgspec.Struct, frozen=True):
    """What stands between `${` and `}`: a subject, and the templates for its being set and unset."""

    subject: str | Comparison | Call
    if_set: str | None = None
    if_unset: str | None = None


class ExpansionError(ValueError):
    """Bad syntax, in Postfix's words; becomes a ConfigurationFault once the place is known."""


def references(template: str) -> Iterator[str | Reference]:
    """Literal text and references, in order.  ExpansionError on bad syntax, after what stands before it."""
    try:
        return iter(_all_references(template))
    except ExpansionError:
        return _read_references(template)


@lru_cache(maxsize=1024)
def _all_references(template: str) -> tuple[str | Reference, ...]:
    """The services of a configuration share most of their values, and each looks at all of them."""
    return tuple(_read_references(template))


def _read_references(template: str) -> Iterator[str | Reference]:
    position = 0
    while (dollar := template.find("$", position)) >= 0:
        if dollar > position:
            yield template[position:dollar]
        following = template[dollar + 1 : dollar + 2]
        if following == "$":
            yield "$"
            position = dollar + 2
        elif following in ("{", "("):
            end = _closing(template, dollar + 1)
            body = template[dollar + 2 : end]
            if not body:
                raise ExpansionError(f'empty macro name: "{template}"')
            yield _Body(body).reference()
            position = end + 1
        else:
            name = _WORD.match(template, dollar + 1)
            assert name is not None
            if not name[0]:
                raise ExpansionError(f'empty macro name: "{template}"')
            yield Reference(name[0])
            position = name.end()
    if position < len(template):
        yield template[position:]


def names_used(template: str) -> list[str]:
    """Every parameter name that the template could refer to, chosen branch or not, as often as it does.

    ExpansionError on bad syntax, but not for a text inside a reference, which may never be chosen.
    """
    names: list[str] = []
    for piece in references(template):
        if isinstance(piece, str):
            continue
        texts = [piece.if_set, piece.if_unset]
        match piece.subject:
            case Comparison(left=left, right=right):
                texts += [left, right]
            case Call(text=text):
                texts.append(text)
            case name:
                names.append(name)
        for nested in texts:
            if nested:
                with suppress(ExpansionError):
                    names += names_used(nested)
    return names


class _Body:
    """The text of one `${…}`, read from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def reference(self) -> Reference:
        """The whole body as a reference."""
        begin = self._at
        self._skip_space()
        if self._next() == "{":
            return self._choice(self._comparison(), before="")
        name = self._word()
        if self._next() == "{" and name in FUNCTIONS:
            return self._choice(Call(name, self._braced()), before="")
        after_name = self._at
        self._skip_space()
        if self._next() not in ("", "?", ":"):
            raise ExpansionError(
                f'attribute name syntax error at: "...{self._text[begin:after_name]}>>>'
                f'{self._text[after_name : after_name + 20]}"'
            )
        return self._choice(name, before=name)

    def _choice(self, subject: str | Comparison | Call, *, before: str) -> Reference:
        self._skip_space()
        mark = self._next()
        if mark == "":
            return Reference(subject)
        if mark not in ("?", ":"):
            raise ExpansionError(f'"?" or ":" expected at: "...{before}}}>>>{self._rest()}"')
        self._at += 1
        braced, first = self._branch()
        if mark == ":":
            if braced and self._next():
                raise ExpansionError(f'unexpected input at: "...{first}}}>>>{self._rest()}"')
            return Reference(subject, if_set=None if isinstance(subject, str) else "", if_unset=first)
        if not braced or not self._next():
            return Reference(subject, if_set=first, if_unset="")
        if self._next() != ":":
            raise ExpansionError(f'":" expected at: "...{first}}}>>>{self._rest()}"')
        self._at += 1
        braced, second = self._branch()
        if braced and self._next():
            raise ExpansionError(f'unexpected input at: "...{second}}}>>>{self._rest()}"')
        return Reference(subject, if_set=first, if_unset=second)

    def _branch(self) -> tuple[bool, str]:
        """`{text}`, with blanks around it skipped; or everything that is left, blanks included."""
        start = self._at
        self._skip_space()
        if self._next() == "{":
            text = self._braced()
            self._skip_space()
            return True, text
        self._at = len(self._text)
        return False, self._text[start:]

    def _comparison(self) -> Comparison:
        left = self._braced()
        self._skip_space()
        operator = _OPERATOR.match(self._text, self._at)
        if operator is None:
            raise ExpansionError(f'{_EXPECTED_OPERATOR} expected at: "...{left}}}>>>{self._rest()}"')
        self._at = operator.end()
        sign, suffix = operator.groups()
        if suffix not in ("", "level"):
            raise ExpansionError(f'bad operator suffix at: "...{sign}>>>{suffix}"')
        after_operator = self._at
        self._skip_space()
        if self._next() != "{":
            raise ExpansionError(
                f'"{{expression}}" expected at: "...{{{left}}} {sign}>>>'
                f'{self._text[after_operator : after_operator + 20]}"'
            )
        return Comparison(left, sign, bool(suffix), self._braced())

    def _braced(self) -> str:
        end = _balanced_end(self._text, self._at)
        if end < 0:
            raise ExpansionError(f'unbalanced {{}} in attribute expression: "{self._text[self._at :]}"')
        text = self._text[self._at + 1 : end]
        self._at = end + 1
        return text

    def _word(self) -> str:
        match = _WORD.match(self._text, self._at)
        assert match is not None
        self._at = match.end()
        return match[0]

    def _skip_space(self) -> None:
        match = _SPACE.match(self._text, self._at)
        assert match is not None
        self._at = match.end()

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _rest(self) -> str:
        return self._text[self._at : self._at + 20]


def _closing(template: str, opening: int) -> int:
    end = _balanced_end(template, opening)
    if end < 0:
        raise ExpansionError(f'truncated macro reference: "{template}"')
    return end


def _balanced_end(text: str, opening: int) -> int:
    """Where the bracket at `opening` is closed, counting its own kind only; -1 if nowhere."""
    marks, opener = (_BRACES, "{") if text[opening] == "{" else (_PARENTHESES, "(")
    level = 0
    for mark in marks.finditer(text, opening):
        level += 1 if mark[0] == opener else -1
        if level == 0:
            return mark.start()
    return -1
