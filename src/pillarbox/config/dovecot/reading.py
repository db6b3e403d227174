"""dovecot.conf with all its includes, read into settings that know where they stand.

DESCRIPTION
    `read_configuration(path)` gives a `Configuration`: the settings outside filters (`root`) and those inside
    `protocol`, `local`, `local_name` and `remote` blocks (written_settings.py), and what is so if nothing is said.
    What the lines of the files mean is told in file_reader.py.

FAULTS
    ConfigurationFault  in Dovecot's words: Error in configuration file F line N: Unknown setting: x

STANDARDS
    Dovecot 2.3 ConfigFile
"""

import os
from collections.abc import Iterator, Mapping

from pillarbox.config.dovecot import value_types
from pillarbox.config.dovecot.file_reader import FileReader, default, defaults
from pillarbox.config.dovecot.written_settings import Entry, Filter, Path, WrittenSettings


class Configuration(WrittenSettings):
    """A configuration that was read."""

    def entry(self, *path: str) -> Entry | None:
        """The setting outside filters; None if it was not set."""
        return self.root.entries.get(path)

    def value(self, *path: str) -> str:
        """A setting's value outside filters, or its default."""
        entry = self.root.entries.get(path)
        if entry is not None:
            return entry.value
        standard = default(path)
        return self.value(standard[1:]) if standard.startswith("$default_") else standard

    def is_set(self, *path: str) -> bool:
        """Whether the file sets it."""
        return path in self.root.entries

    def where(self, *path: str) -> str:
        """Where it is set: `Error in configuration file` and the place."""
        entry = self.root.entries.get(path)
        return f"Error in configuration file {entry.where if entry is not None else self.path}"

    def yes(self, *path: str) -> bool:
        """A boolean's value."""
        return value_types.boolean(self.value(*path))

    def number(self, *path: str) -> int:
        """A number's, port's or mode's value."""
        return value_types.number(self.value(*path))

    def seconds(self, *path: str) -> int:
        """A time's value."""
        return value_types.seconds(self.value(*path))

    def octets(self, *path: str) -> int:
        """A size's value."""
        return value_types.octets(self.value(*path))

    def words(self, *path: str) -> tuple[str, ...]:
        """A list's value."""
        return tuple(self.value(*path).replace(",", " ").split())

    def blocks(self, kind: str, *inside: str) -> list[Path]:
        """Paths of the blocks of a kind that the file has, in its order."""
        length = len(inside) + 2
        return [path for path in self.root.blocks if len(path) == length and path[:-1] == (*inside, kind)]

    def default_blocks(self, kind: str, *inside: str) -> list[Path]:
        """The same, those that Dovecot has without being told first."""
        length = len(inside) + 2
        known = [path for path in defaults().blocks if len(path) == length and path[:-1] == (*inside, kind)]
        return list(dict.fromkeys([*known, *self.blocks(kind, *inside)]))

    def with_each_filter(self) -> "Iterator[Configuration]":
        """What is set within each filter, everything else as outside."""
        for settings in self.filters:
            found = Configuration(self.path)
            found.root.entries = self.root.entries | settings.entries
            found.root.blocks = self.root.blocks | settings.blocks
            yield found

    def for_protocol(self, protocol: str) -> "Configuration":
        """What is set for a protocol, everything else being left to chance."""
        found = Configuration(self.path)
        found.root.entries = dict(self.root.entries)
        found.root.blocks = dict(self.root.blocks)
        for settings in self.filters:
            if matches(settings.scope, {"protocol": protocol}):
                found.root.entries.update(settings.entries)
                found.root.blocks.update(settings.blocks)
        return found


def matches(scope: Filter, known: Mapping[str, str]) -> bool:
    """Whether a filter's settings are for this client: protocol, local, remote, local_name where given."""
    if scope.protocol.startswith("!"):
        if known.get("protocol", "") in ("", scope.protocol[1:]):
            return False
    elif scope.protocol and scope.protocol != known.get("protocol"):
        return False
    return all(
        not wanted or wanted == known.get(name)
        for name, wanted in (
            ("local", scope.local),
            ("remote", scope.remote),
            ("local_name", scope.local_name),
        )
    )


def read_configuration(
    path: str, *, environment: Mapping[str, str] | None = None, expands: bool = True
) -> Configuration:
    """The configuration of a file.  `expands`: a variable that is not known is a mistake, as it is at a start."""
    configuration = Configuration(path)
    reader = FileReader(configuration, os.environ if environment is None else environment, expands=expands)
    reader.read_file(path)
    reader.finish()
    return configuration


def parse_configuration(
    content: str, *, path: str = "dovecot.conf", environment: Mapping[str, str] | None = None
) -> Configuration:
    """The configuration of a text."""
    configuration = Configuration(path)
    reader = FileReader(configuration, {} if environment is None else environment)
    reader.read_text(content, path)
    reader.finish()
    return configuration
