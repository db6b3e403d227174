"""doveconf(1): show the mailbox half's configuration.

    doveconf [-adnNpPsSx] [-c FILE] [-m MODULE] [-f NAME=VALUE]...
    doveconf [-dhnNpPx] [-c FILE] [-f NAME=VALUE]... SETTING|SECTION...

    doveconf -e [-c FILE] [-f NAME=VALUE]... COMMAND [ARGUMENTS]

    -e runs a command with what is set in its environment: MAIL_LOCATION, PLUGIN/QUOTA.
    -m shows what a module reads: imap, pop3, lmtp, lda, imap-login, auth, doveadm and so on.
    -p has no effect: no key has a password that would be asked for.

EXIT STATUS
    0   done
    89  a mistake in the configuration or on the command line; one line says which
"""

import getopt
import os
import platform
import re
import socket
import sys
from collections.abc import Sequence

from pillarbox.config.dovecot import listing, modules
from pillarbox.config.dovecot.consistency import check_consistency, complaint, complaint_within
from pillarbox.config.dovecot.listing import Extent, Style
from pillarbox.config.dovecot.reading import Configuration, read_configuration
from pillarbox.config.dovecot.written_settings import Path
from pillarbox.supervisor.version import DOVECOT_VERSION
from pillarbox.tools import run_command, works_unread
from pillarbox.tools.default_paths import DOVECOT_CONF
from pillarbox.vocabulary.faults import ConfigurationFault

EX_CONFIG = 89
_FOR_WHOM = ("local", "local_name", "protocol", "remote")
_FILTERS = {
    "lname": "local_name",
    "local": "local",
    "remote": "remote",
    "protocol": "protocol",
    "service": "protocol",
}


@works_unread
def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command."""
    given, command = _command(list(sys.argv[1:] if arguments is None else arguments))
    try:
        pairs, names = getopt.gnu_getopt(given, "ac:def:hm:nNpPsSx")
    except getopt.GetoptError as error:
        needs = "requires argument" in error.msg
        what = "option requires an argument" if needs else "invalid option"
        print(f"{sys.argv[0]}: {what} -- '{error.opt}'", file=sys.stderr)
        return EX_CONFIG
    options = dict(pairs)
    if "-e" in options and not (command := [*names, *command]):
        print("doveconf: Fatal: Missing command for -e", file=sys.stderr)
        return EX_CONFIG
    known: dict[str, str] = {}
    for flag, value in pairs:
        name, _, wanted = value.partition("=")
        if flag == "-f" and name not in _FILTERS:
            print(f"doveconf: Fatal: Unknown filter argument: {value}", file=sys.stderr)
            return EX_CONFIG
        if flag == "-f":
            known[_FILTERS[name]] = wanted
    if "-e" in options:
        return _execute(options, command, known)
    return show(options, names, known, program="doveconf")


def _command(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What stands up to -e, and what behind it: options there are the command's."""
    for at, argument in enumerate(arguments):
        if argument == "-e" and (at == 0 or arguments[at - 1] not in ("-c", "-f", "-m")):
            return arguments[: at + 1], arguments[at + 1 :]
    return arguments, []


def _execute(options: dict[str, str], command: Sequence[str], known: dict[str, str]) -> int:
    """Become the command, with what the configuration sets in its environment."""
    path = options.get("-c", DOVECOT_CONF)
    style = Style(secrets=True, expand=True, hidden="-s" in options)
    try:
        configuration = read_configuration(path)
        check_consistency(configuration)
        if known:
            configuration = listing.filtered(configuration, known)
        lines = list(listing.simple_lines(configuration, Extent.CHANGED, style))
    except ConfigurationFault as fault:
        print(f"doveconf: Fatal: {fault}", file=sys.stderr)
        return EX_CONFIG
    for warning in configuration.warnings:
        print(f"doveconf: Warning: {warning}", file=sys.stderr)
    settings = (line.partition("=") for line in lines)
    environment = {name.upper(): value for name, _, value in settings if "\0" not in value}
    try:
        os.execvpe(command[0], list(command), {**os.environ, **environment, "DOVECONF_ENV": "1"})  # noqa: S606
    except OSError as error:
        print(f"doveconf: Fatal: execvp({command[0]}) failed: {error.strerror}", file=sys.stderr)
        return EX_CONFIG


def show(options: dict[str, str], names: Sequence[str], known: dict[str, str], *, program: str) -> int:
    """What the options ask for; also for `dovecot -n` and `dovecot -a`."""
    path = options.get("-c", DOVECOT_CONF)
    style = Style(secrets="-P" in options, expand="-x" in options, hidden="-s" in options)
    extent = _extent(options)
    try:
        if not names and "-S" not in options:
            print(f"# {DOVECOT_VERSION}: {path}")
        configuration = read_configuration(path, expands=style.expand)
        for warning in configuration.warnings if "-d" not in options else ():
            print(f"{program}: Warning: {warning}", file=sys.stderr)
        if known:
            configuration = listing.filtered(configuration, known)
        if "-d" in options and options.keys() & {"-n", "-N"}:  # of the defaults, none differs from them
            if not names and "-S" not in options:
                _print_system()
            return 0
        if names:
            for name in names:
                _show_name(configuration, extent, _path(name), style, hide_name="-h" in options)
            return 0
        if "-S" in options:
            for line in listing.simple_lines(configuration, extent, style):
                if "-m" not in options or re.split("[/=]", line)[0] in modules.names(options["-m"]):
                    print(line)
            return 0 if "-d" in options else _complain(configuration, program)
        shown = list(listing.lines(configuration, extent, style))
        if "-m" in options:
            shown = _of_module(shown, modules.names(options["-m"]))
        _print_system()
        if extent in (Extent.EVERYTHING, Extent.STANDARD) and not style.hidden:
            print("# NOTE: Send doveconf -n output instead when asking for help.")
        for line in shown:
            print(line)
        return 0 if "-d" in options else _complain(configuration, program)
    except ConfigurationFault as fault:
        sys.stdout.flush()
        print(f"{program}: Fatal: {fault}", file=sys.stderr)
        return EX_CONFIG


def _of_module(lines: Sequence[str], names: frozenset[str]) -> list[str]:
    """What a module reads; of blocks that say for whom settings count, what is in them of it."""
    shown: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        word = re.split("[ =]", line.strip())[0]
        end = at + 1
        if line.endswith("{"):
            indent = line[: len(line) - len(line.lstrip(" "))]
            end = lines.index(f"{indent}}}", at) + 1
        if word in _FOR_WHOM:
            within = _of_module(lines[at + 1 : end - 1], names)
            shown += [line, *within, lines[end - 1]] if within else []
        elif word in names:
            shown += lines[at:end]
        at = end
    return shown


def _complain(configuration: Configuration, program: str) -> int:
    """What is wrong with all of it, behind what was shown."""
    found = complaint(configuration)
    sys.stdout.flush()
    if found:
        print(f"{program}: Error: {found}", file=sys.stderr)
    elif not (found := complaint_within(configuration)):
        return 0
    print(f"{program}: Fatal: Error in configuration file {configuration.path}: {found}", file=sys.stderr)
    return EX_CONFIG


def _extent(options: dict[str, str]) -> Extent:
    if "-s" in options:
        return Extent.EVERYTHING
    for extent in (Extent.STANDARD, Extent.CHANGED, Extent.EXPLICIT):
        if extent.value in options:
            return extent
    return Extent.EVERYTHING


def _print_system() -> None:
    system = os.uname()
    print(f"# OS: {system.sysname} {system.release} {system.machine} {_distribution()} ")
    print(f"# Hostname: {socket.gethostname()}")


def _distribution() -> str:
    try:
        with open("/etc/debian_version", encoding="utf-8") as file:
            return f"Debian {file.read().strip()}"
    except OSError:
        pass
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return ""


def _path(name: str) -> Path:
    return tuple(name.split("/"))


def _show_name(
    configuration: Configuration, extent: Extent, path: Path, style: Style, *, hide_name: bool
) -> None:
    text = listing.value_text(configuration, extent, path, style)
    if text is not None:
        print(text if hide_name else f"{'/'.join(path)} = {text}")
        return
    for line in listing.section_lines(configuration, extent, path, style):
        print(line)


if __name__ == "__main__":
    run_command(main)
