"""The mailbox half: POP3, IMAP and LMTP ports, authentication, and the workers behind them.

DESCRIPTION
    Listeners come from dovecot.conf: inet_listener and unix_listener blocks of the services imap-login,
    pop3-login, lmtp, auth and doveadm.  Besides them the half has doors of its own in base_dir, for its roles only.

FAULTS
    ConfigurationFault  a user or group that does not exist; a certificate that cannot be read
"""

import grp
import os
import pwd
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from pillarbox.config.mailbox_settings import MailboxSettings, ScriptService, UnixSocket
from pillarbox.net.startup import User
from pillarbox.supervisor.half import Half, OnReload, Role
from pillarbox.supervisor.listeners import InetListener, UnixListener
from pillarbox.supervisor.system_users import Owners
from pillarbox.vocabulary.digits import is_decimal_text
from pillarbox.vocabulary.faults import ConfigurationFault

MODULES: Final = (
    "pillarbox.daemons.auth_worker",
    "pillarbox.daemons.auth",
    "pillarbox.daemons.spawner",
    "pillarbox.daemons.login",
    "pillarbox.daemons.lmtp",
    "pillarbox.daemons.quota_status",
    "pillarbox.daemons.script",
)
"""Of the roles that there may be, without that of the doveadm service, which needs what nobody else does."""
DOVEADM_MODULE: Final = "pillarbox.tools.doveadm_server.role"


def mailbox_half(
    settings: MailboxSettings,
    *,
    owners: Owners | None,
    listen: str,
    port_offset: int,
    status_socket: str,
) -> Half:
    """What the mailbox supervisor runs.  `owners` is None rootless; `listen` replaces all addresses if given."""
    if listen:
        sockets = tuple(
            msgspec.structs.replace(socket, addresses=(listen,)) for socket in settings.inet_sockets
        )
        settings = msgspec.structs.replace(settings, inet_sockets=sockets)
    _check_certificates(settings)
    inet = settings.listener_names()
    configured = [
        UnixListener(f"{socket.service}/{number}", socket.path, socket.mode, _owner(socket, owners))
        for number, socket in enumerate(settings.unix_sockets)
    ]
    scripts = [
        UnixListener(name, socket.path, socket.mode, _owner(socket, owners))
        for service in settings.scripts
        for name, socket in _script_sockets(service)
    ]
    return Half(
        name="mailbox",
        process_name="dovecot",
        pid_file=f"{settings.base_dir}/master.pid",
        pid_form=b"%d\n",
        keeps_pid_file=False,
        status_socket=status_socket,
        listeners=(
            *(
                InetListener(name, address, socket.port + port_offset)
                for name, (socket, address) in inet.items()
            ),
            *_own_doors(settings.base_dir, owners),
            *configured,
            *scripts,
        ),
        roles=(*_roles(settings, owners, [one.name for one in configured]), *_script_roles(settings, owners)),
        facts={"protocols": ", ".join(settings.protocols) or "no protocols"},
    )


def _check_certificates(settings: MailboxSettings) -> None:
    """Whether they can be read, before anything is stopped or started for them."""
    pairs = settings.connection_rules().certificates()
    for name, path in [pair for files in pairs for pair in zip(("ssl_cert", "ssl_key"), files, strict=True)]:
        if path and not os.access(path, os.R_OK):
            why = "Permission denied" if os.path.exists(path) else "No such file or directory"
            raise ConfigurationFault("Error in configuration file", f"{name}: Can't open file {path}: {why}")


def _own_doors(base: str, owners: Owners | None) -> Iterator[UnixListener]:
    """Between the half's roles."""
    dovenull, dovecot = (_pair(owners.dovenull), _pair(owners.dovecot)) if owners else (None, None)
    yield UnixListener("auth-login", f"{base}/auth-login", 0o600, dovenull)
    yield UnixListener("auth-lookup", f"{base}/auth-lookup", 0o600, dovenull)
    yield UnixListener("auth-worker", f"{base}/auth-worker", 0o600, dovecot)
    yield UnixListener("sessions", f"{base}/pillarbox-sessions", 0o600)
    yield UnixListener("spawner", f"{base}/spawner", 0o600, dovenull)


def _roles(settings: MailboxSettings, owners: Owners | None, configured: Sequence[str]) -> Iterator[Role]:
    """In the order in which they start.  `configured` are the names of the unix_listener blocks' sockets."""
    encoded = msgspec.msgpack.encode(settings)
    dovenull, dovecot = (owners.dovenull, owners.dovecot) if owners else (None, None)

    def role(
        name: str,
        listeners: Iterable[str],
        user: User | None = None,
        *,
        on_reload: OnReload = "overlap",
        processes: int = 1,
    ) -> Role:
        return Role(
            name=name,
            program="dovecot",
            module=f"pillarbox.daemons.{name.replace('-', '_')}",
            on_reload=on_reload,
            listeners=tuple(listeners),
            settings=encoded,
            processes=processes,
            user=user,
        )

    def sockets(*services: str) -> list[str]:
        """Ports and Unix sockets of services."""
        inet = settings.listener_names()
        return [
            *(name for name, (socket, _) in inet.items() if socket.service in services),
            *(name for name in configured if name.partition("/")[0] in services),
        ]

    if any(one.driver in ("pam", "shadow") for one in settings.passdbs):
        yield role("auth-worker", ["auth-worker"], on_reload="keep")
    auth_doors = [name for name in configured if name.startswith("auth-")]
    yield role("auth", ["auth-login", "auth-lookup", *auth_doors, *sockets("auth")], dovecot)
    yield role("spawner", ["spawner", "sessions"])
    if logins := sockets("imap", "pop3"):
        yield role("login", logins, dovenull, processes=settings.login_processes or os.cpu_count() or 1)
    for name in ("lmtp", "quota-status"):
        if served := sockets(name):
            yield role(name, served, dovenull)
    if served := sockets("doveadm", "doveadm-http"):
        yield msgspec.structs.replace(role("doveadm", served), module=DOVEADM_MODULE)


def _script_roles(settings: MailboxSettings, owners: Owners | None) -> Iterator[Role]:
    """Services whose program is script(8)."""
    for service in settings.scripts:
        yield Role(
            name=service.name,
            program="dovecot",
            module="pillarbox.daemons.script",
            on_reload="overlap",
            listeners=tuple(name for name, _ in _script_sockets(service)),
            settings=msgspec.msgpack.encode(service),
            user=_script_user(service) if owners is not None else None,
        )


def _script_sockets(service: ScriptService) -> list[tuple[str, UnixSocket]]:
    """Name of each listening socket, and what it is."""
    return [(f"script-{service.name}/{number}", socket) for number, socket in enumerate(service.sockets)]


def _script_user(service: ScriptService) -> User:
    """Whose rights the program has; root's if nobody is named, as with Dovecot."""
    try:
        entry = pwd.getpwnam(service.user or "root")
    except KeyError:
        raise ConfigurationFault(
            f"service {service.name}", f"user {service.user} doesn't exist", mend="make it, or name another"
        ) from None
    return User(entry.pw_uid, entry.pw_gid)


def _pair(user: User | None) -> tuple[int, int] | None:
    return (user.uid, user.gid) if user is not None else None


def _owner(socket: UnixSocket, owners: Owners | None) -> tuple[int, int] | None:
    """uid and gid of a socket; rootless it stays ours."""
    if owners is None:
        return None
    return _uid(socket), _gid(socket)


def _uid(socket: UnixSocket) -> int:
    if not socket.user or socket.user == "root":
        return 0
    try:
        return (
            int(socket.user)
            if is_decimal_text(socket.user, max_digits=10)
            else pwd.getpwnam(socket.user).pw_uid
        )
    except KeyError:
        raise ConfigurationFault(
            f"unix_listener {socket.path}",
            f"user {socket.user} doesn't exist",
            mend="make it, or name another",
        ) from None


def _gid(socket: UnixSocket) -> int:
    if not socket.group:
        return os.getgid()
    try:
        return (
            int(socket.group)
            if is_decimal_text(socket.group, max_digits=10)
            else grp.getgrnam(socket.group).gr_gid
        )
    except KeyError:
        raise ConfigurationFault(
            f"unix_listener {socket.path}",
            f"group {socket.group} doesn't exist",
            mend="make it, or name another",
        ) from None
