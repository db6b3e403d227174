"""The script role: runs a program of the admin's for whoever asks by a Unix socket, as Dovecot's script(1) does.

DESCRIPTION
        service quota-warning {
          executable = script /usr/local/bin/quota-warning.sh
          user = vmail
          unix_listener quota-warning {
            mode = 0666
          }
        }

    A client sends `VERSION script 4 0` (with tabs), `noreply` or `-`, arguments line by line, and an empty line.
    The program is run with these arguments behind its own, no shell between; its output goes to the log.  With `-`
    the client hears `+` when it has ended well, otherwise `-`.

    The role serves as the service's user and with no way to other rights.

LIMITS
    `MAX_REQUEST` octets and `SECONDS` to send them; `MAX_RUNNING` programs at once, each for `RUN_SECONDS`

STANDARDS
    Dovecot 2.3, script(1), its program client's protocol, version 4
"""

import asyncio
import os
import socket
from typing import Final

import msgspec

from pillarbox.config.mailbox_settings import ScriptService
from pillarbox.daemons.startup import Control, Serve, run_role
from pillarbox.net.connection import Connection
from pillarbox.net.listeners import Listener
from pillarbox.net.startup import Drain, Startup
from pillarbox.observability.events import EventSink, MailboxNotice

MAX_REQUEST: Final = 64 * 1024
SECONDS: Final = 10.0
MAX_RUNNING: Final = 100
RUN_SECONDS: Final = 300.0
MAX_OUTPUT: Final = 4096
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class BadRequest(Exception):
    """The client does not speak our protocol."""


class Request(msgspec.Struct, frozen=True):
    """What a client asks for."""

    arguments: tuple[str, ...]
    wants_reply: bool


def parse_request(data: bytes) -> Request | None:
    """The request, or None while it is not complete.  BadRequest."""
    head, end, _ = data.partition(b"\n\n")
    if not end:
        if len(data) > MAX_REQUEST:
            raise BadRequest("request too long")
        return None
    lines = head.decode("utf-8", "surrogateescape").split("\n")
    version = lines[0].split("\t")
    if version[:2] != ["VERSION", "script"] or len(version) < 4 or version[2] != "4":
        raise BadRequest("Client not compatible with this binary (connecting to wrong socket?)")
    rest = lines[1:]
    if rest and rest[0].startswith("alarm="):
        rest = rest[1:]
    if not rest or rest[0] not in ("noreply", "-"):
        raise BadRequest("neither noreply nor -")
    if any("\0" in line for line in rest):
        raise BadRequest("NUL in an argument")
    return Request(tuple(rest[1:]), wants_reply=rest[0] == "-")


class ScriptServer:
    """One service's."""

    def __init__(self, service: ScriptService, tell: EventSink) -> None:
        self._service = service
        self._tell = tell
        self._running = asyncio.Semaphore(MAX_RUNNING)

    async def serve(self, connection: Connection) -> None:
        """One client."""
        try:
            async with asyncio.timeout(SECONDS):
                request = await self._request(connection)
        except TimeoutError:
            return
        except BadRequest as fault:
            self._say("Error", str(fault))
            return
        finally:
            if connection.is_lost:
                connection.close()
        if request is not None:
            done = await self._run(request)
            if request.wants_reply and not connection.is_lost:
                connection.send(b"+\n" if done else b"-\n")

    async def _request(self, connection: Connection) -> Request | None:
        data = b""
        while True:
            part = await connection.receive()
            data += part
            request = parse_request(data)
            if request is not None or not part:
                return request

    async def _run(self, request: Request) -> bool:
        command = [*self._service.command, *request.arguments]
        async with self._running:
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                    env={"PATH": _PATH},
                    cwd="/",
                )
            except OSError as error:
                self._say("Fatal", f"execvp({command[0]}) failed: {error.strerror}")
                return False
            try:
                async with asyncio.timeout(RUN_SECONDS):
                    output, _ = await process.communicate()
            except TimeoutError:
                process.kill()
                await process.wait()
                self._say("Error", f"{command[0]} ran for more than {RUN_SECONDS:g} seconds, killed")
                return False
        for line in output[:MAX_OUTPUT].decode("utf-8", "replace").splitlines()[:20]:
            self._say("Info", line)
        if process.returncode:
            self._say("Error", f"{command[0]} terminated with exit code {process.returncode}")
        return process.returncode == 0

    def _say(self, severity: str, text: str) -> None:
        self._tell(MailboxNotice(f"script({self._service.name})<{os.getpid()}>", severity, text))


def open_role(startup: Startup) -> Serve:
    """The sockets."""
    service = msgspec.msgpack.decode(startup.settings, type=ScriptService)
    sockets = [socket.socket(fileno=descriptor) for descriptor in startup.listeners.values()]

    async def serve(control: Control, tell: EventSink) -> None:
        async with asyncio.TaskGroup() as tasks:
            server = ScriptServer(service, tell)
            listeners = []
            for sock in sockets:
                listener = Listener(server.serve, tasks=tasks, tell=tell)
                await listener.start(sock)
                listeners.append(listener)
            control.ready()
            order = await control.order()
            for listener in listeners:
                listener.stop()
            if isinstance(order, Drain):
                control.draining()
            for listener in listeners:
                if isinstance(order, Drain):
                    await listener.finished()
                else:
                    listener.cancel()

    return serve


def main(startup: Startup) -> None:
    """Entry of the role."""
    run_role(open_role, startup)
