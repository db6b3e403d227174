"""The mailbox half: POP3 and IMAP ports, authentication, and the workers behind them."""

import msgspec

from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.net.startup import User
from pillarbox.supervisor.half import Half, Role
from pillarbox.supervisor.listeners import InetListener, UnixListener
from pillarbox.supervisor.system_users import Owners

_PORTS = {"imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}


def mailbox_half(
    settings: MailboxSettings,
    *,
    owners: Owners | None,
    listen: str,
    port_offset: int,
    status_socket: str,
) -> Half:
    """What the mailbox supervisor runs.  `owners` is None rootless."""
    base = settings.base_dir
    inet = tuple(
        InetListener(name, listen, port + port_offset)
        for name, port in _PORTS.items()
        if settings.ssl_cert or not name.endswith("s")
    )
    unix = [
        UnixListener("auth-login", f"{base}/auth-login", 0o600, _pair(owners.dovenull if owners else None)),
        UnixListener("auth-master", f"{base}/auth-master", 0o600),
        UnixListener("auth-client", f"{base}/auth-client", 0o600, _pair(owners.dovecot if owners else None)),
        UnixListener("spawner", f"{base}/spawner", 0o600, _pair(owners.dovenull if owners else None)),
    ]
    doors = ["auth-login", "auth-master", "auth-client"]
    if settings.sasl_socket:
        mta = _pair(owners.mail_owner if owners else None)
        unix.append(UnixListener("auth-mta", settings.sasl_socket, 0o600, mta))
        doors.append("auth-mta")
    encoded = msgspec.msgpack.encode(settings)
    return Half(
        name="mailbox",
        pid_file=f"{base}/master.pid",
        status_socket=status_socket,
        listeners=(*inet, *unix),
        roles=(
            Role(
                name="auth",
                module="pillarbox.daemons.auth",
                listeners=tuple(doors),
                settings=encoded,
                user=owners.dovecot if owners else None,
            ),
            Role(
                name="spawner", module="pillarbox.daemons.spawner", listeners=("spawner",), settings=encoded
            ),
            Role(
                name="login",
                module="pillarbox.daemons.login",
                on_reload="overlap",
                listeners=tuple(listener.name for listener in inet),
                settings=encoded,
                user=owners.dovenull if owners else None,
            ),
        ),
    )


def _pair(user: User | None) -> tuple[int, int] | None:
    return (user.uid, user.gid) if user is not None else None
