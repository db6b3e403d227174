"""doveadm proxy, stats, process and service: what Dovecot has many of, and Pillarbox few or none.

DESCRIPTION
    No connection is proxied and no metrics are kept, so that their lists are empty.  Processes are the roles of the
    supervisor, by their own names; what Dovecot counts of its processes is not counted.

FAULTS
    Fatal  the system does not run, or what is asked cannot be done
"""

import sys
from collections.abc import Sequence
from typing import Final

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.supervisor import dovecot_control
from pillarbox.supervisor.status_query import ask_status
from pillarbox.tools.doveadm_commands import output
from pillarbox.tools.doveadm_commands.faults import Fatal, Usage

PROXY_USAGE: Final = {
    "kick": "[-a <ipc socket path>] [-f <passdb field>] [-h <host> [...] | <user> [...]]",
    "list": "[-a <ipc socket path>]",
}
STATS_USAGE: Final = {
    "add": "[--description <string>] [--exporter <name> [--exporter-include <fields>]] [--fields <fields>] "
    "[--group-by <fields>] <name> <filter>",
    "dump": "[-s <stats socket path>] [-r] [-f <fields>]",
    "remove": "<name>",
}
PROCESS_USAGE: Final = {"status": "[<service> [...]]"}
_METRIC: Final = ("metric_name", "field", "count", "sum", "min", "max", "avg", "median", "stddev", "%95")


def proxy(_configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """doveadm proxy: there is never anything to list."""
    if not arguments or arguments[0] not in PROXY_USAGE:
        raise Usage("proxy <command> [<args>]", PROXY_USAGE)
    if arguments[0] == "kick" and len(arguments) == 1:
        raise Usage(f"proxy kick {PROXY_USAGE['kick']}")
    if arguments[0] == "kick":
        print("0 connections kicked")
    else:
        print(output.no_columns(form), end="")
    return 0


def stats(_configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """doveadm stats: no metrics are kept, none can be added, and there is none to remove."""
    if not arguments or arguments[0] not in STATS_USAGE:
        raise Usage("stats <command> [<args>]", STATS_USAGE)
    if arguments[0] == "add":
        raise Fatal("stats add is not served: no metrics are kept")
    if arguments[0] == "remove":
        text = (
            f"metrics '{arguments[1]}' not found" if arguments[1:] else "stats remove: missing name parameter"
        )
        sys.stderr.write(f"Error: {text}\n")
        return 0
    output.show(_METRIC, (), form or "tab")
    return 0


def process(configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """doveadm process status: the roles that run."""
    if not arguments or arguments[0] not in PROCESS_USAGE:
        raise Usage("process <command> [<args>]", PROCESS_USAGE)
    base_dir = configuration.value("base_dir")
    status = ask_status(dovecot_control.status_socket(base_dir))
    if status is None:
        raise Fatal(f"Dovecot is not running (read from {base_dir}/master.pid)")
    roles = status.get("roles")
    rows = [
        [str(role.get("role", "")), str(role.get("pid", ""))]
        for role in (roles if isinstance(roles, list) else ())
        if isinstance(role, dict) and (len(arguments) == 1 or role.get("role") in arguments[1:])
    ]
    output.show(("name", "pid"), rows, form or "table", wide="name")
    return 0
