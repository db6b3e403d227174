"""postconf(1): show and edit the settings in main.cf and master.cf.

DESCRIPTION
    postconf [-pnhHfxvq] [-d] [-C class,…] [-o name=value] [name …]      parameters
    postconf [-p] -e name=value …  |  -X name …  |  -# name …           edit main.cf
    postconf -M [-fxq] [service[/type] …]                                services
    postconf -M -e service/type=line …  |  -MX service/type …  |  -M# …  edit master.cf
    postconf -F [-hHfxq] [service[/type[/field]] …]                      fields of services
    postconf -F -e service/type/field=value …
    postconf -P [-hHfxq] [service[/type[/parameter]] …]                  -o settings of services
    postconf -P -e service/type/parameter=value …  |  -PX …
    postconf -a | -m | -T compile-version | -T run-version               what this system has

    -c names the configuration directory; without it MAIL_CONFIG does, and then /etc/postfix.  `-e` may be
    left out when an argument has a `=`.  With -v, standard error says where each value comes from.

    Output, warnings and exit status are those of Postfix's command, so that installers and configuration
    tools go on working.

FAULTS
    exit 1, with `postconf: fatal: …` on standard error: bad options, bad syntax in a file, a file that cannot
    be read or written, an option that is not served yet.  Warnings leave the exit status at 0.
"""

import getopt
import os
import ssl
import sys
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from pillarbox.config import listing, main_cf_edit, master_cf_edit
from pillarbox.config.edit_file import edit_file
from pillarbox.config.expansion import ExpansionError
from pillarbox.config.host_facts import host_facts
from pillarbox.config.listing import CLASSES, Listing, Style
from pillarbox.config.main_cf import split_name_value
from pillarbox.config.master_cf import FIELDS
from pillarbox.config.master_cf_text import Entry, parse_entry
from pillarbox.config.value_types import BLANKS
from pillarbox.tables.opening import table_types
from pillarbox.vocabulary.faults import ConfigurationFault

_LETTERS: Final = "aAbc:C:deEfFhHjlmMno:pPqtT:vxX#"
_DEFAULT_DIRECTORY: Final = "/etc/postfix"
_KINDS: Final = ("-a", "-A", "-b", "-F", "-l", "-m", "-M", "-p", "-P", "-t", "-T")
_ACTIONS: Final = ("-d", "-e", "-n", "-X", "-#")
_NOT_SERVED: Final = {
    "-A": "there is no SMTP client that logs in",
    "-b": "bounces have no templates yet",
    "-j": "there is no JSON output yet",
    "-l": "there are no mailbox files to lock",
    "-t": "bounces have no templates yet",
}
# What may be given together with each kind of request; -c, -o, -q, -v and the kind itself always may.
_TOGETHER: Final = {
    "-p": "-e -X -# -f -h -H -x -d -n -C",
    "-M": "-e -X -# -f -x",
    "-F": "-e -f -h -H -x",
    "-P": "-e -X -f -h -H -x",
}
_USAGE: Final = (
    "usage: postconf [-a (server SASL types)] [-c config_dir] [-C param_class] [-d (parameter defaults)] "
    "[-e (edit configuration)] [-f (fold lines)] [-F (master.cf fields)] [-h (no names)] [-H (no values)] "
    "[-m (map types)] [-M (master.cf)] [-n (non-default parameters)] "
    "[-o name=value (override parameter value)] [-p (main.cf, default)] [-P (master.cf parameters)] "
    "[-q (no warnings)] [-T compile-version|run-version] [-v (verbose)] [-x (expand parameter values)] "
    "[-X (exclude)] [-# (comment-out)] [name...]"
)


class Stop(Exception):
    """`postconf: fatal: …` and exit status 1."""


class Request(msgspec.Struct):
    """The command line."""

    options: list[tuple[str, str]]
    arguments: list[str]

    def has(self, letter: str) -> bool:
        """Whether the option was given."""
        return any(option == letter for option, _value in self.options)

    def values(self, letter: str) -> list[str]:
        """Its values, in order."""
        return [value for option, value in self.options if option == letter]

    @property
    def kind(self) -> str:
        """What is asked for: -p if nothing says otherwise."""
        return next((option for option, _value in self.options if option in _KINDS), "-p")

    @property
    def action(self) -> str:
        """What is done with it; empty for showing the values in effect."""
        return next((option for option, _value in self.options if option in _ACTIONS), "")

    @property
    def directory(self) -> str:
        """The configuration directory."""
        named = self.values("-c")
        return named[-1] if named else os.environ.get("MAIL_CONFIG", _DEFAULT_DIRECTORY)

    @property
    def directory_is_named(self) -> bool:
        """Whether -c or MAIL_CONFIG names it."""
        return self.has("-c") or "MAIL_CONFIG" in os.environ

    def path(self, name: str) -> str:
        """A file in it."""
        return os.path.join(self.directory, name)


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="surrogateescape")
    try:
        request = _request(sys.argv[1:] if argv is None else argv)
        _RUNNERS[request.kind](request)
    except Stop as stop:
        print(f"postconf: fatal: {stop}", file=sys.stderr)
        return 1
    except ExpansionError as error:
        _warn([str(error)])
        print("postconf: fatal: macro processing error", file=sys.stderr)
        return 1
    except ConfigurationFault as fault:
        where = f"{fault.where}: " if fault.where else ""
        print(f"postconf: fatal: {where}{fault.what}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"postconf: fatal: open {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _request(argv: list[str]) -> Request:
    try:
        options, arguments = getopt.getopt(argv, _LETTERS)
    except getopt.GetoptError as error:
        problem = "option requires an argument" if "requires" in error.msg else "invalid option"
        print(f"postconf: {problem} -- '{error.opt}'", file=sys.stderr)
        raise Stop(_USAGE) from error
    request = Request([("-e" if option == "-E" else option, value) for option, value in options], arguments)
    for letter, reason in _NOT_SERVED.items():
        if request.has(letter):
            raise Stop(f"option {letter} is not served yet: {reason}")
    editing = request.kind in _TOGETHER and any("=" in argument for argument in arguments)
    if editing and not request.has("-e"):
        request.options.append(("-e", ""))
    for group in (_KINDS, _ACTIONS, ("-h", "-H")):
        given = [letter for letter in group if request.has(letter)]
        if len(given) > 1:
            raise Stop(f"specify one of {' '.join(given)}")
    allowed = (*_TOGETHER.get(request.kind, "").split(), request.kind, "-c", "-o", "-q", "-v")
    for option, _value in request.options:
        if option not in allowed:
            raise Stop(f"with option {request.kind}, do not specify {option}")
    return request


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        print(f"postconf: warning: {warning}", file=sys.stderr)


def _style(request: Request) -> Style:
    return Style(
        names=not request.has("-h"),
        values=not request.has("-H"),
        fold=request.has("-f"),
        expand=request.has("-x"),
    )


def _show(request: Request, show: Callable[[Listing], Iterable[str]], *, needs_main_cf: bool = True) -> None:
    """Print lines about the configuration, then the warnings about it."""
    found = listing.read_listing(
        request.directory,
        facts=host_facts(),
        overrides=dict(_override(text) for text in request.values("-o")),
        named=request.directory_is_named,
        main_cf=needs_main_cf,
    )
    quiet = request.has("-q") or not needs_main_cf
    _warn(found.syntax_warnings)
    _warn(() if quiet else (*found.usage.undefined, *found.replaced))
    for line in show(found):
        print(line)
    _warn(() if quiet else found.usage.unused_in_master)
    _warn(() if quiet or request.kind != "-p" else found.usage.unused_in_main)


def _override(text: str) -> tuple[str, str]:
    try:
        return split_name_value(text)
    except ValueError as error:
        raise Stop(f"invalid parameter override: {text}: {str(error).partition(':')[0]}") from error


def _parameters(request: Request) -> None:
    match request.action:
        case "-e":
            _set_parameters(request)
        case "-X":
            _take_away(request, main_cf_edit.Edit.REMOVE)
        case "-#":
            _take_away(request, main_cf_edit.Edit.COMMENT_OUT)
        case action:
            _show(
                request,
                lambda found: _parameter_lines(request, found),
                needs_main_cf=action != "-d",
            )


def _parameter_lines(request: Request, found: Listing) -> Iterable[str]:
    classes = CLASSES
    for text in request.values("-C"):
        classes = _classes(text)
    names = request.arguments or found.names(classes, only_set=request.action == "-n")
    for name in names:
        value = found.parameter(name, classes)
        if value is None:
            _warn([f"{name}: unknown parameter"])
            continue
        if request.action == "-n" and name not in found.set_names:
            continue
        if request.has("-v"):
            print(f"postconf: {name}: {found.snapshot.where(name)}", file=sys.stderr)
        yield _style(request).line(name, found.text(name, value, expanded=request.has("-x")))


def _classes(text: str) -> frozenset[str]:
    found: set[str] = set()
    for word in text.replace(",", " ").split():
        if word != "all" and word not in CLASSES:
            raise Stop(f'unknown -C option value "{word}" in "{text}"')
        found |= CLASSES if word == "all" else {word}
    return frozenset(found)


def _checked_arguments(request: Request) -> list[str]:
    if not request.arguments:
        needed = "name=value" if request.action == "-e" else "name"
        raise Stop(f"{request.action} requires {needed} argument")
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
            _warn([f"ignoring earlier request: '{name} = {values[name]}'"])
        values[name] = value
    path = request.path("main.cf")
    _edit(path, lambda content: main_cf_edit.set_values(content, values, path=path))


def _take_away(request: Request, edit: main_cf_edit.Edit) -> None:
    names = {argument.strip(BLANKS) for argument in _checked_arguments(request)}
    path = request.path("main.cf")
    _edit(path, lambda content: main_cf_edit.take_away(content, names, edit, path=path))


def _edit(path: str, edit: Callable[[str], tuple[str, list[str]]]) -> None:
    """Edit a file, and give the warnings once it is done."""
    warnings: list[str] = []

    def keep_warnings(content: str) -> str:
        edited, found = edit(content)
        warnings.extend(found)
        return edited

    edit_file(path, keep_warnings)
    _warn(warnings)


def _services(request: Request) -> None:
    path = request.path("master.cf")
    match request.action:
        case "-e":
            new = []
            for argument in _checked_arguments(request):
                key, line = _assignment(argument)
                new.append((_exactly(key, 2, _SERVICE), _entry(line, argument)))

            def set_all(content: str) -> tuple[str, list[str]]:
                for (name, kind), entry in new:
                    content = master_cf_edit.set_entry(content, (name, kind), entry)
                return content, []

            _edit(path, set_all)
        case "-X" | "-#":
            patterns = [_exactly(text, 2, _SERVICE) for text in _edit_arguments(request)]
            edit = (
                master_cf_edit.remove_entries
                if request.action == "-X"
                else master_cf_edit.comment_out_entries
            )
            _edit(path, lambda content: (edit(content, lambda *key: _matches(patterns, key)), []))
        case _:
            _show(
                request,
                lambda found: found.entry_lines(_patterns(request, 2), _style(request), _unmatched),
            )


def _entry(line: str, argument: str) -> Entry:
    try:
        return parse_entry(line)
    except ConfigurationFault as fault:
        what = f'bad field count: "{argument}"' if "field count" in fault.what else fault.what
        raise Stop(what) from fault


def _fields(request: Request) -> None:
    if request.action == "-e":
        changes = []
        for argument in _checked_arguments(request):
            key, value = _assignment(argument)
            pattern = _exactly(key, 3, _FIELD)
            _check_field_name(pattern[2])
            changes.append((argument, pattern[:2], _field_change(pattern[2], value)))
        _rewrite(request, changes)
        return
    _show(request, lambda found: found.field_lines(_patterns(request, 3), _style(request), _unmatched))


def _check_field_name(name: str) -> None:
    if name != "*" and name not in FIELDS:
        raise Stop(f'invalid service attribute name: "{name}"')


def _field_change(name: str, value: str) -> Callable[[Entry], Entry]:
    return lambda entry: entry.with_field(name, value)


def _settings(request: Request) -> None:
    if request.action in ("-e", "-X"):
        changes = []
        for argument in _edit_arguments(request):
            key, value = _assignment(argument) if request.action == "-e" else (argument, "")
            if any(blank in value for blank in BLANKS):
                raise Stop("-Pe does not accept whitespace in parameter value")
            *service, name = _exactly(key, 3, _SETTING)
            change = _setting_change(name, value) if request.action == "-e" else _setting_removal(name)
            changes.append((argument, tuple(service), change))
        _rewrite(request, changes)
        return
    _show(request, lambda found: found.setting_lines(_patterns(request, 3), _style(request), _unmatched))


def _setting_change(name: str, value: str) -> Callable[[Entry], Entry]:
    return lambda entry: entry.with_setting(name, value)


def _setting_removal(name: str) -> Callable[[Entry], Entry]:
    return lambda entry: entry.without_setting(name)


def _edit_arguments(request: Request) -> list[str]:
    if not request.arguments:
        raise Stop("missing service argument")
    return _checked_arguments(request)


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


def _patterns(request: Request, most: int) -> list[tuple[str, ...]]:
    """What the arguments ask for: `service`, `service/type`, `service/type/…`."""
    found = []
    for text in request.arguments:
        parts = tuple(text.split("/"))
        if len(parts) > most or "" in parts:
            last = {"-F": "[/field]", "-P": "[/parameter]"}.get(request.kind, "")
            optional = f"[/type{last}]"
            raise Stop(f"{request.kind} option requires service_name{optional}")
        if request.kind == "-F" and len(parts) == most:
            _check_field_name(parts[-1])
        found.append(parts)
    return found


def _exactly(text: str, parts: int, requirement: str) -> tuple[str, ...]:
    """What an edit is about, in so many parts."""
    found = tuple(text.split("/"))
    if len(found) != parts or "" in found:
        raise Stop(requirement)
    return found


_SERVICE: Final = "-Me, -MX or -M# requires service_name/type"
_FIELD: Final = "-Fe or -FX requires service_name/type/field_name"
_SETTING: Final = "-Pe or -PX requires service_name/type/parameter"


def _matches(patterns: Iterable[tuple[str, ...]], key: tuple[str, ...]) -> bool:
    return any(listing.matches(pattern, key) for pattern in patterns)


def _unmatched(pattern: tuple[str, ...]) -> None:
    _warn([f'unmatched request: "{"/".join(pattern)}"'])


def _sasl_types(_request: Request) -> None:
    print("dovecot")


def _table_types(_request: Request) -> None:
    for name in table_types():
        print(name)


def _tls(request: Request) -> None:
    for wanted in request.values("-T"):
        if wanted not in ("compile-version", "run-version"):
            raise Stop(f"option -T {wanted} is not served yet")
        print(ssl.OPENSSL_VERSION)


_RUNNERS: Final[dict[str, Callable[[Request], None]]] = {
    "-a": _sasl_types,
    "-F": _fields,
    "-m": _table_types,
    "-M": _services,
    "-p": _parameters,
    "-P": _settings,
    "-T": _tls,
}
