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
from collections.abc import Callable
from typing import Final

from pillarbox.config.expansion_comparison import holds
from pillarbox.config.expansion_syntax import Call, Comparison, ExpansionError, Reference, references
from pillarbox.config.value import Value
from pillarbox.vocabulary.faults import ConfigurationFault

Lookup = Callable[[str], Value | None]
"""The unexpanded value of a parameter, or None for a name that is not defined."""

MAX_DEPTH: Final = 100
"""Values within values; more is taken for a parameter that refers to itself."""

MAX_REFERENCES: Final = 50_000
"""References in one expansion: `a = $b$b`, `b = $c$c` … doubles at each step."""

MAX_LENGTH: Final = 4_000_000
"""Characters of one expanded value."""


def expand(value: Value, lookup: Lookup) -> str:
    """The text of `value` with all references replaced.  ConfigurationFault if it cannot be done."""
    return _Expansion(lookup).of(value, depth=0)


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
                found = _CALLS[function](self._template(text, depth=depth + 1))
                value = None
            case name:
                value = self._lookup(name)
                found = "" if value is None else value.text
        if reference.if_set is None and reference.if_unset is None:
            return found if value is None else self.of(value, depth=depth + 1)
        chosen = reference.if_set if found else reference.if_unset
        return self._template(chosen, depth=depth + 1) if chosen else ""

    def _holds(self, comparison: Comparison, *, depth: int) -> bool:
        left = self._template(comparison.left, depth=depth + 1)
        return holds(comparison, left, self._template(comparison.right, depth=depth + 1))


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

_CALLS: Final[dict[str, Callable[[str], str]]] = {
    "domain_to_ascii": _domain_to_ascii,
    "domain_to_utf8": _domain_to_utf8,
}
"""What each of expansion_syntax.FUNCTIONS does."""
