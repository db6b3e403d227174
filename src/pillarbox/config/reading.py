"""From a directory with main.cf and master.cf to snapshots that can be handed to roles.

DESCRIPTION
    `read_configuration()` is what the supervisor and most commands begin with.  Both files may be missing:
    the built-in defaults run, with no services but those the caller brings.  `Configuration.snapshot` has the
    settings of main.cf; `for_service()` adds what the service's line in master.cf overrides.

    What settings refer to is read here too, so that roles need no files: the `/file/name` items of match
    lists, and `myorigin = /etc/mailname`, which Debian's main.cf has.

FAULTS
    ConfigurationFault  a file that exists cannot be read or has bad syntax; text that is not UTF-8

    A `/file/name` item that cannot be read is a table that cannot be opened, whose questions are faults.
"""

import os
from collections.abc import Iterable
from functools import cache
from typing import Final

import msgspec

from pillarbox.config.computed_defaults import HostFacts
from pillarbox.config.logical_lines import BLANKS
from pillarbox.config.main_cf import MainCf, read_main_cf
from pillarbox.config.master_cf import MasterCf, Service, read_master_cf
from pillarbox.config.parameter import declarations
from pillarbox.config.postfix_parameters import GROUPS
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value import Value
from pillarbox.config.value_types import NO_FILE, MatchList, NetworkList, pattern_file_names
from pillarbox.vocabulary.faults import ConfigurationFault

SET_BY_READING: Final = frozenset({"config_directory", "process_name", "service_name"})
"""Parameters that have values here whether an admin set them or not."""


class UnreadableFile(ConfigurationFault):
    """A file that a value names cannot be read."""


class Configuration(msgspec.Struct, frozen=True):
    """A configuration directory as read at one moment."""

    directory: str
    main_cf: MainCf
    master_cf: MasterCf
    snapshot: Snapshot

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the files' syntax gives to be warned of."""
        return self.main_cf.warnings + self.master_cf.warnings

    def for_service(self, service: Service) -> Snapshot:
        """The settings of one service: its `-o` options before main.cf, and its name as $service_name."""
        names = {
            "service_name": Value(service.name, service.file, service.line),
            "process_name": Value(os.path.basename(service.command), service.file, service.line),
        }
        overrides = _readable(names | service.overrides)
        return _with_pattern_files(self.snapshot.with_overrides(overrides))


def read_configuration(directory: str, *, facts: HostFacts) -> Configuration:
    """The configuration in `directory`.  Raises ConfigurationFault; a missing file counts as empty."""
    main_path = os.path.join(directory, "main.cf")
    master_path = os.path.join(directory, "master.cf")
    main_cf = read_main_cf(main_path) if os.path.lexists(main_path) else MainCf(main_path, {})
    master_cf = read_master_cf(master_path) if os.path.lexists(master_path) else MasterCf(master_path, ())
    return Configuration(
        directory, main_cf, master_cf, snapshot_of(main_cf, directory=directory, facts=facts)
    )


def snapshot_of(main_cf: MainCf, *, directory: str, facts: HostFacts) -> Snapshot:
    """The settings that main.cf gives to a service without overrides."""
    values = {"config_directory": Value(directory, "configuration directory")}
    values |= _readable(main_cf.values)
    origin = values.get("myorigin")
    if origin is not None and origin.text.startswith("/"):
        values["myorigin"] = msgspec.structs.replace(origin, text=_first_line(origin))
    return _with_pattern_files(Snapshot(values, facts=facts))


def _readable(values: dict[str, Value]) -> dict[str, Value]:
    for name, value in values.items():
        if not (name + value.text).isascii():
            try:
                (name + value.text).encode()
            except UnicodeEncodeError:
                raise ConfigurationFault(
                    value.where, f"parameter {name}: not UTF-8 text", mend="save the file as UTF-8"
                ) from None
    return values


def _with_pattern_files(snapshot: Snapshot) -> Snapshot:
    files: dict[str, tuple[str, ...]] = {}
    for name in _lists():
        text = snapshot.value(name)
        if "/" in text:
            _read_patterns(text, files, where=f"{snapshot.where(name)}: parameter {name}")
    return msgspec.structs.replace(snapshot, pattern_files=files) if files else snapshot


@cache
def _lists() -> tuple[str, ...]:
    """Parameters whose items may be files of patterns."""
    return tuple(
        declared.name
        for group in GROUPS
        for declared in declarations(group)
        if declared.type in (MatchList, NetworkList)
    )


def _read_patterns(text: str, files: dict[str, tuple[str, ...]], *, where: str) -> None:
    try:
        names = pattern_file_names(text)
    except ValueError:
        return  # Snapshot.group() tells of it, with the parameter's own words.
    for name in names:
        if name not in files:
            try:
                files[name] = tuple(_pattern_lines(name, where=where))
            except UnreadableFile:
                files[name] = (f"{NO_FILE}:{name}",)
            for line in files[name]:
                _read_patterns(line, files, where=name)


def _pattern_lines(path: str, *, where: str) -> Iterable[str]:
    """The lines of a file of patterns, without empty ones and comments."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.strip(BLANKS) for line in file]
    except OSError as error:
        raise UnreadableFile(where, f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationFault(path, "not UTF-8 text", mend="save the file as UTF-8") from error
    return (line for line in lines if line and not line.startswith("#"))


def _first_line(origin: Value) -> str:
    for line in _pattern_lines(origin.text, where=f"{origin.where}: parameter myorigin"):
        return line
    raise ConfigurationFault(
        origin.where, f"parameter myorigin: {origin.text} is empty", mend="write a domain"
    )
