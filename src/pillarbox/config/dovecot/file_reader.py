"""Reads dovecot.conf with all its includes, statement by statement, and knows what is there without being told.

DESCRIPTION
    A first setting `dovecot_config_version` selects the dialect of Dovecot 2.4 (`dialect_24`); its settings are
    read as the 2.3 settings that mean the same, and the rest of the program knows only those.

    In 2.3 a word `$name` of an unquoted value stands for the value that `name` has so far; in 2.4 `$SET:name`
    does.  `$ENV:NAME` is the environment's.

FAULTS
    ConfigurationFault  in Dovecot's words: Error in configuration file F line N: Unknown setting: x

STANDARDS
    Dovecot 2.3 ConfigFile
"""

import glob
import os
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

import msgspec

from pillarbox.config.dovecot import text, value_types
from pillarbox.config.dovecot.declared.blocks import FILTERS, ROOT
from pillarbox.config.dovecot.declared.services import SERVICES
from pillarbox.config.dovecot.dialect_24 import Dialect24
from pillarbox.config.dovecot.file_values import OF_PEM, content_of
from pillarbox.config.dovecot.obsolete import CLEAN, replacement
from pillarbox.config.dovecot.schema import FREE, Block, Setting
from pillarbox.config.dovecot.text import Assignment, BlockBegin, BlockEnd, Form, Include, Remark
from pillarbox.config.dovecot.written_settings import Entry, Path, Settings, WrittenSettings
from pillarbox.vocabulary.faults import ConfigurationFault

_DEPTH: Final = 16
_LONGEST_EXPANSION: Final = 1 << 16
_WHITE: Final = " \t"
_BUILT_IN: Final = "built-in defaults"


@cache
def defaults() -> Settings:
    """The blocks that are there without being told, and what they set."""
    reader = FileReader(WrittenSettings(_BUILT_IN), {})
    reader.read_text(SERVICES, _BUILT_IN)
    return reader.configuration.root


def setting_of(path: Path) -> Setting | None:
    """The declaration of a setting; None if there is no such one."""
    found: Block | None = ROOT
    at = 0
    while found is not None and at < len(path) - 1:
        found = found.blocks.get(path[at])
        at += 1 if found is not None and found.free else 2
    if found is None or at != len(path) - 1:
        return None
    return FREE if found.free else found.settings.get(path[-1])


def default(path: Path) -> str:
    """What a setting is if it is not set."""
    built_in = defaults().entries.get(path) if len(path) > 1 else None
    if built_in is not None:
        return built_in.value
    declared = setting_of(path)
    return declared.default if declared is not None else ""


class _Frame(msgspec.Struct):
    """An open block."""

    kind: str
    path: Path  # of the section; empty in the root and directly inside filters
    schema: Block
    settings: Settings
    file: str
    line: int
    collects: str = ""  # 2.4: a list that is written as a block


class FileReader:
    """Reads files into a configuration."""

    def __init__(
        self, configuration: WrittenSettings, environment: Mapping[str, str], *, expands: bool = True
    ) -> None:
        """`expands`: a variable that is not known is a mistake."""
        self.configuration = configuration
        self._environment = environment
        self._expands = expands
        self._frames = [_Frame("", (), ROOT, configuration.root, "", 0)]
        self._dialect: Dialect24 | None = None
        self._begun = False
        self._depth = 0

    # -- files -----------------------------------------------------------------------------------------

    def read_file(self, path: str) -> None:
        """Take in a file, and those that it includes."""
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                content = file.read()
        except OSError as error:
            raise ConfigurationFault(f"open({path}) failed", error.strerror or "unknown error") from error
        self.read_text(content, path)

    def read_text(self, content: str, path: str) -> None:
        """Take in what a file at that path says."""
        for statement in text.statements(content, path=path):
            match statement:
                case Assignment():
                    self._assign(statement, path)
                case BlockBegin():
                    self._begin(statement, path)
                case BlockEnd():
                    self._end(statement, path)
                case Include():
                    self._include(statement, path)
                case Remark():
                    self._warn(f"Configuration file {path} line {statement.line}: {statement.text}")

    def finish(self) -> None:
        """After the last file."""
        frame = self._frames[-1]
        if frame.kind:
            raise ConfigurationFault(
                f"Error in configuration file {self.configuration.path}",
                f"Missing '}}' (section started at {frame.file}:{frame.line})",
            )
        if self._dialect is not None:
            self._add_all(self._dialect.finish())
        configuration, ssl = self.configuration, ("ssl",)
        within = [settings.entries.get(ssl) for settings in configuration.filters]
        outside = configuration.root.entries.get(ssl)
        value = default(ssl) if outside is None else outside.value
        if value == "no" and any(entry and entry.value != "no" for entry in within):
            self._warn("SSL is disabled because global ssl=no, ignoring ssl=yes for subsection")

    def _include(self, statement: Include, path: str) -> None:
        if self._depth >= _DEPTH:
            raise self._fault(path, statement.line, "Recursive include")
        directory = os.path.dirname(path)
        found = sorted(glob.glob(os.path.join(directory, statement.pattern)))
        if not found and not statement.may_be_missing:
            raise self._fault(path, statement.line, "No matches")
        self._depth += 1
        for name in found:
            try:
                self.read_file(name)
            except ConfigurationFault as fault:
                if not (statement.may_be_missing and isinstance(fault.__cause__, FileNotFoundError)):
                    raise
        self._depth -= 1

    def _warn(self, line: str) -> None:
        self.configuration.warnings.append(line)

    @staticmethod
    def _fault(path: str, line: int, what: str) -> ConfigurationFault:
        return ConfigurationFault(f"Error in configuration file {path} line {line}", what)

    # -- blocks ----------------------------------------------------------------------------------------

    def _begin(self, statement: BlockBegin, path: str) -> None:
        frame = self._frames[-1]
        if statement.kind in FILTERS and not frame.path:
            self._begin_filter(statement, path)
            return
        if self._dialect is not None and (
            frame.collects or self._dialect.collects(frame.kind, statement.kind)
        ):
            self._frames.append(
                _Frame(
                    statement.kind,
                    frame.path,
                    frame.schema,
                    frame.settings,
                    path,
                    statement.line,
                    statement.kind,
                )
            )
            return
        schema = frame.schema.blocks.get(statement.kind)
        if schema is None:
            if statement.kind in frame.schema.settings:
                raise self._fault(
                    path, statement.line, f"{statement.kind} is a setting: {statement.kind} = value"
                )
            names = " { ".join([*self._kinds(), statement.kind, statement.kind])
            raise self._fault(path, statement.line, f"Unknown setting: {names}")
        settings = frame.settings
        if schema.free:
            inner: Path = (*frame.path, statement.kind)
            if statement.name:
                inner = (*frame.path, f"{statement.kind} {statement.name}")
            settings.blocks.setdefault(inner, statement.name)
        else:
            inner = self._section(schema, statement, frame)
        self._frames.append(_Frame(statement.kind, inner, schema, settings, path, statement.line))
        if schema.numbered and statement.name:
            self._set(("name",), statement.name, Form.QUOTED, path, statement.line)
        if self._dialect is not None:
            self._dialect.begin(inner, statement.name)

    def _section(self, schema: Block, statement: BlockBegin, frame: _Frame) -> Path:
        settings = frame.settings
        siblings = [
            known
            for known in settings.blocks
            if len(known) == len(frame.path) + 2 and known[:-1] == (*frame.path, schema.kind)
        ]
        name = statement.name
        key = name if name and not schema.numbered else str(len(siblings))
        inner = (*frame.path, schema.kind, key)
        settings.blocks.setdefault(inner, "" if schema.numbered else name)
        return inner

    def _kinds(self) -> list[str]:
        return [frame.kind for frame in self._frames if frame.path and frame.kind]

    def _begin_filter(self, statement: BlockBegin, path: str) -> None:
        frame = self._frames[-1]
        if not statement.name:
            raise self._fault(path, statement.line, f"{statement.kind} {{ }} names nobody")
        scope = frame.settings.scope
        for kind in FILTERS[FILTERS.index(statement.kind) :]:
            if getattr(scope, kind):
                raise self._fault(
                    path, statement.line, f"Nested {kind} {{ {statement.kind} {{ .. }} }} block not allowed"
                )
        scope = msgspec.structs.replace(scope, **{statement.kind: statement.name})
        filters = self.configuration.filters
        settings = next((known for known in filters if known.scope == scope), None)
        if settings is None:
            settings = Settings(scope)
            filters.append(settings)
        self._frames.append(_Frame(statement.kind, (), ROOT, settings, path, statement.line))

    def _end(self, statement: BlockEnd, path: str) -> None:
        if len(self._frames) == 1:
            raise self._fault(path, statement.line, "Unexpected '}'")
        frame = self._frames.pop()
        if self._dialect is not None and not frame.collects and frame.path:
            self._add_all(self._dialect.end(frame.kind, frame.path, path, statement.line), frame.settings)

    # -- settings --------------------------------------------------------------------------------------

    def _assign(self, statement: Assignment, path: str) -> None:
        if not self._begun:
            self._begun = True
            if statement.name == "dovecot_config_version":
                self._dialect = Dialect24(statement.value, f"{path} line {statement.line}")
                return
        frame = self._frames[-1]
        name, value, form = statement.name, statement.value, statement.form
        if self._dialect is not None:
            value = self._expand_24(frame, value, path, statement.line) if form is Form.PLAIN else value
            lists = tuple(inner.collects for inner in self._frames if inner.collects)
            translated = self._dialect.translate(
                frame.kind, frame.path, lists, name, value, form, set(frame.schema.settings)
            )
            if translated is None:
                return
            name, value, form = translated
        elif not frame.path and self._is_obsolete(frame, name, value, path, statement.line):
            return
        self._set((name,), value, form, path, statement.line)

    def _is_obsolete(self, frame: _Frame, name: str, value: str, path: str, line: int) -> bool:
        """Whether a setting has another name today; then it is set by that."""
        found = replacement(name, value, frame.settings.scope.protocol)
        if found is None:
            return False
        if found.remarks and CLEAN not in self.configuration.warnings:
            self._warn(CLEAN)
        for remark in found.remarks:
            self._warn(f"Obsolete setting in {path}:{line}: {remark}")
        if found.fault:
            self._warn(found.fault)
        for setting, new, is_file in found.settings:
            if len(setting) == 1:
                self._set(setting, new, Form.FILE if is_file else Form.QUOTED, path, line)
                continue
            self._add_all([(setting, new, path, line)])
        return True

    def _add_all(self, made: Iterable[tuple[Path, str, str, int]], settings: Settings | None = None) -> None:
        """Settings that the dialect makes of several."""
        for path, value, file, line in made:
            target = settings or self.configuration.root
            declared = setting_of(path)
            shown = value_types.canonical(declared.type, value) if declared is not None else value
            target.entries[path] = Entry(shown, shown, Form.QUOTED, file, line)
            if path[0] == "service":
                for size in range(2, len(path), 2):
                    target.blocks.setdefault(path[:size], path[size - 1])
            elif len(path) > 1:
                target.blocks.setdefault(path[:-1], path[-2] if path[0] == "namespace" else "")

    def _set(self, name: Path, value: str, form: Form, path: str, line: int) -> None:
        frame = self._frames[-1]
        full = (*frame.path, *name)
        declared = FREE if frame.schema.free else frame.schema.settings.get(name[0])
        if declared is None:
            names = " { ".join([*self._kinds(), name[0]])
            raise self._fault(path, line, f"Unknown setting: {names}")
        self._warn_of_earlier_filters(frame, full, path, line)
        shown = expanded = value
        if form is Form.PLAIN and "$" in value and self._dialect is None and path != _BUILT_IN:
            shown = self._expand(frame, full, value, path, line, everything=False)
            expanded = self._expand(frame, full, value, path, line, everything=True)
        if form is Form.FILE:
            entry = _of_file(full[-1], value, path, line)
            expanded = entry.shown  # which no setting but a text may be
        try:
            canonical = value_types.canonical(declared.type, expanded)
        except ValueError as error:
            raise self._fault(path, line, str(error)) from error
        if form is not Form.FILE:
            entry = Entry(shown if shown != expanded else canonical, canonical, form, path, line)
        frame.settings.entries[full] = entry

    def _warn_of_earlier_filters(self, frame: _Frame, full: Path, path: str, line: int) -> None:
        if frame.settings is not self.configuration.root:
            return
        for settings in self.configuration.filters:
            if full in settings.entries:
                self._warn(
                    f"{path} line {line}: Global setting {'/'.join(full)} won't change the setting inside an "
                    f"earlier filter at {settings.entries[full].where} (if this is intentional, avoid this "
                    f"warning by moving the global setting before {settings.entries[full].where})"
                )
                return

    def _expand(
        self, frame: _Frame, full: Path, value: str, path: str, line: int, *, everything: bool
    ) -> str:
        """Words `$name`; with `everything` False only the setting's own name, as doveconf shows it."""
        words = value.split(" ")
        for at, word in enumerate(words):
            if not word.startswith("$") or (at and words[at - 1].endswith(tuple(_WHITE))):
                continue
            name = word[1:]
            if not everything and name != full[-1]:
                continue
            if name.startswith("ENV:"):
                words[at] = self._environment.get(name[4:], "")
                continue
            found = (
                self._so_far(frame, (*full[:-1], name)) if name == full[-1] else self._so_far(frame, (name,))
            )
            if found is None and self._expands:
                raise self._fault(path, line, f"Unknown variable: ${name}")
            words[at] = word if found is None else found
        expanded = " ".join(words)
        if len(expanded) > _LONGEST_EXPANSION:
            raise self._fault(path, line, "Value is too long")
        return expanded

    def _expand_24(self, frame: _Frame, value: str, path: str, line: int) -> str:
        words = value.split(" ")
        for at, word in enumerate(words):
            if word.startswith("$SET:"):
                found = self._so_far(frame, (word[5:],))
                if found is None:
                    raise self._fault(path, line, f"Unknown variable: {word}")
                words[at] = found
            elif word.startswith("$ENV:"):
                words[at] = self._environment.get(word[5:], "")
        expanded = " ".join(words)
        if len(expanded) > _LONGEST_EXPANSION:
            raise self._fault(path, line, "Value is too long")
        return expanded

    def _so_far(self, frame: _Frame, path: Path) -> str | None:
        for settings in (frame.settings, self.configuration.root):
            if path in settings.entries:
                return settings.entries[path].value
        return default(path) if setting_of(path) is not None else None


def _of_file(name: str, value: str, path: str, line: int) -> Entry:
    """`name = <value`; the file's path is seen from that which it is written in."""
    file = os.path.join(os.path.dirname(path), value) if value else ""
    if not file or name in OF_PEM:
        return Entry(f"<{value}", file, Form.FILE, path, line, content=file)
    try:
        return Entry(f"<{value}", content_of(file), Form.FILE, path, line, content=file)
    except OSError as error:
        return Entry(
            f"<{value}", "", Form.FILE, path, line, content=file, trouble=error.strerror or str(error)
        )
