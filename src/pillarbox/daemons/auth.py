"""The auth role: passwords are checked here and nowhere else.

DESCRIPTION
    Three kinds of sockets speak Dovecot's authentication protocol:

    auth-client   for smtpd, ours or a real Postfix's: logins that cannot be redeemed
    auth-login    for login processes: a login that is right can be redeemed once
    auth-master   for the spawner: REQUEST redeems a login, USER and LIST look users up

    A refusal is held back for auth_failure_delay seconds.  Passwords are hashed in worker threads.

FAULTS
    A database that cannot answer: FAIL with `temp`, and a warning in the log.
"""

import asyncio
import base64
import binascii
import functools
import hmac
import itertools
import os
import secrets
import socket
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto
from typing import Final

import msgspec

from pillarbox.auth.passwd_file import PasswdFile
from pillarbox.auth.user_database import DatabaseFault, UserAccount, UserDatabase
from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.daemons.startup import Control, Serve, run_role
from pillarbox.net.connection import Connection
from pillarbox.net.listeners import Listener
from pillarbox.net.startup import Startup
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import EventSink, PasswordRefused, Warned
from pillarbox.wire import sasl
from pillarbox.wire.auth_protocol import LineReader, LineTooLong, encode_line, parameters, split_line

_REDEEM_SECONDS: Final = 60.0
_MOST_OPEN: Final = 10000


class Door(Enum):
    """Which socket a client came through."""

    CLIENT = auto()
    LOGIN = auto()
    MASTER = auto()


class Redeemable(msgspec.Struct, frozen=True):
    """A login that may be redeemed until `until`."""

    user: str
    mechanism: bytes
    until: float


class Logins:
    """Logins that wait to be redeemed: by client pid and request id, each once."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._waiting: OrderedDict[tuple[int, int], Redeemable] = OrderedDict()

    def add(self, pid: int, number: int, user: str, mechanism: bytes) -> None:
        """A login was right."""
        self._waiting[pid, number] = Redeemable(user, mechanism, self._clock.monotonic() + _REDEEM_SECONDS)
        if len(self._waiting) > _MOST_OPEN:
            self._waiting.popitem(last=False)

    def redeem(self, pid: int, number: int) -> Redeemable | None:
        """The login, if it is there and not too old."""
        found = self._waiting.pop((pid, number), None)
        return found if found is not None and found.until > self._clock.monotonic() else None


class AuthServer:
    """Answers for all clients."""

    def __init__(self, database: UserDatabase, *, settings: MailboxSettings, tell: EventSink) -> None:
        self.database = database
        self.settings = settings
        self.tell = tell
        self.cookie = secrets.token_hex(16).encode()
        self.logins = Logins(SystemClock())
        self._clients = itertools.count(1)
        self.threads = ThreadPoolExecutor(max(2, os.cpu_count() or 1), thread_name_prefix="auth")

    async def serve(self, connection: Connection, door: Door, tasks: asyncio.TaskGroup) -> None:
        """One client to its end."""
        client = _Client(self, connection, door, tasks)
        await client.run()

    def next_client(self) -> int:
        """CUID: a number for each connection."""
        return next(self._clients)

    def mechanisms(self) -> list[bytes]:
        """Those that are configured and known."""
        wanted = {name.upper().encode() for name in self.settings.auth_mechanisms}
        return [name for name in sasl.MECHANISMS if name in wanted]

    async def account(self, user: str) -> UserAccount | None:
        """The userdb's answer.  DatabaseFault."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, self.database.account, user)


class _Client:
    """One connection."""

    def __init__(
        self, server: AuthServer, connection: Connection, door: Door, tasks: asyncio.TaskGroup
    ) -> None:
        self._server = server
        self._connection = connection
        self._door = door
        self._tasks = tasks
        self._pid = 0
        self._exchanges: dict[int, tuple[sasl.Mechanism, bytes, dict[bytes, bytes]]] = {}

    async def run(self) -> None:
        self._connection.send(self._greeting())
        reader = LineReader()
        try:
            while data := await self._connection.receive():
                for line in reader.feed(data):
                    if not self._take(split_line(line)):
                        return
        except LineTooLong:
            return
        finally:
            self._connection.close()

    def _greeting(self) -> bytes:
        pid = b"%d" % os.getpid()
        if self._door is Door.MASTER:
            return encode_line(b"VERSION", b"1", b"1") + encode_line(b"SPID", pid)
        server = self._server
        lines = [encode_line(b"VERSION", b"1", b"2")]
        lines += [encode_line(b"MECH", name, b"plaintext") for name in server.mechanisms()]
        lines += [
            encode_line(b"SPID", pid),
            encode_line(b"CUID", b"%d" % id(self)),
            encode_line(b"COOKIE", server.cookie),
        ]
        return b"".join([*lines, encode_line(b"DONE")])

    def _take(self, fields: list[bytes]) -> bool:
        """One line; False ends the connection."""
        word = fields[0]
        if word == b"VERSION":
            return len(fields) > 1 and fields[1] == b"1"
        if len(fields) < 2 or not fields[1].isdigit() or len(fields[1]) > 18:
            return False
        number = int(fields[1])
        if self._door is Door.MASTER:
            return self._take_master(word, number, fields)
        if word == b"CPID":
            self._pid = number
        elif word == b"AUTH" and len(fields) > 2:
            return self._begin(number, fields)
        elif word == b"CONT" and number in self._exchanges:
            self._step(number, fields[2] if len(fields) > 2 else b"")
        elif word == b"CANCEL":
            self._exchanges.pop(number, None)
        else:
            return False
        return True

    # -- logins ----------------------------------------------------------------------------------------

    def _begin(self, number: int, fields: list[bytes]) -> bool:
        name = fields[2].upper()
        if name not in self._server.mechanisms() or number in self._exchanges:
            return False  # the client was told which there are
        given = parameters(fields[3:])
        self._exchanges[number] = (sasl.start(name), name, given)
        self._step(number, given.get(b"resp"))
        return True

    def _step(self, number: int, encoded: bytes | None) -> None:
        mechanism, name, given = self._exchanges[number]
        try:
            response = None if encoded is None else base64.b64decode(encoded, validate=True)
            step = mechanism.step(response)
        except (binascii.Error, sasl.MalformedResponse):
            self._exchanges.pop(number)
            self._fail(number, "", b"reason=Invalid base64 data or malformed response")
            return
        if isinstance(step, sasl.Challenge):
            self._connection.send(encode_line(b"CONT", b"%d" % number, base64.b64encode(step.data)))
            return
        self._exchanges.pop(number)
        self._tasks.create_task(self._check(number, step, name, given))

    async def _check(
        self, number: int, credentials: sasl.Credentials, mechanism: bytes, given: dict[bytes, bytes]
    ) -> None:
        user = credentials.user.decode("utf-8", "replace").lower()
        server = self._server
        loop = asyncio.get_running_loop()
        try:
            refusal = await loop.run_in_executor(
                server.threads, server.database.check, user, credentials.password
            )
        except DatabaseFault as fault:
            server.tell(Warned(f"auth: {server.database.driver}({user}): {fault}"))
            self._connection.send(encode_line(b"FAIL", b"%d" % number, b"user=" + user.encode(), b"temp"))
            return
        if credentials.authorization and credentials.authorization.lower() != credentials.user.lower():
            refusal = refusal or "not authorized to act as another user"
        if refusal is None:
            self._succeed(number, user, mechanism, nologin=b"nologin" in given)
            return
        remote = given.get(b"rip", b"").decode("ascii", "replace")
        session = given.get(b"session", b"").decode("ascii", "replace")
        server.tell(PasswordRefused(server.database.driver, user, remote, session, refusal))
        await asyncio.sleep(server.settings.auth_failure_delay)
        self._fail(number, user)

    def _succeed(self, number: int, user: str, mechanism: bytes, *, nologin: bool) -> None:
        if self._door is Door.LOGIN and not nologin:
            self._server.logins.add(self._pid, number, user, mechanism)
        self._connection.send(encode_line(b"OK", b"%d" % number, b"user=" + user.encode()))

    def _fail(self, number: int, user: str, *more: bytes) -> None:
        fields = (b"user=" + user.encode(),) if user else ()
        self._connection.send(encode_line(b"FAIL", b"%d" % number, *fields, *more))

    # -- the master socket -----------------------------------------------------------------------------

    def _take_master(self, word: bytes, number: int, fields: list[bytes]) -> bool:
        if word == b"REQUEST" and len(fields) > 4 and fields[2].isdigit() and fields[3].isdigit():
            self._tasks.create_task(self._redeem(number, int(fields[2]), int(fields[3]), fields[4]))
        elif word == b"USER" and len(fields) > 2:
            self._tasks.create_task(self._look_up(number, fields[2].decode("utf-8", "replace").lower(), ()))
        elif word == b"LIST":
            self._tasks.create_task(self._list(number))
        else:
            return word in (b"CPID",)
        return True

    async def _redeem(self, number: int, pid: int, request: int, cookie: bytes) -> None:
        login = self._server.logins.redeem(pid, request)
        if login is None or not hmac.compare_digest(cookie, self._server.cookie):
            self._connection.send(encode_line(b"FAIL", b"%d" % number))
            return
        await self._look_up(number, login.user, (b"auth_mech=" + login.mechanism,))

    async def _look_up(self, number: int, user: str, more: tuple[bytes, ...]) -> None:
        try:
            account = await self._server.account(user)
        except DatabaseFault as fault:
            self._server.tell(Warned(f"auth: userdb({user}): {fault}"))
            self._connection.send(encode_line(b"FAIL", b"%d" % number))
            return
        if account is None:
            self._connection.send(encode_line(b"NOTFOUND", b"%d" % number))
            return
        home = (
            account.home
            if account.home.startswith("/")
            else f"{self._server.settings.mail_home}/{account.home}"
        )
        self._connection.send(
            encode_line(
                b"USER",
                b"%d" % number,
                account.user.encode(),
                b"uid=%d" % account.uid,
                b"gid=%d" % account.gid,
                b"home=" + home.encode("utf-8", "surrogateescape"),
                *more,
            )
        )

    async def _list(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            users = await loop.run_in_executor(self._server.threads, self._server.database.users)
        except DatabaseFault as fault:
            self._server.tell(Warned(f"auth: {fault}"))
            users = []
        for user in users:
            self._connection.send(encode_line(b"LIST", b"%d" % number, user.encode()))
        self._connection.send(encode_line(b"DONE", b"%d" % number, b""))


_DOORS: Final = {
    "auth-client": Door.CLIENT,
    "auth-mta": Door.CLIENT,
    "auth-login": Door.LOGIN,
    "auth-master": Door.MASTER,
}


def open_role(startup: Startup) -> Serve:
    """The user database and the sockets."""
    settings = msgspec.msgpack.decode(startup.settings, type=MailboxSettings)
    database = PasswdFile(
        settings.passwd_file,
        default_uid=settings.mail_uid,
        default_gid=settings.mail_gid,
    )
    sockets = {name: socket.socket(fileno=descriptor) for name, descriptor in startup.listeners.items()}

    async def serve(control: Control, tell: EventSink) -> None:
        server = AuthServer(database, settings=settings, tell=tell)
        async with asyncio.TaskGroup() as tasks:
            listeners: list[Listener] = []
            for name, sock in sockets.items():
                handler = functools.partial(server.serve, door=_DOORS[name], tasks=tasks)
                listener = Listener(handler, tasks=tasks, tell=tell)
                await listener.start(sock)
                listeners.append(listener)
            control.ready()
            await control.order()
            for listener in listeners:
                listener.stop()
                listener.cancel()

    return serve


if __name__ == "__main__":
    run_role(open_role)
