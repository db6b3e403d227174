"""The auth role: passwords are checked here and nowhere else.

DESCRIPTION
    Its sockets speak Dovecot's authentication protocol:

    auth-client   for smtpd, ours or a real Postfix's: logins that cannot be redeemed
    auth-login    for login processes: a login that is right can be redeemed once
    auth-master   for the spawner: redeems a login, looks users up
    auth-userdb   for delivery agents and doveadm: looks users up, of the asking process's own user id
    auth-lookup   for the LMTP server: looks users up

    The role has no rights; PAM and shadow passwords are checked by the auth worker.
"""

import asyncio
import functools
import socket

import msgspec

from pillarbox.auth.server import AuthServer
from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.daemons.auth_client import AuthClientConnection
from pillarbox.daemons.auth_master import AuthMasterConnection
from pillarbox.daemons.startup import Control, Serve, run_role
from pillarbox.net.connection import Connection
from pillarbox.net.listeners import Listener
from pillarbox.net.startup import Startup
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import EventSink


async def serve_connection(
    connection: Connection, server: AuthServer, tasks: asyncio.TaskGroup, door: str
) -> None:
    """One client, by the kind of socket it came through."""
    if door in ("auth-master", "auth-userdb", "auth-lookup"):
        await AuthMasterConnection(
            server,
            connection,
            tasks,
            may_redeem=door == "auth-master",
            is_public=door == "auth-userdb",
        ).run()
    else:
        await AuthClientConnection(server, connection, tasks, redeemable=door == "auth-login").run()


def open_role(startup: Startup) -> Serve:
    """The sockets; databases are opened when they are asked, with the role's own rights."""
    settings = msgspec.msgpack.decode(startup.settings, type=MailboxSettings)
    sockets = {name: socket.socket(fileno=descriptor) for name, descriptor in startup.listeners.items()}

    async def serve(control: Control, tell: EventSink) -> None:
        server = AuthServer(settings, clock=SystemClock(), tell=tell)
        async with asyncio.TaskGroup() as tasks:
            listeners: list[Listener] = []
            for name, sock in sockets.items():
                handler = functools.partial(
                    serve_connection, server=server, tasks=tasks, door=name.partition("/")[0]
                )
                listener = Listener(handler, tasks=tasks, tell=tell)
                await listener.start(sock)
                listeners.append(listener)
            control.ready()
            await control.order()
            for listener in listeners:
                listener.stop()
                listener.cancel()
            server.close()

    return serve


if __name__ == "__main__":
    run_role(open_role)
