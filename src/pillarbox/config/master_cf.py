"""master.cf: one service per line, with its listener, its rights, its program and its settings.

DESCRIPTION
    A line has eight fields:

        name  type  private  unprivileged  chroot  wakeup  process_limit  command [arguments]

    Types are inet, unix, unix-dgram, fifo and pass.  `-` in a field means its default.  The command may be
    followed by `-o name=value` or `-o { name = value with blanks }`, `-v` for more log lines and `-D` for a
    debugger; then by what the program itself takes, as `flags=`, `user=` and `argv=` of pipe.  An argument in
    braces keeps its blanks.  Lines are continued as in main.cf.

    When a name comes twice with the same type the last line counts, and there is a warning.

FAULTS
    ConfigurationFault  a field is missing or is not one of the allowed words; braces do not match; an option
                        is not known or has no value.  In Postfix's words after `file, line N`.

STANDARDS
    master(5) of Postfix
"""

import re
from collections.abc import Iterator
from typing import Final, Literal, get_args

import msgspec

from pillarbox.config.logical_lines import (
    LeadingWhitespace,
    LogicalLine,
    logical_lines,
    read_text,
    split_name_value,
)
from pillarbox.config.value import Value
from pillarbox.config.value_types import without_braces, words
from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.faults import ConfigurationFault

ServiceType = Literal["inet", "unix", "unix-dgram", "fifo", "pass"]

FIELDS: Final = (
    "service",
    "type",
    "private",
    "unprivileged",
    "chroot",
    "wakeup",
    "process_limit",
    "command",
)
"""Names of the fields as `postconf -F` has them."""

_WAKEUP: Final = re.compile(r"([0-9]{1,9})(\??)")
_LIMIT: Final = re.compile(r"[0-9]{1,9}")


class Service(msgspec.Struct, frozen=True):
    """One service.

    `chroot` and `process_limit` are None where the line leaves them to the defaults, which depend on main.cf
    (`compatibility_level` and `default_process_limit`).  A process limit of 0 means none.
    """

    name: str
    type: ServiceType
    private: bool
    unprivileged: bool
    chroot: bool | None
    wakeup: int
    process_limit: int | None
    command: str
    overrides: dict[str, Value]
    arguments: tuple[str, ...]
    verbosity: int
    debug: bool
    file: str
    line: int

    @property
    def where(self) -> str:
        """`file, line N`."""
        return f"{self.file}, line {self.line}"

    @property
    def key(self) -> tuple[str, str]:
        """What tells services apart."""
        return self.name, self.type


class MasterCf(msgspec.Struct, frozen=True):
    """Services in the order of the file, and warnings as Postfix words them."""

    path: str
    services: tuple[Service, ...]
    warnings: tuple[str, ...] = ()


def read_master_cf(path: str) -> MasterCf:
    """The master.cf at `path`.  ConfigurationFault for bad syntax or a file that cannot be read."""
    try:
        content = read_text(path)
    except OSError as error:
        raise ConfigurationFault(path, f"cannot read: {error.strerror}") from error
    return parse_master_cf(content, path=path)


def parse_master_cf(content: str, *, path: str = "master.cf") -> MasterCf:
    """The services in `content`.  ConfigurationFault for bad syntax."""
    services: dict[tuple[str, str], Service] = {}
    warnings: list[str] = []
    for line in logical_lines(content):
        if isinstance(line, LeadingWhitespace):
            warnings.append(line.warning(path))
            continue
        try:
            service = _service(line, path)
        except ValueError as error:
            raise ConfigurationFault(f"{path}, line {line.first}", str(error)) from error
        if services.pop(service.key, None) is not None:
            warnings.append(
                f'{service.where}: duplicate master.cf entry for service "{service.name}" '
                f"({service.type}) -- using the last entry"
            )
        services[service.key] = service
    return MasterCf(path, tuple(services.values()), tuple(warnings))


def _service(line: LogicalLine, path: str) -> Service:
    fields = words(line.text, limit=len(FIELDS))
    for number, name in enumerate(FIELDS):
        if number >= len(fields):
            missing = "transport type" if name == "type" else name
            raise ValueError(f'missing "{missing}" field')
    name, kind, private, unprivileged, chroot, wakeup, limit, command_line = fields
    service_type = next((known for known in get_args(ServiceType) if known == kind), None)
    if service_type is None:
        raise ValueError(f"bad transport type: {kind}")
    is_private = _yes_or_no("private", private, default=True)
    if service_type == "inet" and is_private:
        raise ValueError("inet service cannot be private")
    command, *rest = (without_braces(_balanced(word)) for word in words(command_line))
    options = _Options(path, line.first)
    return Service(
        name=name,
        type=service_type,
        private=is_private,
        unprivileged=_yes_or_no("unprivileged", unprivileged, default=True),
        chroot=None if chroot == "-" else _yes_or_no("chroot", chroot, default=False),
        wakeup=_wakeup(wakeup),
        process_limit=_process_limit(limit),
        command=command,
        arguments=options.read(rest),
        overrides=options.overrides,
        verbosity=options.verbosity,
        debug=options.debug,
        file=path,
        line=line.first,
    )


class _Options:
    """What stands between a command and its own arguments, by the rules of getopt(3)."""

    def __init__(self, file: str, line: int) -> None:
        self._file = file
        self._line = line
        self.overrides: dict[str, Value] = {}
        self.verbosity = 0
        self.debug = False

    def read(self, arguments: list[str]) -> tuple[str, ...]:
        """Take the options; what is left belongs to the program."""
        left = iter(arguments)
        for argument in left:
            if argument == "--":
                break
            if argument[:1] != "-" or argument == "-":
                return (argument, *left)
            self._letters(argument[1:], left)
        return tuple(left)

    def _letters(self, letters: str, left: Iterator[str]) -> None:
        for position, letter in enumerate(letters):
            match letter:
                case "v":
                    self.verbosity += 1
                case "D":
                    self.debug = True
                case "o":
                    setting = letters[position + 1 :] or next(left, None)
                    if setting is None:
                        raise ValueError("option -o requires name=value")
                    self._override(without_braces(setting))
                    return
                case _:
                    raise ValueError(f"unknown option -{letter}: expected -o, -v or -D")

    def _override(self, setting: str) -> None:
        if not _opens_before_it_closes(setting):
            # Nothing could write it back: inside `-o { }` the brace would end the setting.
            raise ValueError(f"unexpected '}}' in \"{setting}\"")
        name, value = split_name_value(setting)
        self.overrides[name] = Value(value, self._file, self._line)


def _opens_before_it_closes(text: str) -> bool:
    """Whether each closing brace has an opening one before it."""
    level = 0
    for character in text:
        level += (character == "{") - (character == "}")
        if level < 0:
            return False
    return True


def _balanced(word: str) -> str:
    """The word, if its braces match.  Otherwise it has swallowed the rest of the line."""
    level = 0
    for character in word:
        level = max(0, level + (character == "{") - (character == "}"))
    if level > 0:
        raise ValueError(f"missing '}}' in \"{word}\"")
    return word


def _yes_or_no(field: str, text: str, *, default: bool) -> bool:
    match text:
        case "-":
            return default
        case "y":
            return True
        case "n":
            return False
    raise ValueError(f'field "{field}": bad value: "{text}"')


def _wakeup(text: str) -> int:
    if text == "-":
        return 0
    match = _WAKEUP.fullmatch(text)
    if match is None:
        raise ValueError(f'field "wakeup_time": bad value: "{text}"')
    return decimal(match[1].encode())


def _process_limit(text: str) -> int | None:
    if text == "-":
        return None
    if _LIMIT.fullmatch(text) is None:
        raise ValueError(f'field "max_proc": bad value: "{text}"')
    return decimal(text.encode())
