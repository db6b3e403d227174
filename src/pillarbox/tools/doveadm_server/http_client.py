"""A client of the doveadm service that speaks HTTP: commands and their results in JSON.

DESCRIPTION
        POST /doveadm/v1            [["mailboxList", {"user": "alice"}, "tag"], …]
        200 OK                      [["doveadmResponse",[{"mailbox":"INBOX"}],"tag"],
                                     ["error",{"type":"exitCode", "exitCode":67},"tag2"]]
        GET /doveadm/v1             what commands there are

    It says doveadm_username and doveadm_password (Basic), or doveadm_api_key (X-Dovecot-API).  One request on each
    connection.

FAULTS
    A request that is none is told by its status, and in the log

STANDARDS
    Dovecot 2.3 Administration, Doveadm HTTP API; RFC 7617
"""

import email.utils
import hmac
import json
import socket
import tempfile
from collections.abc import Mapping
from typing import Final

import msgspec

from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import MailboxNotice
from pillarbox.tools.doveadm_server.commands import METHODS, BadParameters, arguments_of, description
from pillarbox.tools.doveadm_server.execution import Command, Execution
from pillarbox.tools.doveadm_server.line_client import Door
from pillarbox.wire.http_requests import (
    BadRequest,
    Head,
    RequestReader,
    basic_credentials,
    key_of,
    reply_head,
)

_AT_ONCE: Final = 1 << 16
_PATH: Final = "/doveadm/v1"
_JSON: Final = "application/json; charset=utf-8"
_TEXT: Final = "text/plain; charset=utf-8"
_EX_USAGE: Final = 64


class _Reply(msgspec.Struct, frozen=True):
    status: str
    content: bytes = b""
    kind: str = ""
    challenges: tuple[str, ...] = ()

    @property
    def fields(self) -> str:
        """Header fields of its own."""
        lines = [f"WWW-Authenticate: {one}\r\n" for one in self.challenges]
        return "".join([*lines, *([f"Content-Type: {self.kind}\r\n"] if self.kind else [])])


def _text(status: str, text: str = "") -> _Reply:
    return _Reply(status, f"{text or status.partition(' ')[2]}\r\n".encode(), _TEXT)


class HttpClient:
    """One."""

    def __init__(self, client: socket.socket, address: str, door: Door) -> None:
        self._client = client
        self._address = address
        self._door = door
        self._is_looked_at = False
        self._refused: _Reply | None = None

    def serve(self) -> None:
        """One request."""
        reader = RequestReader()
        try:
            if self._receive(reader):
                self._answer(reader.head, self._reply(reader))
        except BadRequest as fault:
            self._door.error(f"doveadm: {fault}")
            self._answer(reader.head, _text("400 Bad Request"))
        except OSError:
            return  # the client is gone
        finally:
            self._client.close()

    def _receive(self, reader: RequestReader) -> bool:
        """Whether there is a request.  Who may not ask is not listened to any further.  BadRequest."""
        has_gone_on = False
        while not reader.is_complete:
            octets = self._client.recv(_AT_ONCE)
            if not octets:
                return False
            reader.feed(octets)
            if reader.head is not None and not self._is_looked_at:
                self._is_looked_at = True
                self._refused = self._refusal(reader.head)
            if self._refused is not None:
                return True
            if reader.wants_to_go_on and not has_gone_on:
                has_gone_on = True
                self._client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _refusal(self, head: Head) -> _Reply | None:
        """Why nothing is done, if nothing is."""
        if head.path == "/" and head.method in ("OPTIONS", "GET"):
            return self._unknown(head)
        if head.path != _PATH or head.method not in ("OPTIONS", "GET", "POST"):
            return _text("404 Path Not Found")
        return self._unknown(head)

    def _unknown(self, head: Head) -> _Reply | None:
        """Why a client is not let in, if it is not."""
        value = self._door.configuration.value
        password, key = value("doveadm_password"), value("doveadm_api_key")
        if not password and not key:
            self._door.error(
                "Neither doveadm_password nor doveadm_api_key is set: nobody can use the HTTP API"
            )
            return _text("500 Internal Server Error")
        scheme, _, given = head.fields.get("authorization", "").partition(" ")
        if scheme.lower() == "basic" and password:
            credentials = basic_credentials(given)
            expected = (value("doveadm_username"), password)
            if credentials is not None and _is_same(":".join(credentials), ":".join(expected)):
                return None
        elif scheme.lower() == "x-dovecot-api" and key and _is_same(key_of(given), key):
            return None
        if scheme:
            self._door.error(
                f"Invalid authentication attempt to HTTP API (using {scheme[:20]} authentication scheme)"
            )
        offered = (*(("X-Dovecot-API",) if key else ()), *(('Basic Realm="doveadm"',) if password else ()))
        return _Reply("401 Authentication required", challenges=offered)

    def _reply(self, reader: RequestReader) -> _Reply:
        head = reader.head
        assert head is not None
        if self._refused is not None:
            return self._refused
        if head.method == "OPTIONS":
            return _Reply("200 OK")
        if head.method == "GET":
            return _Reply("200 OK", description().encode(), _JSON)
        try:
            commands = json.loads(reader.body.decode("utf-8", "replace"), strict=False)
        except (ValueError, RecursionError) as error:
            return _text("400 Bad Request", f"JSON parse error: {error}")
        if not isinstance(commands, list):
            return _text("400 Bad Request", "Request must be a JSON array")
        for command in commands:
            if (wrong := _wrong(command)) is not None:
                return _text("400 Bad Request", wrong)
        results = [
            b"[%b,%b]" % (self._result(method, values), _json(tag)) for method, values, tag in commands
        ]
        return _Reply("200 OK", b"[" + b",".join(results) + b"]", _JSON)

    def _result(self, method: str, values: Mapping[str, object]) -> bytes:
        """Its kind, and the result or the fault."""
        command = METHODS.get(method)
        if command is None or command.name == "dsync-server":
            return _fault("unknownMethod")
        if not self._door.allows(command.name):
            return _fault("unAuthorized")
        try:
            arguments, content = arguments_of(command, values)
        except BadParameters as fault:
            self._door.error(f"{command.name}: {fault}")
            return _fault("invalidRequest") if fault.is_unknown else _fault("exitCode", _EX_USAGE)
        user = values.get("user") if command.is_of_mail else ""
        told = f" as '{user}'" if user else ""
        self._door.tell(
            MailboxNotice(self._door.program, "Info", f"Executing command '{command.name}'{told}")
        )
        output = bytearray()
        with tempfile.TemporaryFile(dir=self._door.configuration.value("mail_temp_dir")) as message:
            message.write((content or "").encode("utf-8", "surrogatepass"))
            message.seek(0)
            execution = Execution(self._door.configuration, self._door.program, self._door.tell)
            status = execution.run(
                Command((*command.words, *arguments), form="json", input=message.fileno()),
                output.extend,
                lambda _severity, _text: None,
            )
        if status:
            return _fault("exitCode", status)
        return b'"doveadmResponse",' + (bytes(output) if _is_json(output) else b"[]")

    def _answer(self, head: Head | None, reply: _Reply) -> None:
        now = SystemClock().now()
        date = email.utils.formatdate(now, usegmt=True)
        content = b"" if head is not None and head.method == "HEAD" else reply.content
        self._client.sendall(reply_head(reply.status, date, len(reply.content), reply.fields) + content)
        self._client.shutdown(socket.SHUT_WR)
        if head is None:
            return
        host = head.fields.get("host", "")
        url = head.target if "://" in head.target or not host else f"http://{host}{head.target}"
        size = len(reply.fields) + len(reply.content)
        agent = head.fields.get("user-agent", "")
        self._door.tell(
            MailboxNotice(
                self._door.program,
                "Info",
                f'doveadm: {self._address} - - "{head.method} {head.target} {head.version}" '
                f'{reply.status[:3]} {size} "{url}" "{agent}"',
            )
        )


def _wrong(command: object) -> str | None:
    """What is wrong with a command of a request, if anything."""
    if not isinstance(command, list) or not command or not isinstance(command[0], str):
        return "Command must be a JSON array that begins with its name"
    if len(command) < 2 or not isinstance(command[1], dict):
        return "Parameters must be contained in a JSON object"
    if len(command) < 3 or not isinstance(command[2], str):
        return "Command ID must be a string"
    return None if len(command) == 3 else "Command contains more than its ID"


def _fault(kind: str, status: int = 0) -> bytes:
    return f'"error",{{"type":"{kind}", "exitCode":{status}}}'.encode()


def _json(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _is_json(octets: bytearray) -> bool:
    """Whether that is a result: commands that print nothing, or plain text, have none."""
    try:
        return isinstance(json.loads(octets), list | dict)
    except (ValueError, RecursionError):
        return False


def _is_same(given: str, expected: str) -> bool:
    return hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass")
    )
