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

    Types: str, bool, int, Octets, Seconds, OctalMode, tuple[str, ...] (a list), Literal[…] (one of these words),
    MatchList, NetworkList.

FAULTS
    ValueError     a value is not of the type or out of bounds; the text says what is wrong.
    TypeError      a declaration has a type that nothing here reads, or a group is made without one of its
                   fields: mistakes in this program, found by the tests.

Every command imports all groups, so classes are made by hand: as dataclasses they take six times as long.
"""

from collections.abc import Callable
from typing import Any, Final, Literal, NoReturn, TypeVar, cast, dataclass_transform, get_args, get_origin

import msgspec

from pillarbox.config import value_types
from pillarbox.config.value_types import (
    MatchList,
    NetworkList,
    OctalMode,
    Octets,
    PatternFiles,
    Seconds,
)


class Declared(msgspec.Struct, frozen=True):
    """What `parameter()` was given."""

    default: str
    doc: str
    minimum: float | None = None
    maximum: float | None = None
    differs: str = ""
    name: str = ""
    words: tuple[str, ...] = ()


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
    words: tuple[str, ...] = ()

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
        if self.words:
            _check_words(found, text, self.words)
        return found


def parameter(
    default: str,
    *,
    doc: str,
    minimum: float | None = None,
    maximum: float | None = None,
    differs: str = "",
    name: str = "",
    words: tuple[str, ...] = (),
) -> Any:  # noqa: ANN401 - a field specifier stands for a value of whatever type the field has
    """A field of a group.

    `differs` says why the default is not Postfix's, where it is not.  `name` is the parameter's name where
    that cannot be a Python name.  `words` are all that a list may have, in these letters.
    """
    return Declared(default, doc, minimum, maximum, differs, name, words)


class _Group:
    """What all groups have: they are filled once, by name, and stay as they are."""

    __slots__ = ()
    __declarations__: tuple[Declaration, ...] = ()

    def __init__(self, **values: object) -> None:
        fields = [declared.field for declared in self.__declarations__]
        if len(values) != len(fields):
            raise TypeError(f"{type(self).__name__} has the fields {fields}, not {list(values)}")
        for field in fields:
            object.__setattr__(self, field, values[field])

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} is a setting and stays as it is")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} is a setting and stays as it is")

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self._values().values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._values().items())})"

    def _values(self) -> dict[str, object]:
        return {declared.field: getattr(self, declared.field) for declared in self.__declarations__}


GroupType = TypeVar("GroupType")


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(parameter,))
def settings_group(group: type[GroupType]) -> type[GroupType]:
    """Make a class of `parameter()` fields a frozen group of settings."""
    declared = {field: value for field, value in vars(group).items() if isinstance(value, Declared)}
    namespace = {
        name: value
        for name, value in vars(group).items()
        if name not in declared and name not in ("__dict__", "__weakref__")
    }
    namespace["__slots__"] = tuple(declared)
    namespace["__declarations__"] = tuple(
        _declaration(group.__name__, field, group.__annotations__[field], value)
        for field, value in declared.items()
    )
    made = type(group.__name__, (_Group,), namespace)
    return cast("type[GroupType]", made)


def twin_group(group: type[GroupType], name: str, twin: Callable[[Declaration], Declared]) -> type[GroupType]:
    """A subclass with the same fields; `twin` tells from which parameter each of them is filled instead."""
    made = type(
        name,
        (group,),
        {
            "__doc__": group.__doc__,
            "__module__": group.__module__,
            "__slots__": (),
            "__declarations__": tuple(
                _declaration(name, declared.field, declared.type, twin(declared))
                for declared in declarations(group)
            ),
        },
    )
    return cast("type[GroupType]", made)


def declarations(group: type) -> tuple[Declaration, ...]:
    """The parameters of a group, in the order of their declaration."""
    assert issubclass(group, _Group), f"{group.__name__} is no settings group"
    return group.__declarations__


def _declaration(group: str, field: str, kind: object, declared: Declared) -> Declaration:
    return Declaration(
        name=declared.name or field,
        field=field,
        group=group,
        default=declared.default,
        doc=declared.doc,
        type=kind,
        minimum=declared.minimum,
        maximum=declared.maximum,
        differs=declared.differs,
        words=declared.words,
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


def _check_words(found: tuple[str, ...], text: str, words: tuple[str, ...]) -> None:
    for word in found:
        if word not in words:
            raise ValueError(f'unknown value "{word}" in "{text}"; there are: {", ".join(words)}')


READERS: Final[dict[Any, Callable[[str, Declaration, PatternFiles], Any]]] = {
    str: lambda text, _declaration, _files: text,
    bool: lambda text, _declaration, _files: value_types.boolean(text),
    int: lambda text, _declaration, _files: value_types.number(text),
    Octets: lambda text, _declaration, _files: value_types.number(text, bits=64),
    Seconds: lambda text, declaration, _files: value_types.time_span(
        text, unit=default_unit(declaration.default)
    ),
    OctalMode: lambda text, _declaration, _files: value_types.octal_mode(text),
    tuple[str, ...]: lambda text, _declaration, _files: value_types.items(text),
    MatchList: lambda text, _declaration, files: value_types.match_list(text, files=files),
    NetworkList: lambda text, _declaration, files: value_types.network_list(text, files=files),
}
"""How the text of each type is read."""
