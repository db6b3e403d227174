"""The edits of postconf: -e, -X and -# for main.cf, and with -M, -F and -P for master.cf.

DESCRIPTION
    Every request is checked as a whole before a file is touched, and a file is replaced once, whatever the
    number of changes.

FAULTS
    Stop                the request is not well formed; no file has changed.
    ConfigurationFault  an entry of master.cf has bad fields; no file has changed.
    OSError             the file cannot be read or replaced.
"""

from collections.abc import Callable, Iterable
from typing import Final

from pillarbox.config import listing, main_cf_edit, master_cf_edit
from pillarbox.config.edit_file import edit_file
from pillarbox.config.logical_lines import BLANKS, split_name_value
from pillarbox.config.master_cf import FIELDS
from pillarbox.config.master_cf_text import Entry, parse_entry
from pillarbox.tools.postconf_request import Request, Stop, warn
from pillarbox.vocabulary.faults import ConfigurationFault

_SERVICE: Final = "-Me, -MX or -M# requires service_name/type"
_FIELD: Final = "-Fe or -FX requires service_name/type/field_name"
_SETTING: Final = "-Pe or -PX requires service_name/type/parameter"


def edit_parameters(request: Request) -> None:
    """Set parameters in main.cf, take them away or comment them out."""
    match request.action:
        case "-e":
            _set_parameters(request)
        case "-X":
            _take_away(request, main_cf_edit.Edit.REMOVE)
        case _:
            _take_away(request, main_cf_edit.Edit.COMMENT_OUT)


def edit_services(request: Request) -> None:
    """Set whole lines of master.cf, take them away or comment them out."""
    if request.action == "-e":
        _set_services(request)
        return
    patterns = [_exactly(text, 2, _SERVICE) for text in _checked_arguments(request)]
    edit = master_cf_edit.remove_entries if request.action == "-X" else master_cf_edit.comment_out_entries
    _edit(
        request.path("master.cf"), lambda content: (edit(content, lambda *key: _matches(patterns, key)), [])
    )


def edit_fields(request: Request) -> None:
    """Set fields of lines in master.cf."""
    changes = []
    for argument in _checked_arguments(request):
        key, value = _assignment(argument)
        *service, field = _exactly(key, 3, _FIELD)
        check_field_name(field)
        changes.append((argument, tuple(service), _field_change(field, value)))
    _rewrite(request, changes)


def edit_settings(request: Request) -> None:
    """Set or take away -o settings of services in master.cf."""
    changes = []
    for argument in _checked_arguments(request):
        key, value = _assignment(argument) if request.action == "-e" else (argument, "")
        *service, name = _exactly(key, 3, _SETTING)
        if any(blank in value for blank in BLANKS):
            raise Stop("-Pe does not accept whitespace in parameter value")
        change = _setting_change(name, value) if request.action == "-e" else _setting_removal(name)
        changes.append((argument, tuple(service), change))
    _rewrite(request, changes)


def check_field_name(name: str) -> None:
    """Stop if master.cf has no field of the name."""
    if name != "*" and name not in FIELDS:
        raise Stop(f'invalid service attribute name: "{name}"')


def _checked_arguments(request: Request) -> list[str]:
    if not request.arguments:
        raise Stop(
            "-e requires name=value argument" if request.action == "-e" else "missing service argument"
        )
    for argument in request.arguments:
        if "\n" in argument:
            raise Stop("-e, -X, or -# accepts no multi-line input")
        if argument.lstrip(BLANKS)[:1] == "#":
            raise Stop("-e, -X, or -# accepts no comment input")
    return request.arguments


def _assignment(argument: str) -> tuple[str, str]:
    try:
        return split_name_value(argument)
    except ValueError as error:
        raise Stop(str(error)) from error


def _set_parameters(request: Request) -> None:
    values: dict[str, str] = {}
    for argument in _checked_arguments(request):
        name, value = _assignment(argument)
        if name in values:
            warn([f"ignoring earlier request: '{name} = {values[name]}'"])
        values[name] = value
    path = request.path("main.cf")
    _edit(path, lambda content: main_cf_edit.set_values(content, values, path=path))


def _take_away(request: Request, edit: main_cf_edit.Edit) -> None:
    names = {argument.strip(BLANKS) for argument in _checked_arguments(request)}
    if "" in names:
        raise Stop("-X or -# requires non-blank parameter names")
    path = request.path("main.cf")
    _edit(path, lambda content: main_cf_edit.take_away(content, names, edit, path=path))


def _edit(path: str, edit: Callable[[str], tuple[str, list[str]]]) -> None:
    """Edit a file, and give the warnings once it is done."""
    warnings: list[str] = []

    def keep_warnings(content: str) -> str:
        edited, found = edit(content)
        warnings.extend(found)
        return edited

    try:
        edit_file(path, keep_warnings)
    except FileNotFoundError as error:
        raise Stop(f"open {path} for reading: {error.strerror}") from error
    warn(warnings)


def _set_services(request: Request) -> None:
    new = []
    for argument in _checked_arguments(request):
        key, line = _assignment(argument)
        name, kind = _exactly(key, 2, _SERVICE)
        new.append(((name, kind), _entry(line, argument)))

    def set_all(content: str) -> tuple[str, list[str]]:
        for key, entry in new:
            content = master_cf_edit.set_entry(content, key, entry)
        return content, []

    _edit(request.path("master.cf"), set_all)


def _entry(line: str, argument: str) -> Entry:
    try:
        return parse_entry(line)
    except ConfigurationFault as fault:
        what = f'bad field count: "{argument}"' if "field count" in fault.what else fault.what
        raise Stop(what) from fault


def _field_change(name: str, value: str) -> Callable[[Entry], Entry]:
    return lambda entry: entry.with_field(name, value)


def _setting_change(name: str, value: str) -> Callable[[Entry], Entry]:
    return lambda entry: entry.with_setting(name, value)


def _setting_removal(name: str) -> Callable[[Entry], Entry]:
    return lambda entry: entry.without_setting(name)


def _rewrite(request: Request, changes: list[tuple[str, tuple[str, ...], Callable[[Entry], Entry]]]) -> None:
    def rewrite_all(content: str) -> tuple[str, list[str]]:
        warnings = []
        for argument, pattern, change in changes:
            content, count = master_cf_edit.rewrite_entries(
                content, lambda *key, pattern=pattern: _matches([pattern], key), change
            )
            if not count:
                warnings.append(f'unmatched service_name/type: "{argument}"')
        return content, warnings

    _edit(request.path("master.cf"), rewrite_all)


def _exactly(text: str, parts: int, requirement: str) -> tuple[str, ...]:
    """What an edit is about, in so many parts."""
    found = tuple(text.split("/"))
    if len(found) != parts or "" in found:
        raise Stop(requirement)
    return found


def _matches(patterns: Iterable[tuple[str, ...]], key: tuple[str, ...]) -> bool:
    return any(listing.matches(pattern, key) for pattern in patterns)
