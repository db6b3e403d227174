"""All settings of one service at one moment: main.cf, `-o` overrides, built-in defaults.

DESCRIPTION
    The supervisor reads main.cf and master.cf once, makes a snapshot for each service and hands it to the
    role as msgpack; a role never reads a configuration file.  What a value is, is asked in this order:

        overrides (`-o name=value` of the service's line in master.cf)
        main.cf
        defaults that depend on the host (computed_defaults.py)
        declared defaults (postfix_parameters.py), then those of parameters that are known but not served

    `group(QueueManager)` gives typed settings.  Every value keeps its file and line, so that a mistake can be
    found: `/etc/postfix/main.cf, line 12: parameter queue_run_delay: "5x" is not a time …`.

FAULTS
    ConfigurationFault   a value that cannot be expanded or is not of its parameter's type; text that is not
                         UTF-8.  A start that gets one of these is refused; a reload keeps the old settings.
"""

import re
from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from pillarbox.config.computed_defaults import COMPUTED, HostFacts, Lookups, computed_default
from pillarbox.config.expansion import expand
from pillarbox.config.parameter import Declaration, declarations
from pillarbox.config.treatment import Kind
from pillarbox.config.unserved_parameters import UNEXPANDED, treatment
from pillarbox.config.value import BUILT_IN, COMMAND_LINE, Value
from pillarbox.vocabulary.faults import ConfigurationFault

Group = TypeVar("Group")
_REFERENCE: Final = re.compile(r"\$(\w+)", re.ASCII)


class Snapshot(msgspec.Struct, frozen=True):
    """Settings of one service.  Build one with `Snapshot.of` or `reading.read_configuration`."""

    values: dict[str, Value] = {}
    """What main.cf sets."""
    overrides: dict[str, Value] = {}
    """What the service's line in master.cf, or the command line, sets."""
    facts: HostFacts = HostFacts()
    pattern_files: dict[str, tuple[str, ...]] = {}
    """Lines of the `/file/name` items in match lists, by path."""

    @classmethod
    def of(cls, values: Mapping[str, str] | None = None, *, facts: HostFacts | None = None) -> "Snapshot":
        """A snapshot of these values, as if each stood on a line of main.cf."""
        located = {
            name: Value(text, "main.cf", line)
            for line, (name, text) in enumerate((values or {}).items(), start=1)
        }
        return cls(located, facts=facts or HostFacts())

    @classmethod
    def decode(cls, message: bytes) -> "Snapshot":
        """A snapshot that `encode()` wrote."""
        return _DECODER.decode(message)

    def encode(self) -> bytes:
        """The snapshot as msgpack, to be handed to a role."""
        return _ENCODER.encode(self)

    def with_overrides(self, overrides: Mapping[str, Value | str]) -> "Snapshot":
        """The same settings, with these first.  A plain text counts as given on a command line."""
        located = {
            name: value if isinstance(value, Value) else Value(value, COMMAND_LINE)
            for name, value in overrides.items()
        }
        return msgspec.structs.replace(self, overrides=self.overrides | located)

    def explicit(self, name: str) -> Value | None:
        """What the admin wrote, unexpanded; None if the parameter is not set."""
        found = self.overrides.get(name)
        return self.values.get(name) if found is None else found

    def raw(self, name: str) -> Value | None:
        """The value before expansion, set or default; None for a name that nobody defined."""
        found = self.explicit(name)
        return self.default(name) if found is None else found

    def default(self, name: str) -> Value | None:
        """The value that the parameter has when it is not set."""
        computed = computed_default(
            name, lookups=Lookups(self.explicit, self.value, self._without), facts=self.facts
        )
        if computed is not None:
            return computed
        treated = treatment(name)
        return None if treated.kind is Kind.UNKNOWN else Value(treated.default, BUILT_IN)

    def value(self, name: str) -> str:
        """The expanded value; empty for a name that nobody defined.

        A few values are not expanded here, because their `$name` stands for what a program knows of a client
        or a user (unserved_parameters.UNEXPANDED).
        """
        found = self.raw(name)
        if found is None:
            return ""
        return found.text if name in UNEXPANDED else self.expand(found)

    def expand(self, value: Value) -> str:
        """A text with the references in it replaced by these settings."""
        return expand(value, self.raw)

    def _without(self, name: str, hidden: str) -> str:
        """The expanded value while another parameter counts as undefined."""
        found = self.raw(name)
        return "" if found is None else expand(found, lambda used: None if used == hidden else self.raw(used))

    def where(self, name: str) -> str:
        """Where the value comes from: `file, line N`, or what else there is.

        A default that is another parameter's value comes from where that does.
        """
        found = self.raw(name)
        if found is None:
            return BUILT_IN
        other = _REFERENCE.fullmatch(found.text) if found.where == BUILT_IN else None
        return self.where(other[1]) if other is not None else found.where

    def place_of(self, name: str) -> str:
        """The same with the parameter's name, for who says what is wrong with its value."""
        return f"{self.where(name)}, parameter {name}"

    def group(self, group: type[Group]) -> Group:
        """The typed settings of a group.  ConfigurationFault names the first one that is wrong."""
        built_in = built_in_values(group)
        return group(
            **{
                declared.field: built_in[declared.field]
                if declared.field in built_in and self.explicit(declared.name) is None
                else self._typed(declared)
                for declared in declarations(group)
            }
        )

    def _typed(self, declared: Declaration) -> object:
        text = self.value(declared.name)
        try:
            return declared.parse(text, files=self.pattern_files)
        except ValueError as error:
            raise ConfigurationFault(
                self.where(declared.name),
                f"parameter {declared.name}: {error}",
                mend=f"the default is {declared.default}"
                if declared.default
                else "leave it out for the default",
            ) from error


_built_in: Final[dict[type, Mapping[str, object]]] = {}


def built_in_values(group: type) -> Mapping[str, object]:
    """By field, what the defaults of a group are that refer to nothing and are the same on each host.

    Nine of ten values are not set: they are read once, and not for each service in each process.
    """
    if (known := _built_in.get(group)) is not None:
        return known
    typed: dict[str, object] = {}
    for declared in declarations(group):
        default = treatment(declared.name).default
        if declared.name in COMPUTED or ("$" in default and declared.name not in UNEXPANDED):
            continue
        try:
            typed[declared.field] = declared.parse(default, files={})
        except ValueError:
            continue  # whoever asks for it is told
    _built_in[group] = typed
    return typed


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Snapshot)
