"""check_policy_service: asks a server that somebody else runs (greylisting, quotas, SPF …).

DESCRIPTION
    `PolicyService.ask()` sends what is known of the client and the message, and gives the action that comes
    back, which is carried out like the result of an access table.  Connections are kept for the next request,
    for max_idle and max_ttl seconds and request_limit requests.

    A server that cannot be asked, or that says nothing sensible, is tried try_limit times; then the default
    action is carried out.  The log has a line for each attempt that failed, but none where the server may just have
    been restarted: of a closed connection and a missing socket only the last attempt is told.

STANDARDS
    SMTPD_POLICY_README; postconf(5), smtpd_policy_service_ parameters
"""

import asyncio
import errno
import os
from collections.abc import Callable
from typing import Final

import msgspec

from pillarbox.access.access_tables import AccessResults
from pillarbox.access.question import Outcome, Question, Restriction, Subject
from pillarbox.tables.server_address import tcp_port
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.digits import is_decimal_text
from pillarbox.wire.policy_delegation import PolicyReply, encode_request
from pillarbox.wire.smtp.client import xtext

_PASSING: Final = (0, errno.EPIPE, errno.ENOENT, errno.ECONNRESET)


class PolicySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a service is asked: smtpd_policy_service_ parameters, or those given with the service."""

    timeout: float = 100.0
    max_idle: float = 300.0
    max_ttl: float = 1000.0
    request_limit: int = 0
    try_limit: int = 2
    retry_delay: float = 1.0
    default_action: str = "451 4.3.5 Server configuration problem"
    policy_context: str = ""


class _Line(msgspec.Struct):
    """A connection that is kept."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    opened: float
    used: float
    requests: int = 0


class PolicyService:
    """One server."""

    def __init__(self, endpoint: str, settings: PolicySettings, *, directory: str, clock: Clock) -> None:
        """`endpoint` is inet:host:port or unix:path, the path below `directory`.  ValueError if it is neither."""
        self.endpoint = endpoint
        self._shown = endpoint.removeprefix("inet:").removeprefix("unix:")
        self.settings = settings
        self._clock = clock
        self._idle: list[_Line] = []
        kind, _, rest = endpoint.partition(":")
        if kind == "unix" and rest:
            self._path: str | None = rest if rest.startswith("/") else f"{directory}/{rest}"
            self._host, self._port = "", ""
        else:
            host, _, port = (rest if kind == "inet" else endpoint).rpartition(":")
            if not (is_decimal_text(port) or (kind == "inet" and host)):
                raise ValueError(f'"{endpoint}" is neither inet:host:port nor unix:path')
            self._path, self._host, self._port = None, host.strip("[]") or "localhost", port

    async def ask(self, request: bytes, warn: Callable[[str], None]) -> str:
        """The action; the default action if there is none to be had."""
        settings = self.settings
        for attempt in range(1, settings.try_limit + 1):
            try:
                action = await self._ask(request, warn)
            except OSError as fault:
                if attempt == settings.try_limit or _number(fault) not in _PASSING:
                    warn(f"problem talking to server {self._shown}: {_reason(fault)}")
            else:
                try:
                    return action.decode()
                except UnicodeDecodeError:
                    shown = action.decode("utf-8", "replace").replace("\ufffd", "?")
                    warn(f'malformed UTF-8 in policy server {self.endpoint} response: "{shown}"')
                    break
            if attempt < settings.try_limit:
                await asyncio.sleep(settings.retry_delay)
        return settings.default_action

    def close(self) -> None:
        """Give up the connections that are kept."""
        while self._idle:
            self._idle.pop().writer.close()

    async def _ask(self, request: bytes, warn: Callable[[str], None]) -> bytes:
        line = self._take()
        if line is None:
            try:
                async with asyncio.timeout(self.settings.timeout):
                    line = await self._connect()
            except OSError as fault:
                warn(f"connect to {self._shown}: {_reason(fault)}")
                raise
        try:
            async with asyncio.timeout(self.settings.timeout):
                action = await self._answer(line, request)
        except ValueError as fault:
            line.writer.close()
            warn(f"{fault} in input from {self._shown}")
            raise OSError(0, "") from fault
        except BaseException:
            line.writer.close()
            raise
        self._keep(line)
        return action

    @staticmethod
    async def _answer(line: _Line, request: bytes) -> bytes:
        line.writer.write(request)
        await line.writer.drain()
        reply = PolicyReply()
        while True:
            data = await line.reader.read(65536)
            if not data:
                raise OSError(0, "")
            action = reply.feed(data)
            if action is not None:
                return action

    def _take(self) -> _Line | None:
        now = self._clock.monotonic()
        while self._idle:
            line = self._idle.pop()
            fresh = now - line.used < self.settings.max_idle and now - line.opened < self.settings.max_ttl
            if fresh and not line.reader.at_eof():
                return line
            line.writer.close()
        return None

    def _keep(self, line: _Line) -> None:
        line.used = self._clock.monotonic()
        line.requests += 1
        limit = self.settings.request_limit
        if limit and line.requests >= limit:
            line.writer.close()
        else:
            self._idle.append(line)

    async def _connect(self) -> _Line:
        if self._path is not None:
            reader, writer = await asyncio.open_unix_connection(self._path)
        else:
            reader, writer = await asyncio.open_connection(self._host, tcp_port(self._port))
        now = self._clock.monotonic()
        return _Line(reader, writer, now, now)


def _number(fault: OSError) -> int:
    return errno.ETIMEDOUT if isinstance(fault, TimeoutError) else fault.errno or 0


def _reason(fault: OSError) -> str:
    number = _number(fault)
    if number > 0:
        return os.strerror(number)
    return fault.strerror or "Application error"


def check_policy_service(service: PolicyService, results: AccessResults, *, stress: str) -> Restriction:
    """The restriction; `stress` is the value of that parameter, which the server is told."""

    async def check(question: Question, subject: Subject) -> Outcome:
        request = encode_request(_attributes(question, service.settings.policy_context, stress))
        action = await service.ask(request, question.tell_warning)
        outcome = results.act(
            action,
            question,
            name=question.name_of(subject),
            about=subject,
            source=service.endpoint,
            entry="policy query",
        )
        return outcome if outcome is None or not hasattr(outcome, "__await__") else await outcome

    return check


def _attributes(question: Question, context: str, stress: str) -> list[tuple[str, bytes]]:
    client = question.client
    certificate = client.certificate
    cipher, protocol, bits = client.cipher or ("", "", 0)
    return [
        ("protocol_state", question.stage.encode()),
        ("protocol_name", client.protocol.encode()),
        ("client_address", client.address_text.encode()),
        ("client_name", client.name.encode()),
        ("client_port", b"%d" % client.port),
        ("reverse_client_name", client.reverse_name.encode()),
        ("server_address", client.server_address.encode()),
        ("server_port", b"%d" % client.server_port),
        ("helo_name", client.helo),
        ("sender", client.sender.internal if client.sender is not None else b""),
        ("recipient", question.recipient.internal if question.recipient is not None else b""),
        ("recipient_count", b"%d" % (question.recipient_count if question.recipient is None else 0)),
        ("queue_id", question.queue_id.encode()),
        ("instance", client.instance.encode()),
        ("size", b"%d" % question.size),
        ("etrn_domain", question.etrn_domain),
        ("stress", stress.encode()),
        ("sasl_method", client.sasl_method.encode()),
        ("sasl_username", client.sasl_username.encode("utf-8", "surrogateescape")),
        ("sasl_sender", client.sasl_sender.encode()),
        ("ccert_subject", xtext(certificate.subject.encode()) if certificate is not None else b""),
        ("ccert_issuer", xtext(certificate.issuer.encode()) if certificate is not None else b""),
        ("ccert_fingerprint", certificate.fingerprint.encode() if certificate is not None else b""),
        (
            "ccert_pubkey_fingerprint",
            certificate.key_fingerprint.encode() if certificate is not None else b"",
        ),
        ("encryption_protocol", protocol.encode()),
        ("encryption_cipher", cipher.encode()),
        ("encryption_keysize", b"%d" % bits),
        ("policy_context", context.encode()),
    ]
