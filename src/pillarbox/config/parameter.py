"""Declared settings: one declaration gives the typed attribute, `postconf -d`, the manual and its test.

DESCRIPTION
    A group is a frozen class; each of its fields is a parameter of the same name:

        @settings_group
        class QueueManager:
            queue_run_delay: Seconds = parameter("300s", minimum=1, doc="Time between deferred queue scans.")

    The default is text as an admin would write it in main.cf; it may refer to other parameters.  The field's
    type says how the expanded text is read.  `declarations(QueueManager)` lists what was declared, and
    `Snapshot.group(QueueManager)` (snapshot.py) fills it.  A program takes groups as arguments; none reads a
    global configuration.

    Types: str, bool, int, Seconds, OctalMode, tuple[str, ...] (a list), Literal[…] (one of these words),
    MatchList, NetworkList.

FAULTS
    ValueError     a value is not of the type or out of bounds; the text says what is wrong.
    TypeError      a declaration has a type that nothing here reads: a mistake in this program, found by the
                   tests.
"""

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Literal, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

import msgspec

from pillarbox.config import value_types
from pillarbox.config.value_types import (
    MatchList,
    NetworkList,
    OctalMode,
    PatternFiles,
    Seconds,
)

_KEY: Final = "pillarbox parameter"


class Declared(msgspec.Struct, frozen=True):
    """What `parameter()` was given."""

    default: str
    doc: str
    minimum: float | None
    maximum: float | None
    differs: str
    name: str


class Declaration(msgspec.Struct, frozen=True):
    """One parameter as declared in its group."""

    name: str
    field: str
    group: str
    default: str
    doc: str
    type: Any
    minimum: float | None = None
    maximum: float | None = None
    differs: str = ""

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that are allowed, if only certain words are."""
        return get_args(self.type) if get_origin(self.type) is Literal else ()

    def parse(self, text: str, *, files: PatternFiles) -> object:
        """The typed value of an expanded text.  ValueError says what is wrong with it."""
        if choices := self.choices:
            return _choice(text, choices)
        found = READERS[self.type](text, self, files)
        if self.minimum is not None and found < self.minimum:
            raise ValueError(f'"{text}" is below the minimum of {self.minimum:g}')
        if self.maximum is not None and found > self.maximum:
            raise ValueError(f'"{text}" is above the maximum of {self.maximum:g}')
        return found


def parameter(
    default: str,
    *,
    doc: str,
    minimum: float | None = None,
    maximum: float | None = None,
    differs: str = "",
    name: str = "",
) -> Any:  # noqa: ANN401 - a field specifier stands for a value of whatever type the field has
    """A field of a group.

    `differs` says why the default is not Postfix's, where it is not.  `name` is the parameter's name where
    that cannot be a Python name.
    """
    return dataclasses.field(metadata={_KEY: Declared(default, doc, minimum, maximum, differs, name)})


GroupType = TypeVar("GroupType")


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(parameter,))
def settings_group(group: type[GroupType]) -> type[GroupType]:
    """Make a class of `parameter()` fields a frozen group of settings."""
    return dataclasses.dataclass(frozen=True, slots=True, kw_only=True)(group)


def declarations(group: type) -> tuple[Declaration, ...]:
    """The parameters of a group, in the order of their declaration."""
    return _declarations(group)


@cache
def _declarations(group: type) -> tuple[Declaration, ...]:
    types = get_type_hints(group)
    return tuple(
        Declaration(
            name=declared.name or field.name,
            field=field.name,
            group=group.__name__,
            default=declared.default,
            doc=declared.doc,
            type=types[field.name],
            minimum=declared.minimum,
            maximum=declared.maximum,
            differs=declared.differs,
        )
        for field in dataclasses.fields(group)
        if isinstance(declared := field.metadata[_KEY], Declared)
    )


def default_unit(default: str) -> str:
    """The unit that a time without one is in: that of the parameter's default, as in Postfix."""
    return default[-1] if default[-1:] in value_types.UNITS else "s"


def _choice(text: str, choices: tuple[str, ...]) -> str:
    folded = text.lower()
    for word in choices:
        if folded == word.lower():
            return word
    words = ", ".join(word or "(empty)" for word in choices)
    raise ValueError(f'"{text}" is none of: {words}')


READERS: Final[dict[Any, Callable[[str, Declaration, PatternFiles], Any]]] = {
    str: lambda text, _declaration, _files: text,
    bool: lambda text, _declaration, _files: value_types.boolean(text),
    int: lambda text, _declaration, _files: value_types.number(text),
    Seconds: lambda text, declaration, _files: value_types.time_span(
        text, unit=default_unit(declaration.default)
    ),
    OctalMode: lambda text, _declaration, _files: value_types.octal_mode(text),
    tuple[str, ...]: lambda text, _declaration, _files: value_types.items(text),
    MatchList: lambda text, _declaration, files: value_types.match_list(text, files=files),
    NetworkList: lambda text, _declaration, files: value_types.network_list(text, files=files),
}
"""How the text of each type is read."""
