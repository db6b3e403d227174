"""Parameter expansion: `$name`, `${name?text}`, `${{$a} == {b} ? {x} : {y}}` and their relatives.

DESCRIPTION
    Values of main.cf refer to one another.  A reference is replaced when the value is used, not when it is
    read, and what it brings is expanded in turn; an undefined name expands to nothing.

        $name  ${name}  $(name)           the value of a parameter
        ${name?text}  ${name?{text}}      text if the value is not empty
        ${name:text}  ${name:{text}}      text if the value is empty or undefined
        ${name?{text}:{other}}            one or the other
        ${{a} == {b} ? {text} : {other}}  a comparison; also != < <= > >=.  Numeric if both sides are all
                                          digits, else by octets.  With `level` after the operator
                                          (`<level`), both sides are compatibility levels, 3.10 > 3.6.
        ${function{text}}                 domain_to_ascii, domain_to_utf8: domain names in the other form
        $$                                a dollar sign

    A comparison without `?` gives `true` or nothing.  "Empty" in `${name?…}` is judged before the value is
    expanded, and text that is not chosen is not looked at: both as Postfix does it.

FAULTS
    ConfigurationFault  bad syntax, a comparison of what is no level, a parameter that refers to itself.  It
                        names the place of the value that holds the mistake, which need not be the value that
                        was asked for.  The wording is Postfix's.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

import msgspec

from pillarbox.config.value import Value
from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.faults import ConfigurationFault

Lookup = Callable[[str], Value | None]
"""The unexpanded value of a parameter, or None for a name that is not defined."""

MAX_DEPTH: Final = 100
"""Values within values; more is taken for a parameter that refers to itself."""

MAX_REFERENCES: Final = 50_000
"""References in one expansion: `a = $b$b`, `b = $c$c` … doubles at each step."""

MAX_LENGTH: Final = 4_000_000
"""Characters of one expanded value."""

_WORD: Final = re.compile(r"[A-Za-z0-9_]*")
_SPACE: Final = re.compile(r"[ \t\r\n\v\f]*")
_OPERATOR: Final = re.compile(r"==|!=|<=|>=|<|>")
_LEVEL: Final = re.compile(rb"([0-9]{1,9})(?:\.([0-9]{1,9})(?:\.([0-9]{1,9}))?)?")
_EXPECTED_OPERATOR: Final = '"==" or "!="" or "<"" or "<="" or ">="" or ">"'
_LARGEST_NUMBER: Final = 2**63 - 1


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


def expand(value: Value, lookup: Lookup) -> str:
    """The text of `value` with all references replaced.  ConfigurationFault if it cannot be done."""
    return _Expansion(lookup).of(value, depth=0)


def references(template: str) -> Iterator[str | Reference]:
    """Literal text and references, in order.  ExpansionError on bad syntax."""
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


def names_used(template: str) -> set[str]:
    """Every parameter name that the template could refer to, chosen branch or not.

    ExpansionError on bad syntax, but not for a text inside a reference, which may never be chosen.
    """
    names: set[str] = set()
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
                names.add(name)
        for nested in texts:
            if nested:
                with suppress(ExpansionError):
                    names |= names_used(nested)
    return names


class _Expansion:
    """One expansion, with its budget."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._references = 0

    def of(self, value: Value, *, depth: int) -> str:
        """The expanded text; a fault names the innermost value that has a mistake."""
        if "$" not in value.text:
            return value.text
        try:
            return self._template(value.text, depth=depth)
        except ExpansionError as error:
            raise ConfigurationFault(value.where, str(error)) from error

    def _template(self, template: str, *, depth: int) -> str:
        if "$" not in template:
            return template
        if depth > MAX_DEPTH:
            raise ExpansionError(f'unreasonable macro call nesting: "{template}"')
        pieces = []
        length = 0
        for piece in references(template):
            text = piece if isinstance(piece, str) else self._replace(piece, depth=depth)
            length += len(text)
            if length > MAX_LENGTH:
                raise ExpansionError(f'expanded value is too long: "{template[:100]}"')
            pieces.append(text)
        return "".join(pieces)

    def _replace(self, reference: Reference, *, depth: int) -> str:
        self._references += 1
        if self._references > MAX_REFERENCES:
            raise ExpansionError("too many references in one value")
        match reference.subject:
            case Comparison():
                found = "true" if self._holds(reference.subject, depth=depth) else ""
                value = None
            case Call(function=function, text=text):
                found = FUNCTIONS[function](self._template(text, depth=depth + 1))
                value = None
            case name:
                value = self._lookup(name)
                found = "" if value is None else value.text
        if reference.if_set is None and reference.if_unset is None:
            return found if value is None else self.of(value, depth=depth + 1)
        chosen = reference.if_set if found else reference.if_unset
        return self._template(chosen, depth=depth + 1) if chosen else ""

    def _holds(self, comparison: Comparison, *, depth: int) -> bool:
        left = self._template(comparison.left, depth=depth + 1).encode(errors="surrogateescape")
        right = self._template(comparison.right, depth=depth + 1).encode(errors="surrogateescape")
        if comparison.by_level:
            order = _order(_level(left), _level(right))
        elif left.isdigit() and right.isdigit():
            order = _order(_number(left), _number(right))
        else:
            order = _order(left, right)
        return _OUTCOMES[comparison.operator](order)


class _Body:
    """The text of one `${…}`, read from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def reference(self) -> Reference:
        """The whole body as a reference."""
        self._skip_space()
        if self._next() == "{":
            return self._choice(self._comparison(), before="")
        start = self._at
        name = self._word()
        if self._next() == "{" and name in FUNCTIONS:
            return self._choice(Call(name, self._braced()), before="")
        after_name = self._at
        self._skip_space()
        if self._next() not in ("", "?", ":"):
            raise ExpansionError(
                f'attribute name syntax error at: "...{self._text[start:after_name]}>>>'
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
        by_level = self._text.startswith("level", self._at)
        if by_level:
            self._at += len("level")
        after_operator = self._at
        self._skip_space()
        if self._next() != "{":
            raise ExpansionError(
                f'"{{expression}}" expected at: "...{{{left}}} {operator[0]}>>>'
                f'{self._text[after_operator : after_operator + 20]}"'
            )
        return Comparison(left, operator[0], by_level, self._braced())

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


_BRACES: Final = re.compile(r"[{}]")
_PARENTHESES: Final = re.compile(r"[()]")


def _balanced_end(text: str, opening: int) -> int:
    """Where the bracket at `opening` is closed, counting its own kind only; -1 if nowhere."""
    marks, opener = (_BRACES, "{") if text[opening] == "{" else (_PARENTHESES, "(")
    level = 0
    for mark in marks.finditer(text, opening):
        level += 1 if mark[0] == opener else -1
        if level == 0:
            return mark.start()
    return -1


def _level(text: bytes) -> tuple[int, int, int]:
    match = _LEVEL.fullmatch(text)
    if match is None:
        raise ExpansionError(f'malformed compatibility level syntax: "{text.decode(errors="replace")}"')
    major, minor, patch = (decimal(part or b"0") for part in match.groups())
    return major, minor, patch


def _number(digits: bytes) -> int:
    try:
        number = decimal(digits, max_digits=40)
    except ValueError:
        number = _LARGEST_NUMBER + 1
    if number > _LARGEST_NUMBER:
        raise ExpansionError(f"bad conversion: {digits.decode()[:60]}")
    return number


def _order(left: object, right: object) -> int:
    """-1, 0 or 1; both sides are of one type that has an order."""
    if left == right:
        return 0
    return -1 if left < right else 1  # type: ignore[operator]


_OUTCOMES: Final[dict[str, Callable[[int], bool]]] = {
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


def _domain_to_ascii(text: str) -> str:
    """U-labels to A-labels in each domain name of a list; a name that cannot be converted stays."""
    # Used by very few configurations; its tables would cost every role memory.
    import idna

    def convert(name: re.Match[str]) -> str:
        try:
            return name[0] if name[0].isascii() else idna.encode(name[0], uts46=True).decode("ascii")
        except idna.IDNAError:
            return name[0]

    return _DOMAIN_IN_LIST.sub(convert, text)


def _domain_to_utf8(text: str) -> str:
    """A-labels to U-labels in each domain name of a list; a name that cannot be converted stays."""
    import idna

    def convert(name: re.Match[str]) -> str:
        try:
            return idna.decode(name[0]) if "xn--" in name[0].lower() else name[0]
        except idna.IDNAError:
            return name[0]

    return _DOMAIN_IN_LIST.sub(convert, text)


_DOMAIN_IN_LIST: Final = re.compile(r"[^ \t\r\n,{}]+")

FUNCTIONS: Final[dict[str, Callable[[str], str]]] = {
    "domain_to_ascii": _domain_to_ascii,
    "domain_to_utf8": _domain_to_utf8,
}
"""Functions of main.cf values, by name (Postfix 3.10)."""
