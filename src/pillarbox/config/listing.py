"""The settings as postconf lists them: which names, in what order, and each line's text.

DESCRIPTION
    A `Listing` is a configuration directory read for showing: values unexpanded as the admin wrote them,
    blanks collapsed, master.cf lines as text.  Names are of three classes:

        builtin   parameters of this system, served or not
        service   parameters that come with the services in master.cf
        user      names of the admin's own that other values use

FAULTS
    ConfigurationFault, ExpansionError  bad syntax in main.cf or master.cf.
    OSError                             main.cf or master.cf cannot be read.
"""

import os
import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from pillarbox.config.computed_defaults import HostFacts
from pillarbox.config.logical_lines import BLANKS, read_text
from pillarbox.config.main_cf import MainCf, parse_main_cf
from pillarbox.config.master_cf import FIELDS
from pillarbox.config.master_cf_text import INDENT, LINE_LIMIT, Entry, Setting, entries
from pillarbox.config.name_usage import READ_ONLY, Usage, is_parameter, parameter_names, usage
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.unserved_parameters import UNEXPANDED
from pillarbox.config.value import BUILT_IN, COMMAND_LINE, Value

CLASSES: Final = frozenset({"builtin", "service", "user"})

_SPACE: Final = re.compile(f"[{BLANKS}]+")

Pattern = tuple[str, ...]
"""`service`, `service/type`, … taken apart; `*` stands for any."""


class Style(msgspec.Struct, frozen=True):
    """What of a setting is shown."""

    names: bool = True
    values: bool = True
    fold: bool = False
    expand: bool = False

    def line(self, name: str, text: str) -> str:
        """`name = value`, or a part of it; folded, continued on further lines."""
        if not self.values:
            return name
        start = f"{name} =" if self.names else ""
        parts = [part for part in _SPACE.split(text) if part]
        if not self.fold:
            return " ".join([*([start] if start else []), *parts])
        lines = [start]
        for part in parts:
            if not lines[-1]:
                lines[-1] = part
            elif len(lines[-1]) + 1 + len(part) > LINE_LIMIT:
                lines.append(INDENT + part)
            else:
                lines[-1] += f" {part}"
        return "\n".join(lines)


class Listing(msgspec.Struct, frozen=True):
    """A configuration directory, read for showing."""

    snapshot: Snapshot
    set_names: frozenset[str]
    entries: list[Entry]
    syntax_warnings: tuple[str, ...]
    usage: Usage

    def names(self, classes: frozenset[str], *, only_set: bool) -> list[str]:
        """Names of these classes in order, all of them or those that are set."""
        found: set[str] = set()
        if "builtin" in classes:
            found |= parameter_names() - self.usage.of_services
        if "service" in classes:
            found |= self.usage.of_services
        if "user" in classes:
            found |= self.usage.own
        return sorted(found & self.set_names if only_set else found)

    def parameter(self, name: str) -> Value | None:
        """The value of a name that is a parameter or one of the admin's own, else None."""
        if not (is_parameter(name) or name in self.usage.service_defaults or name in self.usage.own):
            return None
        return self.snapshot.raw(name) or Value(self.usage.service_defaults.get(name, ""), BUILT_IN)

    def text(self, name: str, value: Value, *, expanded: bool) -> str:
        """What is shown of a value."""
        if expanded and name not in UNEXPANDED:
            return self.snapshot.expand(value)
        return value.text

    def entry_lines(
        self, patterns: list[Pattern], style: Style, unmatched: Callable[[int], None]
    ) -> Iterator[str]:
        """The lines of master.cf that the patterns ask for."""
        for entry, _key in self._wanted(patterns, lambda entry: [(entry.name, entry.type)], unmatched):
            yield self._shown(entry, style).text(fold=style.fold)

    def field_lines(
        self, patterns: list[Pattern], style: Style, unmatched: Callable[[int], None]
    ) -> Iterator[str]:
        """`service/type/field = value`."""

        def keys(entry: Entry) -> list[Pattern]:
            return [(entry.name, entry.type, field) for field in FIELDS]

        for entry, key in self._wanted(patterns, keys, unmatched):
            name = "/".join(key)
            before = len(f"{name} = ") if style.names and style.values else 0
            shown = self._shown(entry, style).field(key[2], fold=style.fold, before=before)
            yield _plain_line(name, shown, style)

    def setting_lines(
        self, patterns: list[Pattern], style: Style, unmatched: Callable[[int], None]
    ) -> Iterator[str]:
        """`service/type/parameter = value`, for what -o sets."""

        def keys(entry: Entry) -> list[Pattern]:
            return [(entry.name, entry.type, name) for name in sorted(entry.settings)]

        for entry, key in self._wanted(patterns, keys, unmatched):
            yield style.line("/".join(key), self._shown(entry, style).settings[key[2]])

    def _wanted(
        self,
        patterns: list[Pattern],
        keys: Callable[[Entry], list[Pattern]],
        unmatched: Callable[[int], None],
    ) -> Iterator[tuple[Entry, Pattern]]:
        """What the patterns ask for of each entry, all of it without patterns, and twice what is asked for twice.

        Each pattern that asks for nothing is told.
        """
        of_entries = [(entry, keys(entry)) for entry in self.entries]
        for position, pattern in enumerate(patterns):
            if not any(matches(pattern, key) for _entry, entry_keys in of_entries for key in entry_keys):
                unmatched(position)
        for entry, entry_keys in of_entries:
            for pattern in patterns or [()]:
                yield from ((entry, key) for key in entry_keys if matches(pattern, key))

    def _shown(self, entry: Entry, style: Style) -> Entry:
        """The entry as it is listed, with its settings expanded if that is asked for."""
        listed = entry.listed
        if not style.expand:
            return listed
        overrides = {"service_name": entry.name, "process_name": entry.command} | entry.settings
        snapshot = self.snapshot.with_overrides(overrides)
        arguments = tuple(
            Setting(item.name, snapshot.expand(Value(item.value, COMMAND_LINE)))
            if isinstance(item, Setting)
            else item
            for item in listed.arguments
        )
        return msgspec.structs.replace(listed, arguments=arguments)


def read_listing(
    directory: str,
    *,
    facts: HostFacts,
    overrides: dict[str, str],
    named: bool,
    main_cf: bool,
    master_cf: bool,
) -> Listing:
    """The configuration in `directory`; with `main_cf` false, without what main.cf says.

    Without `master_cf` a missing master.cf gives a warning and no more.  When the directory is `named` by the
    caller, that counts as setting config_directory.
    """
    main_path = os.path.join(directory, "main.cf")
    master_path = os.path.join(directory, "master.cf")
    found = parse_main_cf(read_text(main_path), path=main_path) if main_cf else MainCf(main_path, {})
    values = found.values | {name: Value(text, COMMAND_LINE) for name, text in overrides.items()}
    try:
        found_entries, warnings = entries(read_text(master_path), path=master_path)
    except OSError as error:
        if master_cf:
            raise
        found_entries, warnings = [], [f"open {master_path}: {error.strerror}"]
    used = usage(values, found_entries, main_path=main_path, master_path=master_path)
    values |= {
        "process_name": Value("postconf", COMMAND_LINE),
        "process_id": Value(str(os.getpid()), COMMAND_LINE),
    }
    if named and main_cf:
        values["config_directory"] = Value(directory, COMMAND_LINE)
    return Listing(
        snapshot=Snapshot(values, facts=facts),
        set_names=frozenset(values) - READ_ONLY,
        entries=found_entries,
        syntax_warnings=(*found.warnings, *warnings),
        usage=used,
    )


def matches(pattern: Pattern, key: Pattern) -> bool:
    """Whether a pattern asks for a key; a pattern may be shorter than the key."""
    return all(wanted in ("*", part) for wanted, part in zip(pattern, key, strict=False))


def _plain_line(name: str, text: str, style: Style) -> str:
    """A line whose text has its own line breaks."""
    if not style.values:
        return name
    return f"{name} = {text}" if style.names else text
