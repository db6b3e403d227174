"""`$name` and `${name?…}` in texts whose names stand for what a program knows of a client, a user or a message.

DESCRIPTION
    The syntax is main.cf's; the values are the caller's.  They are not expanded again, and characters that are not
    allowed become underscores in them.

FAULTS
    ExpansionError  bad syntax, a comparison of what cannot be compared, a function
"""

from functools import lru_cache
from typing import Final, Protocol

import msgspec

from pillarbox.config.expansion_comparison import holds
from pillarbox.config.expansion_syntax import Comparison, ExpansionError, Reference, references


class Names(Protocol):
    """The names that there are, and their values; None: none."""

    def get(self, name: str, default: str, /) -> str | None:
        """The value; the default if it is no name here."""
        ...


class Expanded(msgspec.Struct, frozen=True):
    """A text with its names replaced."""

    text: str
    undefined: bool  # a name without a value was used
    names: frozenset[str]  # whose values went into the text
    unknown: frozenset[str] = frozenset()  # that are no names here


def expand_names(template: str, values: Names, *, allowed: str | None) -> Expanded:
    """Replace the names in `template`; `allowed` are the characters that values may bring in, None for all."""
    expansion = _Expansion(values, None if allowed is None else _characters(allowed))
    text = expansion.of(template)
    return Expanded(text, expansion.undefined, frozenset(expansion.names), frozenset(expansion.unknown))


class _Expansion:
    def __init__(self, values: Names, allowed: frozenset[str] | None) -> None:
        self._values = values
        self._allowed = allowed
        self.undefined = False
        self.names: set[str] = set()
        self.unknown: set[str] = set()

    def of(self, template: str) -> str:
        return "".join(
            [piece if isinstance(piece, str) else self._replace(piece) for piece in _pieces(template)]
        )

    def _replace(self, reference: Reference) -> str:
        if isinstance(reference.subject, Comparison):
            return self._compared(reference, reference.subject)
        if not isinstance(reference.subject, str):
            raise ExpansionError("functions are not served here")
        value = self._values.get(reference.subject, _UNKNOWN)
        if value is _UNKNOWN:
            self.unknown.add(reference.subject)
            value = None
        if reference.if_set is None and reference.if_unset is None:
            if value is None:
                self.undefined = True
                return ""
            self.names.add(reference.subject)
            return self._filtered(value)
        chosen = reference.if_set if value else reference.if_unset
        return self.of(chosen) if chosen else ""

    def _compared(self, reference: Reference, comparison: Comparison) -> str:
        is_true = holds(comparison, self.of(comparison.left), self.of(comparison.right))
        if reference.if_set is None and reference.if_unset is None:
            return "true" if is_true else ""
        chosen = reference.if_set if is_true else reference.if_unset
        return self.of(chosen) if chosen else ""

    def _filtered(self, value: str) -> str:
        if self._allowed is None or self._allowed.issuperset(value):
            return value
        return "".join(one if one in self._allowed else "_" * _octets(one) for one in value)


_UNKNOWN: Final = "".join(("no ", "name"))
"""An object that is nobody's value."""

_characters: Final = lru_cache(maxsize=64)(frozenset[str])


@lru_cache(maxsize=64)
def _pieces(template: str) -> tuple[str | Reference, ...]:
    """The template taken apart; it is a parameter's, and comes again with each message."""
    return tuple(references(template))


def _octets(character: str) -> int:
    """How many are in UTF-8, each of which Postfix looks at."""
    return len(character.encode("utf-8", "surrogateescape"))
