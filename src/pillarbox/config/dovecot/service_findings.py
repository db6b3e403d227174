"""service { } blocks that do less than they say: what an admin should hear of before a start.

DESCRIPTION
    A service of Dovecot's has listeners, limits and rights.  Pillarbox has roles; of a service's blocks it takes
    the ports of logins, LMTP, authentication, doveadm and quota-status, and the Unix sockets of the last four and
    of scripts.  `service_findings()` gives a line for each other listener that somebody sets.

FAULTS
    ConfigurationFault  a service that somebody else asks, and that would not answer

STANDARDS
    Dovecot 2.3 Services
"""

from typing import Final

from pillarbox.config.dovecot.declared.blocks import ROOT
from pillarbox.config.dovecot.file_reader import default
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.config.dovecot.service_listeners import OWN_DOORS, quota_status_services, script_command
from pillarbox.config.dovecot.written_settings import Entry, Path
from pillarbox.vocabulary.faults import ConfigurationFault

_SERVED: Final = frozenset(
    "auth auth-worker imap-login pop3-login imap pop3 lmtp anvil config log stats doveadm master".split()
)
_HARMLESS: Final = frozenset(
    "aggregator dict dict-async director dns-client health-check imap-hibernate imap-urlauth imap-urlauth-login "
    "imap-urlauth-worker indexer indexer-worker ipc old-stats replicator submission submission-login tcpwrap "
    "managesieve managesieve-login".split()
)
_LOGINS: Final = ("imap-login", "pop3-login")
_LISTENERS: Final = {
    "auth": ("unix_listener", "inet_listener"),
    "doveadm": ("unix_listener", "inet_listener"),
    "lmtp": ("unix_listener", "inet_listener"),
    **dict.fromkeys(_LOGINS, ("inet_listener",)),
}
"""Service → kinds of its listeners that are opened."""
_LIMITS: Final = ("client_limit", "process_min_avail")
_NO_LIMIT: Final = "a process serves thousands of sessions, and needs no limit by count or size"
_PENALTIES: Final = ("service", "anvil", "unix_listener", "anvil-auth-penalty", "mode")


def limit_finding(path: Path, entry: Entry) -> str:
    """What is to be said of a limit that counts for login services only; empty if it counts."""
    if path[0] != "service" or path[-1] not in _LIMITS or len(path) != 3 or path[1] in _LOGINS:
        return ""
    if entry.value == default(path):
        return ""
    return f"{entry.where}: {'/'.join(path)} has no effect: {_NO_LIMIT}"


def service_findings(configuration: Configuration) -> list[str]:
    """A line for each listener that is not opened, and for each service that is not there."""
    found: list[str] = []
    policies = quota_status_services(configuration)
    for path in configuration.blocks("service"):
        name = path[-1]
        if path in policies:
            continue
        if script_command(configuration, path):
            found += _script_listeners(configuration, path)
            continue
        listeners = [
            inner for kind in ROOT.blocks["service"].blocks for inner in configuration.blocks(kind, *path)
        ]
        if name in _SERVED:
            found += [line for inner in listeners if (line := _listener(configuration, inner))]
            continue
        if not (place := _place(configuration, path)):
            continue
        if name not in _HARMLESS and listeners:
            raise ConfigurationFault(
                f"Error in configuration file {place}",
                f"service {name} is not served, and whoever asks it would get no answer",
                mend="remove it, and what asks it",
            )
        if listeners or name not in _HARMLESS:
            found.append(f"{place}: service {name} is ignored: it is not served")
    return found


def _place(configuration: Configuration, path: Path) -> str:
    """Where something in a block is set first; empty if nothing is."""
    entries = configuration.root.entries.items()
    return next((entry.where for known, entry in entries if known[: len(path)] == path), "")


def _listener(configuration: Configuration, path: Path) -> str:
    """What is to be said of a listener of a service that is served, or whose place another role takes."""
    _, service, kind, name = path
    place = _place(configuration, path)
    if not place or path == _PENALTIES[:-1]:
        return ""
    is_opened = kind in _LISTENERS.get(service, ()) and not (service == "auth" and name in OWN_DOORS)
    is_wanted = service == "auth" or service in configuration.words("protocols")
    if kind == "inet_listener" and is_opened and is_wanted:
        _check_plain(configuration, path)
    if is_opened or (kind == "inet_listener" and not configuration.number(*path, "port")):
        return ""
    return f"{place}: {'/'.join(path)} is ignored: nothing listens there"


def _check_plain(configuration: Configuration, path: Path) -> None:
    """LMTP and authentication are served without TLS and without a proxy in front."""
    for name in ("ssl", "haproxy"):
        if configuration.yes(*path, name):
            raise ConfigurationFault(
                configuration.where(*path, name),
                f"service {path[1]}: inet_listener with {name} = yes is not served",
                mend=f"{name} = no",
            )


def _script_listeners(configuration: Configuration, path: Path) -> list[str]:
    """A script is reached by Unix sockets only."""
    for kind in ("inet_listener", "fifo_listener"):
        for inner in configuration.blocks(kind, *path):
            raise ConfigurationFault(
                f"Error in configuration file {_place(configuration, inner) or configuration.path}",
                f"service {path[-1]}: {kind} of a script is not served",
                mend="use a unix_listener",
            )
    if configuration.blocks("unix_listener", *path):
        return []
    return [f"{_place(configuration, path)}: service {path[-1]} has no unix_listener"]
