"""dovecot(1): start the mailbox half.

    dovecot [-F] [-c FILE]           start it and wait until it serves; -F: stay in the foreground
    dovecot [-c FILE] -n | -a        show the configuration, as doveconf(1) does
    dovecot [-c FILE] COMMAND        what doveadm(1) does by that name: stop, reload
    dovecot --version | --build-options | --hostdomain | --help

    -p (ask for the key's password) is refused: keys have to be readable without one.

EXIT STATUS
    0   done
    75  stop, reload: it does not run; others as doveadm(1) ends
    89  it could not start, or wrong use; one line says why
"""

import getopt
import os
import socket
import sys
from collections.abc import Sequence

from pillarbox.config.dovecot.reading import read_configuration
from pillarbox.supervisor import dovecot_control
from pillarbox.supervisor.listeners import StartFault
from pillarbox.supervisor.version import DOVECOT_VERSION
from pillarbox.tools import doveconf, run_command, works_unread
from pillarbox.tools.default_paths import DOVECOT_CONF
from pillarbox.tools.wrong_options import complaint
from pillarbox.vocabulary.faults import ConfigurationFault

EX_CONFIG = 89
_USAGE = (
    "Usage: dovecot [-F] [-c <config file>] [-p] [-n] [-a] [--help] [--version]\n"
    "       [--build-options] [--hostdomain] [reload] [stop]\n"
)
_BUILD_OPTIONS = """\
Build options: ioloop=uvloop notify=inotify openssl
SQL driver plugins:
Passdb: pam passwd passwd-file shadow static
Userdb: passwd passwd-file prefetch static
"""


@works_unread
def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command."""
    try:
        pairs, words = getopt.gnu_getopt(
            list(sys.argv[1:] if arguments is None else arguments),
            "Fc:pna",
            ["version", "build-options", "hostdomain", "help"],
        )
    except getopt.GetoptError as error:
        if error.msg.startswith("option --"):
            sys.stderr.write(_USAGE)
            return _fatal(f"Unknown argument: --{error.opt}")
        sys.stderr.write(f"{sys.argv[0]}: {complaint(error)}\n{_USAGE}")
        return EX_CONFIG
    options = dict(pairs)
    if "--version" in options:
        print(DOVECOT_VERSION)
    elif "--build-options" in options:
        sys.stdout.write(_BUILD_OPTIONS)
    elif "--hostdomain" in options:
        print(_host_and_domain())
    elif "--help" in options:
        sys.stderr.write(_USAGE)
    else:
        return _run(options, words)
    return 0


def _run(options: dict[str, str], words: Sequence[str]) -> int:
    path = os.path.abspath(options.get("-c", DOVECOT_CONF))
    if "-n" in options or "-a" in options:
        return doveconf.show(options, [], {}, program="doveconf")
    if "-p" in options:
        return _fatal("-p is not served: take the password off the key (openssl pkey)")
    if words:
        from pillarbox.tools import doveadm

        return doveadm.main(["-c", path, *words])
    try:
        os.stat(path)
    except OSError as error:
        return _fatal(f"Error reading configuration: stat({path}) failed: {error.strerror}")
    try:
        configuration = read_configuration(path)
        base_dir = configuration.value("base_dir")
        if (fault := dovecot_control.already_running(base_dir)) is not None:
            raise fault
        if "-F" in options:
            dovecot_control.become_supervisor(path)
        logs = [configuration.value(name) for name in ("log_path", "info_log_path", "debug_log_path")]
        dovecot_control.start(path, logs_to_errors="/dev/stderr" in logs)
    except ConfigurationFault as fault:
        sys.stderr.write(f"doveconf: Fatal: {fault}\n")
        return EX_CONFIG
    except StartFault as fault:
        return _fatal(str(fault))
    except PermissionError as error:
        return _fatal(f"{error.filename or 'master.pid'}: {error.strerror}")
    return 0


def _host_and_domain() -> str:
    """The name that the resolver has for the host; the host's own if it has none."""
    name = socket.gethostname()
    try:
        return socket.getaddrinfo(name, None, flags=socket.AI_CANONNAME)[0][3] or name
    except OSError:
        return name


def _fatal(text: str) -> int:
    sys.stderr.write(f"Fatal: {text}\n")
    return EX_CONFIG


if __name__ == "__main__":
    run_command(main)
