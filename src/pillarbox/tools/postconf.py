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
    postconf -a | -A | -l | -m | -T compile-version | -T run-version | -T public-key-algorithms
                                                                         what this system has
    postconf -b [file]  |  -t [file]                                     texts and templates of notices

    -c names the configuration directory; without it MAIL_CONFIG does, and then /etc/postfix.  `-e` may be
    left out when the first argument has a `=`.  With -v, standard error says where the value of each parameter
    comes from.

    Output, warnings and exit status are those of Postfix's command, so that installers and configuration
    tools go on working.

    Scripts ask for one value after the other, so that what few questions need is loaded when they are asked.

FAULTS
    exit 1, with `postconf: fatal: …` on standard error: bad options, bad syntax in a file, a file that cannot
    be read or written, an option that is not served yet.  Warnings leave the exit status at 0.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Final

from pillarbox.config import listing
from pillarbox.config.expansion_syntax import ExpansionError
from pillarbox.config.host_facts import host_facts
from pillarbox.config.listing import CLASSES, Listing, Pattern, Style
from pillarbox.config.logical_lines import split_name_value
from pillarbox.tools import postconf_edit, run_command
from pillarbox.tools.postconf_request import Request, Stop, parse_request, warn
from pillarbox.vocabulary.faults import ConfigurationFault

ServiceLines = Callable[[Listing, list[Pattern], Style, Callable[[int], None]], Iterable[str]]
"""Lines about services: of what, how, and what is done about a pattern, by its position, that nothing matches."""


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="surrogateescape")
    try:
        request = parse_request(sys.argv[1:] if argv is None else argv)
        _RUNNERS[request.kind](request)
        sys.stdout.flush()
    except Stop as stop:
        print(f"postconf: fatal: {stop}", file=sys.stderr)
        return 1
    except ExpansionError as error:
        warn([str(error)])
        print("postconf: fatal: macro processing error", file=sys.stderr)
        return 1
    except ConfigurationFault as fault:
        where = f"{fault.where}: " if fault.where else ""
        print(f"postconf: fatal: {where}{fault.what}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        print(f"postconf: fatal: open {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _parameters(request: Request) -> None:
    if request.edits:
        postconf_edit.edit_parameters(request)
        return
    _show(request, lambda found: _parameter_lines(request, found), needs_main_cf=request.action != "-d")


def _parameter_lines(request: Request, found: Listing) -> Iterable[str]:
    only_set = request.action == "-n"
    for name in request.arguments or found.names(_classes(request), only_set=only_set):
        value = found.parameter(name)
        if value is None:
            warn([f"{name}: unknown parameter"])
            continue
        if only_set and name not in found.set_names:
            continue
        if request.has("-v"):
            print(f"postconf: {name}: {found.snapshot.where(name)}", file=sys.stderr)
        yield _style(request).line(name, found.text(name, value, expanded=request.has("-x")))


def _classes(request: Request) -> frozenset[str]:
    found = CLASSES
    for text in request.values("-C"):
        found = frozenset()
        for word in text.replace(",", " ").split():
            if word != "all" and word not in CLASSES:
                raise Stop(f'unknown -C option value "{word}" in "{text}"')
            found |= CLASSES if word == "all" else {word}
    return found


def _services(request: Request) -> None:
    if request.edits:
        postconf_edit.edit_services(request)
        return
    _show_services(request, Listing.entry_lines, 2)


def _fields(request: Request) -> None:
    if request.edits:
        postconf_edit.edit_fields(request)
        return
    _show_services(request, Listing.field_lines, 3)


def _settings(request: Request) -> None:
    if request.edits:
        postconf_edit.edit_settings(request)
        return
    _show_services(request, Listing.setting_lines, 3)


def _show_services(request: Request, lines: ServiceLines, most: int) -> None:
    """What of master.cf the arguments ask for, each `service[/type…]` in `most` parts at most."""

    def unmatched(position: int) -> None:
        warn([f'unmatched request: "{request.arguments[position]}"'])

    _show(request, lambda found: lines(found, _patterns(request, most), _style(request), unmatched))


def _style(request: Request) -> Style:
    return Style(
        names=not request.has("-h"),
        values=not request.has("-H"),
        fold=request.has("-f"),
        expand=request.has("-x"),
    )


def _show(request: Request, show: Callable[[Listing], Iterable[str]], *, needs_main_cf: bool = True) -> None:
    """Print lines about the configuration, then the warnings about it."""
    _classes(request)  # a class that does not exist is told before anything is read
    found = listing.read_listing(
        request.directory,
        facts=host_facts(),
        overrides=dict(_override(text) for text in request.values("-o")),
        named=request.directory_is_named,
        main_cf=needs_main_cf,
        master_cf=request.kind != "-p",
    )
    quiet = request.has("-q") or not needs_main_cf
    warn(found.syntax_warnings)
    warn(found.usage.mistakes_in_braces if needs_main_cf else ())
    warn(() if quiet else (*found.usage.unused_in_tables, *found.usage.undefined, *found.usage.read_only))
    for line in show(found):
        print(line)
    warn(() if quiet else found.usage.unused_in_master)
    warn(() if quiet or request.kind != "-p" else found.usage.unused_in_main)


def _override(text: str) -> tuple[str, str]:
    try:
        return split_name_value(text)
    except ValueError as error:
        raise Stop(f"invalid parameter override: {text}: {str(error).partition(':')[0]}") from error


def _patterns(request: Request, most: int) -> list[tuple[str, ...]]:
    """What the arguments ask for: `service`, `service/type`, `service/type/…`."""
    found = []
    for text in request.arguments:
        parts = tuple(part for part in text.split("/") if part)
        if len(parts) > most or text[:1] in ("", "/"):
            last = {"-F": "[/field]", "-P": "[/parameter]"}.get(request.kind, "")
            optional = f"[/type{last}]"
            raise Stop(f"{request.kind} option requires service_name{optional}")
        if request.kind == "-F" and len(parts) == most:
            postconf_edit.check_field_name(parts[-1])
        found.append(parts)
    return found


def _sasl_types(_request: Request) -> None:
    print("cyrus\ndovecot")


def _table_types(_request: Request) -> None:
    from pillarbox.tables.opening import table_types

    for name in table_types():
        print(name)


def _texts(request: Request) -> None:
    from pillarbox.tools.postconf_templates import show_texts

    show_texts(request)


def _templates(request: Request) -> None:
    from pillarbox.tools.postconf_templates import show_templates

    show_templates(request)


def _tls(request: Request) -> None:
    import ssl

    for wanted in request.values("-T"):
        if wanted == "public-key-algorithms":
            print("dsa\necdsa\nrsa")  # of certificates that OpenSSL 3 loads for a server
        elif wanted in ("compile-version", "run-version"):
            print(ssl.OPENSSL_VERSION)
        else:
            raise Stop(f"unknown 'postconf -T' mode: {wanted}")


def _client_sasl_types(_request: Request) -> None:
    print("cyrus")


def _lock_types(_request: Request) -> None:
    print("flock\nfcntl\ndotlock")


_RUNNERS: Final[dict[str, Callable[[Request], None]]] = {
    "-a": _sasl_types,
    "-A": _client_sasl_types,
    "-b": _texts,
    "-F": _fields,
    "-l": _lock_types,
    "-m": _table_types,
    "-M": _services,
    "-p": _parameters,
    "-P": _settings,
    "-t": _templates,
    "-T": _tls,
}


if __name__ == "__main__":
    run_command(main)
