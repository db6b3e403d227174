"""master.cf as text: lines taken apart and written back, for commands that show and edit the file.

DESCRIPTION
    Where master_cf.py says what a service is, this module keeps what the admin wrote: `-` stays `-`, and a
    line that a start would refuse can still be shown and mended.  Options are brought into one form,
    `-o name=value` or `-o {name=value with blanks}`, also where letters stood together (`-voname=value`).
    An argument whose braces do not match is read as far as it can be; `entries()` warns of it in postconf's words.
    What is listed (`Entry.listed`) is what Postfix's postconf lists, and that is not always what could be
    written back: it shows the first argument, and an empty one, without the braces they need.

FAULTS
    ConfigurationFault  a line has too few fields or a field that is none of the allowed words; in postconf's
                        words, which are not master's.
"""

import os
import re
from collections.abc import Sequence
from typing import Final, get_args

import msgspec

from pillarbox.config.logical_lines import BLANKS, LeadingWhitespace, logical_lines, split_name_value
from pillarbox.config.master_cf import FIELDS, ServiceType
from pillarbox.config.value_types import inside_braces, words
from pillarbox.vocabulary.faults import ConfigurationFault

LINE_LIMIT: Final = 80
INDENT: Final = "    "
_COLUMNS: Final = (0, 11, 17, 25, 33, 41, 49, 57)
_WAKEUP: Final = re.compile(r"(?:[0-9]+|-)\??")
_LIMIT: Final = re.compile(r"[0-9]+|-")


class Setting(msgspec.Struct, frozen=True):
    """`-o name=value`."""

    name: str
    value: str

    @property
    def text(self) -> str:
        """As it is written after -o."""
        plain = f"{self.name}={self.value}"
        return f"{{{plain}}}" if plain[:1] == "{" else _kept_together(plain)


class Entry(msgspec.Struct, frozen=True):
    """One line: the first seven fields, the command, its arguments in order, what is wrong with their braces."""

    fields: tuple[str, ...]
    command: str
    arguments: tuple[str | Setting, ...]
    mistakes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The service's name."""
        return self.fields[0]

    @property
    def type(self) -> str:
        """The service's type."""
        return self.fields[1]

    @property
    def settings(self) -> dict[str, str]:
        """What `-o` sets; the last one counts."""
        return {item.name: item.value for item in self.arguments if isinstance(item, Setting)}

    @property
    def listed(self) -> "Entry":
        """The entry as it is listed: braces only around blanks, and none around the first argument."""
        options = self.arguments[: _end_of_options(self.arguments)]
        rest = [_inside(item) for item in self.arguments[len(options) :] if isinstance(item, str)]
        shown = (*options, *rest[:1], *(_in_braces(text) for text in rest[1:]))
        return msgspec.structs.replace(self, arguments=shown)

    def field(self, name: str, *, fold: bool = False, before: int = 0) -> str:
        """A field by the name that postconf -F has for it; so many columns of its line are taken."""
        if name == "command":
            return _wrapped(self.command, self.arguments, fold=fold, before=before)
        return self.fields[FIELDS.index(name)]

    def with_field(self, name: str, text: str) -> "Entry":
        """The entry with another field.  ConfigurationFault if it is not allowed there."""
        if name == "command":
            return parse_entry(" ".join((*self.fields, text)))
        position = FIELDS.index(name)
        _check_field(name, text, text)
        fields = (*self.fields[:position], text, *self.fields[position + 1 :])
        return msgspec.structs.replace(self, fields=fields)

    def with_setting(self, name: str, value: str) -> "Entry":
        """The entry with `-o name=value`, in place of one of that name or after the last option."""
        setting = Setting(name, value)
        if name in self.settings:
            replaced = tuple(setting if _sets(item, name) else item for item in self.arguments)
            return msgspec.structs.replace(self, arguments=replaced)
        end = _end_of_options(self.arguments)
        arguments = (*self.arguments[:end], setting, *self.arguments[end:])
        return msgspec.structs.replace(self, arguments=arguments)

    def without_setting(self, name: str) -> "Entry":
        """The entry without `-o name=…`."""
        return msgspec.structs.replace(
            self, arguments=tuple(item for item in self.arguments if not _sets(item, name))
        )

    def text(self, *, fold: bool) -> str:
        """The line in columns; folded, options are on lines of their own."""
        line = ""
        for column, field in zip(_COLUMNS, self.fields, strict=False):
            line = f"{line:<{column}}{field} "
        return _wrapped(f"{line:<{_COLUMNS[-1]}}{self.command}", self.arguments, fold=fold)


def entries(content: str, *, path: str) -> tuple[list[Entry], list[str]]:
    """All lines of a master.cf, and warnings."""
    found: list[Entry] = []
    warnings: list[str] = []
    for line in logical_lines(content):
        if isinstance(line, LeadingWhitespace):
            warnings.append(line.warning(path))
            continue
        try:
            entry = parse_entry(line.text)
        except _FieldCount:
            raise ConfigurationFault(f"file {path}", f"line {line.first}: bad field count") from None
        found.append(entry)
        warnings += [f"{os.path.basename(path)}: {mistake}" for mistake in entry.mistakes]
    return found, warnings


def parse_entry(line: str) -> Entry:
    """One line of a master.cf.  ConfigurationFault if it is none."""
    parts = words(line)
    if len(parts) < len(FIELDS):
        raise _FieldCount("", f'bad field count: "{line}"')
    *fields, command = parts[: len(FIELDS)]
    for name, text in zip(FIELDS, fields, strict=False):
        _check_field(name, text, line)
    arguments, mistakes = _arguments(parts[len(FIELDS) :])
    return Entry(tuple(fields), command, tuple(arguments), tuple(mistakes))


class _FieldCount(ConfigurationFault):
    """Fewer than eight fields."""


def _check_field(name: str, text: str, line: str) -> None:
    match name:
        case "type":
            good = text in get_args(ServiceType)
        case "private" | "unprivileged" | "chroot":
            good = text in ("y", "n", "-")
        case "wakeup":
            good = _WAKEUP.fullmatch(text) is not None
        case "process_limit":
            good = _LIMIT.fullmatch(text) is not None
        case _:
            good = bool(text) and not any(blank in text for blank in BLANKS)
    if not good:
        raise ConfigurationFault("", f'invalid {name} field "{text}" in "{line}"')


def _arguments(rest: Sequence[str]) -> tuple[list[str | Setting], list[str]]:
    """The arguments in one form, and what is wrong with them."""
    arguments: list[str | Setting] = []
    mistakes: list[str] = []
    in_options = True
    left = iter(rest)
    for word in left:
        in_options = in_options and word[:1] == "-" and word not in ("-", "--")
        if not in_options:
            arguments.append(_plain(word))
            mistakes.append(_mistake(word, is_setting=False))
            continue
        flags, takes_value, joined = word[1:].partition("o")
        if flags:
            arguments.append(f"-{flags}")
        if takes_value:
            value = joined or next(left, None)
            arguments.append("-o" if value is None else _setting(value))
            mistakes.append(_mistake(value or "", is_setting=True))
    return arguments, [mistake for mistake in mistakes if mistake]


def _plain(word: str) -> str:
    """An argument of the program's own, in braces only if it has to be."""
    text = _inside(word)
    return f"{{{text}}}" if word[:1] == "{" and text[:1] in ("", "{") else _kept_together(text)


def _in_braces(text: str) -> str:
    """A text in braces if there are blanks in it."""
    return f"{{{text}}}" if any(blank in text for blank in BLANKS) else text


def _kept_together(text: str) -> str:
    """The same, but for one that its own braces keep together and that are uneven: it is read as it was."""
    braced = _in_braces(text)
    is_one = braced != text and inside_braces(braced)[1] and words(text) == (text,)
    return text if is_one else braced


def _inside(word: str) -> str:
    """What is inside braces, also if these do not match."""
    return inside_braces(word)[0] if word[:1] == "{" else word


def _setting(word: str) -> Setting | str:
    """What follows -o; a text without `=` stays as it is."""
    text = _inside(word)
    try:
        return Setting(*split_name_value(text))
    except ValueError:
        return f"-o {_in_braces(text)}"


def _mistake(word: str, *, is_setting: bool) -> str:
    """What is wrong with a word in braces, in postconf's words."""
    if word[:1] != "{":
        return ""
    text, mistake = inside_braces(word)
    if is_setting and not mistake:
        try:
            split_name_value(text)
        except ValueError as error:
            return str(error)
    return mistake


def _end_of_options(arguments: tuple[str | Setting, ...]) -> int:
    for position, item in enumerate(arguments):
        if isinstance(item, str) and (item[:1] != "-" or item in ("-", "--")):
            return position
    return len(arguments)


def _sets(item: str | Setting, name: str) -> bool:
    return isinstance(item, Setting) and item.name == name


def _wrapped(start: str, arguments: tuple[str | Setting, ...], *, fold: bool, before: int = 0) -> str:
    if not fold:
        return " ".join([start, *(f"-o {a.text}" if isinstance(a, Setting) else a for a in arguments)])
    lines = [start]
    break_next = False
    for item in arguments:
        text = f"-o {item.text}" if isinstance(item, Setting) else item
        is_option = text.startswith("-o ")
        if is_option or break_next or before + len(lines[-1]) + 1 + len(text) >= LINE_LIMIT:
            lines.append(INDENT + text)
            before = 0
        else:
            lines[-1] += f" {text}"
        break_next = is_option
    return "\n".join(lines)
