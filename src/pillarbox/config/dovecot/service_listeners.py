"""Where a configuration has its services listen: inet_listener and unix_listener blocks, and what scripts they run.

FAULTS
    ConfigurationFault  a script without an absolute path; quota-status without its protocol

STANDARDS
    Dovecot 2.3, Services
"""

import os
from collections.abc import Iterable
from typing import Final

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.config.dovecot.written_settings import Path
from pillarbox.config.mailbox_settings import InetSocket, ScriptService, UnixSocket
from pillarbox.vocabulary.faults import ConfigurationFault

QUOTA_STATUS: Final = "quota-status"
DOVEADM: Final = "doveadm"
DOVEADM_HTTP: Final = "doveadm-http"
_SERVICES: Final = {"imap-login": "imap", "pop3-login": "pop3", "lmtp": "lmtp"}
_AUTH_SOCKETS: Final = {
    "auth-client": "auth-client",
    "auth-login": "auth-login",
    "auth-master": "auth-master",
    "auth-userdb": "auth-userdb",
    "login/login": "auth-client",
}
OWN_DOORS: Final = frozenset({"auth-login", "login/login", "token-login/tokenlogin"})
"""Sockets between the roles themselves, which no configuration changes."""


def inet_sockets(
    configuration: Configuration, protocols: Iterable[str], *, tls: bool
) -> tuple[InetSocket, ...]:
    """Ports of the protocols that are served, and of services beside them; `tls`: whether there is any."""
    found: list[InetSocket] = []
    for service in ("imap-login", "pop3-login", "lmtp"):
        if _SERVICES[service] not in protocols:
            continue
        for path in configuration.default_blocks("inet_listener", "service", service):
            port = configuration.number(*path, "port")
            wants_tls = configuration.yes(*path, "ssl")
            if not port or (wants_tls and not tls):
                continue
            addresses = configuration.words(*path, "address") or configuration.words("listen")
            found.append(
                InetSocket(
                    name=path[-1],
                    service=_SERVICES[service],
                    addresses=_addresses(addresses),
                    port=port,
                    tls=wants_tls,
                    is_proxied=configuration.yes(*path, "haproxy"),
                )
            )
    found += _auth_sockets(configuration)
    found += _doveadm_ports(configuration)
    for policy in quota_status_services(configuration):
        for path in configuration.blocks("inet_listener", *policy):
            if port := configuration.number(*path, "port"):
                given = configuration.words(*path, "address") or configuration.words("listen")
                found.append(
                    InetSocket(
                        name=path[-1] or QUOTA_STATUS,
                        service=QUOTA_STATUS,
                        addresses=_addresses(given),
                        port=port,
                    )
                )
    return tuple(found)


def _auth_sockets(configuration: Configuration) -> Iterable[InetSocket]:
    """Ports at which an MTA of another host asks for passwords (smtpd_sasl_path = inet:host:port)."""
    for path in configuration.blocks("inet_listener", "service", "auth"):
        port = configuration.number(*path, "port")
        if not port:
            continue
        kind = _AUTH_SOCKETS.get(path[-1]) or _kind_by_name(path[-1])
        if kind != "auth-client":
            raise ConfigurationFault(
                configuration.where(*path, "port"),
                f"service auth: inet_listener {path[-1]} is not served: anybody could ask for any user there",
                mend="use a unix_listener, or a name that does not end in -login, -master or -userdb",
            )
        addresses = configuration.words(*path, "address") or configuration.words("listen")
        yield InetSocket(
            name=f"auth-client/inet {path[-1]}", service="auth", addresses=_addresses(addresses), port=port
        )


def _doveadm_ports(configuration: Configuration) -> Iterable[InetSocket]:
    """Ports at which other hosts have doveadm's commands done; one that is called http, by HTTP."""
    for path in configuration.blocks("inet_listener", "service", DOVEADM):
        if configuration.yes(*path, "haproxy"):
            raise ConfigurationFault(
                configuration.where(*path, "haproxy"),
                "service doveadm: inet_listener with haproxy = yes is not served",
                mend="haproxy = no",
            )
        if port := configuration.number(*path, "port"):
            given = configuration.words(*path, "address") or configuration.words("listen")
            yield InetSocket(
                name=f"{DOVEADM}/inet {path[-1]}",
                service=DOVEADM_HTTP if path[-1] == "http" else DOVEADM,
                addresses=_addresses(given),
                port=port,
                tls=configuration.yes(*path, "ssl"),
            )


def _addresses(words: tuple[str, ...]) -> tuple[str, ...]:
    everywhere = {"*": "0.0.0.0", "::": "::", "[::]": "::"}  # noqa: S104 - listen = * says so
    return tuple(everywhere.get(word, word.strip("[]")) for word in words)


def unix_sockets(configuration: Configuration, protocols: Iterable[str]) -> tuple[UnixSocket, ...]:
    """Sockets that the admin, or Dovecot by default, wants; not the half's own inner doors."""
    found: list[UnixSocket] = []
    base = configuration.value("base_dir")
    for path in configuration.default_blocks("unix_listener", "service", "auth"):
        name = path[-1]
        if name in OWN_DOORS:
            continue
        kind = _AUTH_SOCKETS.get(name) or _kind_by_name(name)
        found.append(_unix_socket(configuration, path, kind, base))
    if "lmtp" in protocols:
        found += [
            _unix_socket(configuration, path, "lmtp", base)
            for path in configuration.default_blocks("unix_listener", "service", "lmtp")
        ]
    if any(configuration.blocks(kind, "service", DOVEADM) for kind in ("inet_listener", "unix_listener")):
        found += [  # without any, nobody asks, and nothing need run
            _unix_socket(configuration, path, DOVEADM, base)
            for path in configuration.default_blocks("unix_listener", "service", DOVEADM)
        ]
    for service in quota_status_services(configuration):
        found += [
            _unix_socket(configuration, path, QUOTA_STATUS, base)
            for path in configuration.blocks("unix_listener", *service)
        ]
    return tuple(socket for socket in found if socket.mode)


def quota_status_services(configuration: Configuration) -> list[Path]:
    """Services whose executable is quota-status.  ConfigurationFault: of a protocol that it does not speak."""
    found = []
    for path in configuration.blocks("service"):
        program, *arguments = configuration.value(*path, "executable").split() or [""]
        if os.path.basename(program) != QUOTA_STATUS:
            continue
        if "".join(arguments) != "-ppostfix":
            raise ConfigurationFault(
                configuration.where(*path, "executable"),
                f"service {path[-1]}: quota-status needs its protocol, postfix",
                mend="executable = quota-status -p postfix",
            )
        found.append(path)
    return found


def script_command(configuration: Configuration, path: Path) -> tuple[str, ...]:
    """The program of a service that runs one for whoever asks; empty for all others."""
    words = tuple(configuration.value(*path, "executable").split())
    return words[1:] if words and os.path.basename(words[0]) == "script" else ()


def scripts(configuration: Configuration) -> tuple[ScriptService, ...]:
    """Services that run a program."""
    found = []
    for path in configuration.blocks("service"):
        command = script_command(configuration, path)
        if not command:
            continue
        if not command[0].startswith("/"):
            raise ConfigurationFault(
                configuration.where(*path, "executable"),
                f"service {path[-1]}: {command[0]} is not the absolute path of a program",
                mend="executable = script /usr/local/bin/program",
            )
        base = configuration.value("base_dir")
        sockets = tuple(
            _unix_socket(configuration, inner, "script", base)
            for inner in configuration.blocks("unix_listener", *path)
        )
        found.append(
            ScriptService(
                name=path[-1],
                command=command,
                user=configuration.value(*path, "user"),
                sockets=tuple(socket for socket in sockets if socket.mode),
            )
        )
    return tuple(found)


def _kind_by_name(name: str) -> str:
    """Dovecot's rule: the end of the file's name says what the socket serves."""
    last = os.path.basename(name)
    for ending, kind in (("-userdb", "auth-userdb"), ("-master", "auth-master"), ("-login", "auth-login")):
        if last.endswith(ending):
            return kind
    return "auth-client"


def _unix_socket(configuration: Configuration, path: Path, service: str, base: str) -> UnixSocket:
    name = path[-1]
    return UnixSocket(
        service=service,
        path=name if name.startswith("/") else f"{base}/{name}",
        mode=configuration.number(*path, "mode"),
        user=configuration.value(*path, "user"),
        group=configuration.value(*path, "group"),
    )
