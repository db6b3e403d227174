"""The auth role: passwords are checked here and nowhere else.

DESCRIPTION
    Its sockets speak Dovecot's authentication protocol:

    auth-client   for smtpd, ours or a real Postfix's: logins that cannot be redeemed
    auth-login    for login processes: a login that is right can be redeemed once
    auth-master   for the spawner: redeems a login, looks users up
    auth-userdb   for delivery agents and doveadm: looks users up, of the asking process's own user id
    auth-lookup   for the LMTP server: looks users up

    The role has no rights; PAM and shadow passwords are checked by the auth worker.

    A reload makes a new generation.  Logins wait here to be redeemed, so the login processes and the spawner of
    this generation keep their connections until the last client has logged in; all others are let go between
    two questions, and ask the next generation.
"""

import asyncio
import functools
import socket

from pillarbox.auth.oauth2.loading import load
from pillarbox.auth.server import AuthServer
from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.daemons.auth_client import AuthClientConnection
from pillarbox.daemons.auth_master import AuthMasterConnection
from pillarbox.daemons.startup import Control, Serve, finish_sessions, run_role
from pillarbox.net.connection import Connection
from pillarbox.net.listeners import Listener
from pillarbox.net.startup import Drain, Startup
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import EventSink


class AuthRole:
    """All clients of the process."""

    def __init__(self, server: AuthServer, tasks: asyncio.TaskGroup) -> None:
        self._server = server
        self._tasks = tasks
        self._connections: dict[AuthClientConnection | AuthMasterConnection, str] = {}

    async def serve(self, connection: Connection, door: str) -> None:
        """One client, by the kind of socket it came through."""
        served: AuthClientConnection | AuthMasterConnection
        if door in ("auth-master", "auth-userdb", "auth-lookup"):
            served = AuthMasterConnection(
                self._server,
                connection,
                self._tasks,
                may_redeem=door == "auth-master",
                is_public=door == "auth-userdb",
            )
        else:
            served = AuthClientConnection(
                self._server, connection, self._tasks, redeemable=door == "auth-login"
            )
        self._connections[served] = door
        try:
            await served.run()
        finally:
            del self._connections[served]

    def let_go(self, *, but: tuple[str, ...] = ()) -> None:
        """End the connections through all doors `but` these, each when it is between two questions."""
        for served, door in list(self._connections.items()):
            if door not in but:
                served.leave()


def open_role(startup: Startup) -> Serve:
    """The sockets; databases are opened when they are asked, with the role's own rights."""
    settings = MailboxSettings.decode(startup.settings)
    clock = SystemClock()
    oauth2 = load(settings, clock)
    sockets = {name: socket.socket(fileno=descriptor) for name, descriptor in startup.listeners.items()}

    async def serve(control: Control, tell: EventSink) -> None:
        server = AuthServer(settings, clock=clock, tell=tell, oauth2=oauth2)
        async with asyncio.TaskGroup() as tasks:
            role = AuthRole(server, tasks)
            listeners: dict[str, list[Listener]] = {}
            for name, sock in sockets.items():
                door = name.partition("/")[0]
                listener = Listener(functools.partial(role.serve, door=door), tasks=tasks, tell=tell)
                await listener.start(sock)
                listeners.setdefault(door, []).append(listener)
            everyone = [listener for some in listeners.values() for listener in some]
            control.ready()
            order = await control.order()
            for listener in everyone:
                listener.stop()
            if isinstance(order, Drain):
                control.draining()
                role.let_go(but=("auth-login", "auth-master"))
                if await finish_sessions(control, listeners["auth-login"]):
                    role.let_go()
                    await finish_sessions(control, everyone)
            for listener in everyone:
                listener.cancel()
            server.close()

    return serve


def main(startup: Startup) -> None:
    """Entry of the role."""
    run_role(open_role, startup)
