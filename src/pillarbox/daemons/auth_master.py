"""A client of the auth server that looks users up: the spawner, the LMTP server, doveadm, dovecot-lda.

DESCRIPTION
    REQUEST redeems a login that was right; USER gives a user's account, PASS what the passdb says of him, LIST
    all users.  PENALTIES, which is our own, gives the addresses that have tried wrong passwords.  The socket
    auth-userdb has no REQUEST; and as everybody may connect to it, a process that is
    neither root's nor the auth server's own user hears of accounts with its own user id only.

STANDARDS
    Dovecot's Design.AuthProtocol, master protocol 1.1
"""

import asyncio
import hmac
import os
from collections.abc import Coroutine, Mapping, Sequence

from pillarbox.auth.password_chain import NoLookups
from pillarbox.auth.server import AuthServer
from pillarbox.auth.user_database import DatabaseFault, LoginRequest
from pillarbox.daemons.auth_lines import converse
from pillarbox.net.connection import Connection
from pillarbox.observability.events import MailboxNotice
from pillarbox.vocabulary.digits import is_decimal
from pillarbox.wire.auth_protocol import encode_line, parameters


class AuthMasterConnection:
    """One connection.  `may_redeem`: it is the master socket; `is_public`: it is auth-userdb."""

    def __init__(
        self,
        server: AuthServer,
        connection: Connection,
        tasks: asyncio.TaskGroup,
        *,
        may_redeem: bool,
        is_public: bool,
    ) -> None:
        self._server = server
        self._connection = connection
        self._tasks = tasks
        self._may_redeem = may_redeem
        peer = connection.peer_uid
        self._only_uid = peer if is_public and peer not in (0, os.getuid()) else None
        self._open_questions = 0
        self._leaving = False

    async def run(self) -> None:
        """Serve it to its end."""
        greeting = encode_line(b"VERSION", b"1", b"1") + encode_line(b"SPID", b"%d" % os.getpid())
        await converse(self._connection, greeting=greeting, take=self._take)

    def leave(self) -> None:
        """End it as soon as all questions are answered: the client finds the next generation."""
        self._leaving = True
        self._leave_if_idle()

    def _leave_if_idle(self) -> None:
        if self._leaving and not self._open_questions:
            self._connection.close()

    async def _answer(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        finally:
            self._open_questions -= 1
            self._leave_if_idle()

    def _take(self, fields: list[bytes]) -> bool:
        """One line; False ends the connection."""
        word = fields[0]
        if word == b"VERSION":
            return len(fields) > 1 and fields[1] == b"1"
        if word == b"CPID":
            return True
        if len(fields) < 2 or not fields[1].isdigit() or len(fields[1]) > 18:
            return False
        number = int(fields[1])
        given = parameters(fields[3:])
        self._server.trace.master_said(fields)
        match word:
            case b"REQUEST" if self._may_redeem and len(fields) > 4:
                if not (is_decimal(fields[2]) and is_decimal(fields[3])):
                    return False
                work = self._redeem(number, int(fields[2]), int(fields[3]), fields[4])
            case b"USER" if len(fields) > 2:
                work = self._look_up_name(number, fields[2], given)
            case b"PASS" if self._only_uid is None and len(fields) > 2:
                work = self._password_fields(number, fields[2], given)
            case b"LIST" if self._only_uid is None:
                work = self._list(number)
            case b"PENALTIES" if self._only_uid is None:
                work = self._penalties(number)
            case _:
                return False
        self._open_questions += 1
        self._tasks.create_task(self._answer(work))
        return True

    async def _redeem(self, number: int, pid: int, request: int, cookie: bytes) -> None:
        login = self._server.logins.redeem(pid, request)
        if login is None or not hmac.compare_digest(cookie, self._server.cookie):
            self._send(encode_line(b"FAIL", b"%d" % number), login=True)
            return
        more = [b"auth_mech=" + login.request.mechanism.encode()]
        master = login.fields.get("master_user", "")
        if master:
            more.append(b"master_user=" + master.encode("utf-8", "surrogateescape"))
        said = master or login.request.facts.get("orig_user", "")
        if said not in ("", login.request.user):
            more.append(b"auth_user=" + said.encode("utf-8", "surrogateescape"))
        await self._look_up(number, login.request, login.fields, more)

    async def _look_up_name(self, number: int, name: bytes, given: Mapping[bytes, bytes]) -> None:
        request = self._server.user_request(name.decode("utf-8", "replace"), given)
        if request is None:
            self._send(encode_line(b"NOTFOUND", b"%d" % number), login=False)
            return
        await self._look_up(number, request, None, ())

    async def _look_up(
        self,
        number: int,
        request: LoginRequest,
        prefetched: Mapping[str, str] | None,
        more: Sequence[bytes],
    ) -> None:
        login = prefetched is not None
        try:
            account = await self._server.account(request, prefetched)
        except DatabaseFault as fault:
            self._complain(f"userdb({request.user}): {fault}")
            self._send(encode_line(b"FAIL", b"%d" % number), login=login)
            return
        if account is None:
            self._send(encode_line(b"NOTFOUND", b"%d" % number), login=login)
            return
        if self._only_uid is not None and account.uid != self._only_uid:
            self._complain(
                f"userdb({request.user}): client (uid {self._only_uid}) has no lookup permission for this user"
            )
            self._send(encode_line(b"FAIL", b"%d" % number), login=login)
            return
        fields = [b"uid=%d" % account.uid, b"gid=%d" % account.gid]
        if account.home:
            fields.append(b"home=" + account.home.encode("utf-8", "surrogateescape"))
        fields += [f"{name}={value}".encode("utf-8", "surrogateescape") for name, value in account.fields]
        line = encode_line(b"USER", b"%d" % number, account.user.encode(), *fields, *more)
        self._send(line, login=login)

    def _send(self, line: bytes, *, login: bool) -> None:
        self._server.trace.master_hears(line, login=login)
        self._connection.send(line)

    async def _password_fields(self, number: int, name: bytes, given: Mapping[bytes, bytes]) -> None:
        request = self._server.user_request(name.decode("utf-8", "replace"), given)
        try:
            known = None if request is None else await self._server.passwords.described(request)
        except NoLookups as fault:
            self._connection.send(encode_line(b"FAIL", b"%d" % number, b"reason=" + str(fault).encode()))
            return
        except DatabaseFault as fault:
            self._complain(f"passdb({name.decode('utf-8', 'replace')}): {fault}")
            self._connection.send(encode_line(b"FAIL", b"%d" % number))
            return
        if request is None or known is None:
            self._connection.send(encode_line(b"NOTFOUND", b"%d" % number))
            return
        words = (
            name if value == "yes" else f"{name}={value}" for name, value in known.items() if name != "user"
        )
        more = [word.encode("utf-8", "surrogateescape") for word in words]
        self._connection.send(encode_line(b"PASS", b"%d" % number, b"user=" + request.user.encode(), *more))

    async def _penalties(self, number: int) -> None:
        lines = [
            encode_line(b"PENALTY", b"%d" % number, address.encode(), b"%d" % count, b"%d" % seconds)
            for address, count, seconds in self._server.penalties.listing()
            if count
        ]
        self._connection.send(b"".join([*lines, encode_line(b"DONE", b"%d" % number)]))

    def _complain(self, text: str) -> None:
        self._server.tell(MailboxNotice("auth", "Error", text))

    async def _list(self, number: int) -> None:
        try:
            users = await self._server.accounts.users()
        except DatabaseFault as fault:
            self._complain(str(fault))
            self._connection.send(encode_line(b"DONE", b"%d" % number, b"fail"))
            return
        lines = [encode_line(b"LIST", b"%d" % number, user.encode()) for user in users]
        self._connection.send(b"".join([*lines, encode_line(b"DONE", b"%d" % number)]))
