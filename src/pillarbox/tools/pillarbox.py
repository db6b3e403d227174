"""pillarbox(1): run the whole system, ask how it is, keep its users.

    pillarbox run [--data DIR] [--listen ADDR] [--port-offset N]
    pillarbox status [--data DIR] [--json]
    pillarbox user add|passwd|remove NAME [--data DIR] [--password-stdin]
    pillarbox user list [--data DIR]
    pillarbox lab [--seed N] [--scenario NAME]... [--list] [--data DIR]
    pillarbox check [--postfix DIR] [--dovecot FILE]
    pillarbox install [--prefix DIR] [--dry-run] [--force] [--take-over]
    pillarbox hand-back [--config FILE] [--doveadm PROGRAM] [--dry-run] [USER]...
    pillarbox import mbox FILE [--user USER] [--mailbox NAME] [--config FILE]
    pillarbox uninstall [--prefix DIR] [--dry-run] [--force]
    pillarbox --version

DESCRIPTION
    What only one of the commands needs is imported when it is asked for: `status` is there in a third of the time.

EXIT STATUS
    0   done
    1   could not be done; one line on standard error says why and how to mend it; check: a half would not start
    64  wrong use
    69  status: the system does not run
"""

import argparse
import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from pillarbox.supervisor.home import Home, default_root
from pillarbox.supervisor.listeners import StartFault
from pillarbox.supervisor.version import VERSION
from pillarbox.tools import run_command
from pillarbox.tools.default_paths import DOVEADM, DOVECOT_CONF, POSTFIX_DIRECTORY
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.vocabulary.secret import Secret

EX_USAGE = 64


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command."""
    options = _parser().parse_args(arguments)
    if options.command in ("install", "uninstall"):
        return _install(options)
    if options.command == "check":
        from pillarbox.tools.configuration_check import check

        return check(options.postfix, options.dovecot, print)
    if options.command == "lab":
        from pillarbox.tools.lab import run_lab

        return run_lab(options)
    if options.command == "import":
        return _import(options)
    if options.command == "hand-back":
        return _hand_back(options)
    home = Home(Path(options.data).absolute() if options.data else default_root())
    try:
        if options.command == "run":
            from pillarbox.supervisor.foreground import run_in_foreground

            return run_in_foreground(home, listen=options.listen, port_offset=options.port_offset)
        if options.command == "status":
            from pillarbox.tools.status import show_status

            return show_status(options.data, as_json=options.json)
        return _user(home, options)
    except StartFault as fault:
        print(f"pillarbox: {fault}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="pillarbox", description="The whole mail system of a Unix host.")
    parser.add_argument("--version", action="version", version=f"Pillarbox {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = _command(commands, "run", "start everything in the foreground; Ctrl-C stops it")
    run.add_argument("--listen", default="127.0.0.1", metavar="ADDR", help="address of all ports (127.0.0.1)")
    run.add_argument(
        "--port-offset", type=int, default=2000, metavar="N", help="added to the standard ports (2000)"
    )
    status = _command(commands, "status", "addresses, user, password and health")
    status.add_argument("--json", action="store_true", help="one JSON document")
    user = _command(commands, "user", "the system's users")
    actions = user.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text in (("add", "a new user"), ("passwd", "a new password"), ("remove", "forget a user")):
        action = _command(actions, name, text)
        action.add_argument("name", metavar="USER@DOMAIN")
        action.add_argument(
            "--password-stdin", action="store_true", help="read the password from standard input"
        )
        _add_data(action)
    _add_data(_command(actions, "list", "all users"))
    _add_data(run)
    _add_data(status)
    _add_lab(_command(commands, "lab", "an internet on this machine, and mail that flows"))
    imported = _command(commands, "import", "mail from other stores")
    kinds = imported.add_subparsers(dest="kind", required=True, metavar="KIND")
    mbox = _command(kinds, "mbox", "the messages of an mbox file, with flags and dates")
    mbox.add_argument("file", metavar="FILE", help="the mbox file; it stays as it is")
    mbox.add_argument("--user", default="", metavar="USER", help="whose mailbox (you)")
    mbox.add_argument("--mailbox", default="INBOX", metavar="NAME", help="into which mailbox (INBOX)")
    mbox.add_argument("--config", default=DOVECOT_CONF, metavar="FILE", help=f"dovecot.conf ({DOVECOT_CONF})")
    given = _command(commands, "hand-back", "tell a Dovecot that runs again what only our files know")
    given.add_argument("users", nargs="*", metavar="USER", help="whose keywords (all users')")
    given.add_argument(
        "--config", default=DOVECOT_CONF, metavar="FILE", help=f"dovecot.conf ({DOVECOT_CONF})"
    )
    given.add_argument("--doveadm", default=DOVEADM, metavar="PROGRAM", help=f"Dovecot's ({DOVEADM})")
    given.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    checked = _command(commands, "check", "what a start would make of this host's configuration")
    checked.add_argument(
        "--postfix", default=POSTFIX_DIRECTORY, metavar="DIR", help=f"where main.cf is ({POSTFIX_DIRECTORY})"
    )
    checked.add_argument(
        "--dovecot", default=DOVECOT_CONF, metavar="FILE", help=f"dovecot.conf ({DOVECOT_CONF})"
    )
    install = _command(
        commands, "install", "put the commands on PATH; make accounts, directories and services"
    )
    install.add_argument(
        "--take-over",
        action="store_true",
        help="also under the names and full paths of Debian's packages, whose files step aside",
    )
    for command in (install, _command(commands, "uninstall", "take away what install put there")):
        command.add_argument("--prefix", default="/usr/local", metavar="DIR", help="where to (/usr/local)")
        command.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        command.add_argument("--force", action="store_true", help="whatever is in the way")
    return parser


def _command(commands: "argparse._SubParsersAction[_Parser]", name: str, text: str) -> "_Parser":
    """One that its own --help describes, too."""
    made: _Parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    return made


def _import(options: argparse.Namespace) -> int:
    from pillarbox.tools.mailbox_import import ImportFault, import_mbox

    try:
        return import_mbox(
            options.file, user=options.user, mailbox=options.mailbox, configuration=options.config
        )
    except ImportFault as fault:
        print(f"pillarbox: {fault}", file=sys.stderr)
        return 1


def _hand_back(options: argparse.Namespace) -> int:
    from pillarbox.tools.keyword_hand_back import HandBackFault, hand_back

    try:
        return hand_back(
            options.users, configuration=options.config, doveadm=options.doveadm, dry_run=options.dry_run
        )
    except (HandBackFault, ConfigurationFault) as fault:
        print(f"pillarbox: {fault}", file=sys.stderr)
        return 1


def _install(options: argparse.Namespace) -> int:
    from pillarbox.tools.installation.environment import InstallFault
    from pillarbox.tools.installation.installer import Installer

    try:
        installer = Installer(
            Path(options.prefix).absolute(),
            dry_run=options.dry_run,
            force=options.force,
            take_over=options.command == "install" and options.take_over,
            say=print,
        )
        (installer.install if options.command == "install" else installer.uninstall)()
    except (InstallFault, ConfigurationFault) as fault:
        print(f"pillarbox: {fault}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"pillarbox: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _add_lab(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="the same seed, the same internet (1)"
    )
    parser.add_argument(
        "--scenario",
        action="append",
        default=[],
        metavar="NAME",
        help="only this one; may be given several times, and NAME may end in *",
    )
    parser.add_argument("--list", action="store_true", help="what scenarios there are")
    parser.add_argument(
        "--data", metavar="DIR", help="keep queue, mail and log in this new directory (else all goes)"
    )


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="DIR", help=f"data directory ({default_root()})")


class _Parser(argparse.ArgumentParser):
    """Wrong use ends with EX_USAGE."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        print(f"{self.prog}: {message}", file=sys.stderr)
        sys.exit(EX_USAGE)


def _user(home: Home, options: argparse.Namespace) -> int:
    from pillarbox.supervisor.users import UserFault, Users

    users = Users(home)
    try:
        if options.action == "list":
            for name in users.names():
                print(name)
        elif options.action == "remove":
            users.remove(options.name)
        else:
            password = _password(from_stdin=options.password_stdin)
            (users.add if options.action == "add" else users.change_password)(options.name, password)
    except UserFault as fault:
        print(f"pillarbox: {fault}", file=sys.stderr)
        return 1
    return 0


def _password(*, from_stdin: bool) -> Secret:
    from pillarbox.supervisor.users import UserFault

    if from_stdin or not os.isatty(0):
        text = sys.stdin.readline().rstrip("\n")
    else:
        text = getpass.getpass("Password: ")
        if text != getpass.getpass("Again: "):
            raise UserFault("the passwords differ; nothing was changed")
    if not text:
        raise UserFault("the password is empty; nothing was changed")
    return Secret(text.encode())


if __name__ == "__main__":
    run_command(main)
