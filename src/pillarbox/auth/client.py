"""A client of an authentication server over Dovecot's protocol: for smtpd and the login processes.

DESCRIPTION
    One connection serves all sessions of a process; it is opened when first needed and again after it was lost.
    `authenticate()` runs one exchange.  The server may be ours or a real Dovecot.

FAULTS
    A server that is gone, or does not answer: `Refused` with `temporary`.
"""

import asyncio
import base64
import itertools
import os
from collections.abc import Mapping

from pillarbox.auth.logins import Accepted, Exchange, Refused
from pillarbox.config.dovecot.variables import field_values, named_values
from pillarbox.net.connection import Connection
from pillarbox.vocabulary.digits import is_decimal
from pillarbox.wire.auth_protocol import LineReader, LineTooLong, encode_line, parameters, split_line
from pillarbox.wire.sasl.apop import timestamp_begin

_UNAVAILABLE = Refused(reason="Connection lost to authentication server", temporary=True)
_ANSWER_SECONDS = 60.0


def _facts(user: str, found: Mapping[bytes, bytes]) -> dict[str, str]:
    """What a log line may tell of a login that was right, by the names of variables."""
    told = {
        name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in found.items()
    }
    said = told.pop("original_user", user)
    acting = told.pop("auth_user", said)
    return named_values("orig", said) | named_values("auth", acting) | field_values("passdb", told)


class AuthClient:
    """One process's connection to an authentication server."""

    def __init__(self, path: str, *, tasks: asyncio.TaskGroup) -> None:
        self._path = path
        self._tasks = tasks
        self._ids = itertools.count(1)
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()
        self._answers: dict[int, asyncio.Queue[list[bytes] | None]] = {}
        self._greeted = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None
        self.mechanisms: dict[bytes, tuple[bytes, ...]] = {}
        self._cookie = b""
        self._has_apop = False
        self._server = self._number = 0

    async def connect(self) -> bool:
        """Open the connection if it is not open; whether the server answers."""
        async with self._opening:
            if self._connection is not None and not self._connection.is_lost:
                return True
            try:
                _, connection = await asyncio.get_running_loop().create_unix_connection(
                    Connection, self._path
                )
            except OSError:
                return False
            self._connection = connection
            self._greeted.clear()
            self.mechanisms = {}
            self._has_apop = False
            connection.send(encode_line(b"VERSION", b"1", b"1") + encode_line(b"CPID", b"%d" % os.getpid()))
            self._listener = self._tasks.create_task(self._listen(connection))
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await self._greeted.wait()
            except TimeoutError:
                connection.abort()
                return False
            return not connection.is_lost

    def timestamp(self, now: float, host: str) -> bytes:
        """For the greeting of a POP3 client (RFC 1939 §7); empty if the server takes no APOP."""
        if not self._has_apop:
            return b""
        begin = timestamp_begin(self._server, self._number)
        return b"%b%x.%b@%b>" % (begin, int(now), base64.b64encode(os.urandom(16)), host.encode())

    def close(self) -> None:
        """Close the connection."""
        if self._listener is not None:
            self._listener.cancel()
        if self._connection is not None:
            self._connection.close()

    async def authenticate(
        self,
        mechanism: bytes,
        initial_response: bytes | None,
        exchange: Exchange,
        *,
        fields: tuple[bytes, ...],
    ) -> Accepted | Refused:
        """One login.  `fields` are AUTH's parameters: `service=imap`, `rip=…`, `secured` and so on.

        A server that goes away before its first answer (it was reloaded, or started again) is asked once more.
        """
        result = await self._try(mechanism, initial_response, exchange, fields)
        if result is None:
            result = await self._try(mechanism, initial_response, exchange, fields)
        return result or _UNAVAILABLE

    async def _try(
        self, mechanism: bytes, initial_response: bytes | None, exchange: Exchange, fields: tuple[bytes, ...]
    ) -> Accepted | Refused | None:
        """None: the connection was lost, and the client has been asked nothing yet."""
        if not await self.connect() or self._connection is None:
            return _UNAVAILABLE
        connection, number, is_asked = self._connection, next(self._ids), False
        answers = self._answers[number] = asyncio.Queue()
        response = () if initial_response is None else (b"resp=" + base64.b64encode(initial_response),)
        try:
            connection.send(encode_line(b"AUTH", b"%d" % number, mechanism, *fields, *response))
            while True:
                answer = await answers.get()
                if answer is None:
                    return _UNAVAILABLE if is_asked else None
                if answer[0] != b"CONT":
                    return self._result(number, answer)
                challenge = base64.b64decode(answer[2]) if len(answer) > 2 else b""
                is_asked = True
                try:
                    reply = await exchange(challenge)
                except BaseException:
                    connection.send(encode_line(b"CANCEL", b"%d" % number))
                    raise
                connection.send(encode_line(b"CONT", b"%d" % number, base64.b64encode(reply)))
        finally:
            del self._answers[number]

    def _result(self, number: int, answer: list[bytes]) -> Accepted | Refused:
        found = parameters(answer[2:])
        user = found.get(b"user", b"").decode("utf-8", "replace")
        if answer[0] == b"OK":
            return Accepted(user, number, os.getpid(), self._cookie, _facts(user, found))
        temporary = b"temp" in found or found.get(b"code") == b"temp_fail"
        expired = found.get(b"code") == b"pass_expired"
        reason = found.get(b"reason", b"").decode("utf-8", "replace")
        return Refused(user, reason, temporary, expired, found.get(b"code") == b"user_disabled")

    async def _listen(self, connection: Connection) -> None:
        reader = LineReader()
        try:
            while data := await connection.receive():
                for line in reader.feed(data):
                    self._take(split_line(line))
        except LineTooLong:
            pass
        finally:
            connection.abort()
            self._greeted.set()
            for answers in self._answers.values():
                answers.put_nowait(None)

    def _take(self, fields: list[bytes]) -> None:
        word = fields[0]
        if word == b"MECH" and len(fields) > 1 and b"private" not in fields[2:]:
            self.mechanisms[fields[1]] = tuple(fields[2:])
        elif word == b"MECH" and fields[1:2] == [b"APOP"]:
            self._has_apop = True
        elif word in (b"SPID", b"CUID") and len(fields) > 1 and is_decimal(fields[1]):
            if word == b"SPID":
                self._server = int(fields[1])
            else:
                self._number = int(fields[1])
        elif word == b"COOKIE" and len(fields) > 1:
            self._cookie = fields[1]
        elif word == b"DONE":
            self._greeted.set()
        elif word in (b"OK", b"FAIL", b"CONT") and len(fields) > 1 and fields[1].isdigit():
            answers = self._answers.get(int(fields[1]))
            if answers is not None:
                answers.put_nowait(fields)
