"""doveadm service: what serves the services of dovecot.conf.

DESCRIPTION
    A service is shown by Dovecot's name, with the processes of the role that does its work here; several services
    share a role, so that their processes are counted for each.  What is not counted is 0.

FAULTS
    75  the system does not run, or `service stop`, which there is no process of one service's own for
    68  there is no such service
"""

import os
import sys
from collections.abc import Sequence
from typing import Final

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.supervisor import dovecot_control
from pillarbox.supervisor.status_query import ask_status
from pillarbox.tools.doveadm_commands import output
from pillarbox.tools.doveadm_commands.faults import EX_NOTFOUND, Fatal, Usage

USAGE: Final = {"status": "[<service> [...]]", "stop": "<service> [<service> [...]]"}
_COLUMNS: Final = (
    *("name", "process_count", "process_avail", "process_limit", "client_limit", "throttle_secs"),
    *("exit_failure_last", "exit_failures_in_sec", "last_drop_warning", "listen_pending", "listening"),
    *("doveadm_stop", "process_total"),
)
_ROLES: Final = {
    "auth": "auth",
    "auth-worker": "auth-worker",
    "doveadm": "doveadm",
    "imap": "spawner",
    "imap-login": "login",
    "lmtp": "lmtp",
    "pop3": "spawner",
    "pop3-login": "login",
    "quota-status": "quota-status",
}
"""Service → role."""


def service(configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """doveadm service."""
    if not arguments or arguments[0] not in USAGE:
        raise Usage("service <command> [<args>]", USAGE)
    names = arguments[1:]
    if arguments[0] == "stop" and not names:
        raise Fatal("service parameter missing")
    base_dir = configuration.value("base_dir")
    status = ask_status(dovecot_control.status_socket(base_dir))
    if status is None:
        raise Fatal(f"net_connect_unix({base_dir}/master) failed: {os.strerror(2)}")
    roles = status.get("roles")
    running = [
        role.get("role") for role in (roles if isinstance(roles, list) else ()) if isinstance(role, dict)
    ]
    protocols = configuration.words("protocols")
    known = {
        name: running.count(role)
        for name, role in _ROLES.items()
        if role in running and (name.startswith(protocols) or role not in ("login", "spawner", "lmtp"))
    }
    if arguments[0] == "stop":
        return _stop(known, names)
    rows = [_row(configuration, name, count) for name, count in known.items() if not names or name in names]
    output.show(_COLUMNS, rows, form or "pager")
    return 0


def _row(configuration: Configuration, name: str, count: int) -> list[str]:
    clients = configuration.number("service", name, "client_limit")
    clients = clients or configuration.number("default_client_limit")
    numbers = (count, count, count, clients, 0, 0, 0, 0)
    return [name, *map(str, numbers), "n", "y", "n", str(count)]


def _stop(known: dict[str, int], names: Sequence[str]) -> int:
    status = 0
    for name in names:
        if name not in known:
            sys.stderr.write(f"Error: Unknown service: {name}\n")
            status = EX_NOTFOUND
    if status:
        return status
    raise Fatal(
        f"service stop {' '.join(names)} is not served: services share their processes; doveadm reload begins "
        "new ones, and `protocols` says what is served"
    )
