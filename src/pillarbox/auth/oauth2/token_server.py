"""The server that knows OAuth 2.0's tokens, asked over HTTP.

DESCRIPTION
    `TokenServer.ask(question)` gives the fields of the JSON object that comes back: texts, numbers and truth values
    as they are written; what is an object or a list itself is left out.  Connections are kept for later questions.

LIMITS
    max_parallel_connections questions at the same time, others wait
    timeout_msecs for an answer, a minute if it is 0
    MAX_ANSWER octets of it

FAULTS
    NoAnswer  the server cannot be reached, takes too long, or says what is no answer; redirections are none

STANDARDS
    RFC 9110, RFC 9112 (HTTP); RFC 6750 (bearer tokens); RFC 8259 (JSON)
"""

import asyncio
import base64
import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from pillarbox.auth.oauth2.faults import NoAnswer
from pillarbox.config.oauth2_settings import OAuth2Settings
from pillarbox.vocabulary.clock import Clock

MAX_ANSWER: Final = 1 << 20
_USUAL_SECONDS: Final = 60.0
_AGENT: Final = "Pillarbox (OAuth 2.0 passdb)"


class Question(msgspec.Struct, frozen=True):
    """One request."""

    url: str
    headers: Mapping[str, str]
    form: str | None = None
    """The body of a POST; None for GET."""


class Answer(msgspec.Struct, frozen=True):
    """`is_good`: the status was 2xx, not 4xx."""

    is_good: bool
    fields: dict[str, str]


class TokenServer:
    """One server's connections."""

    def __init__(
        self,
        settings: OAuth2Settings,
        clock: Clock,
        *,
        context: ssl.SSLContext | None = None,
        fault: str = "",
    ) -> None:
        """`context` is for https; `fault` says why there is none."""
        self._settings = settings
        self._clock = clock
        self._context = context
        self._fault = fault
        self._seconds = settings.timeout_msecs / 1000 or _USUAL_SECONDS
        self._threads = ThreadPoolExecutor(
            max(1, settings.max_parallel_connections), thread_name_prefix="oauth2"
        )
        self._lock = threading.Lock()
        self._idle: list[tuple[str, http.client.HTTPConnection, float]] = []
        self._busy: set[http.client.HTTPConnection] = set()

    def close(self) -> None:
        """Whoever waits for an answer gets none."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            idle, self._idle = self._idle, []
            for connection in self._busy:
                if connection.sock is not None:
                    with contextlib.suppress(OSError):
                        connection.sock.shutdown(socket.SHUT_RDWR)
        for _, connection, _ in idle:
            connection.close()

    async def ask(self, question: Question) -> Answer:
        """NoAnswer."""
        try:
            async with asyncio.timeout(self._seconds):
                status, reason, content = await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._exchange, question
                )
        except TimeoutError:
            raise NoAnswer(f"Request timed out: no answer within {self._seconds:g} secs") from None
        if status // 100 not in (2, 4):
            raise NoAnswer(f"{status} {reason}")
        fields = _fields(content)
        kind = fields.get("token_type", "bearer")
        if kind.lower() != "bearer":
            raise NoAnswer(f"Expected Bearer token, got '{kind}'")
        lifetime = fields.get("expires_in", "0")
        if not lifetime.isdecimal():
            raise NoAnswer(f"Malformed number '{lifetime}' in expires_in")
        return Answer(status // 100 == 2, fields)

    def _exchange(self, question: Question) -> tuple[int, str, bytes]:
        """Status, its text and the body.  Blocks.  A connection that was kept may be over: then a fresh one."""
        url = urlsplit(question.url)
        if url.scheme == "https" and self._context is None:
            raise NoAnswer(self._fault or "Couldn't initialize SSL context")
        key = f"{url.scheme}://{url.netloc}"
        kept = self._kept(key)
        if kept is not None:
            try:
                return self._converse(kept, key, url, question)
            except (OSError, http.client.HTTPException):
                kept.close()
        connection = self._fresh(url)
        try:
            return self._converse(connection, key, url, question)
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise NoAnswer(f"{url.hostname}: {what or type(error).__name__}") from error

    def _kept(self, key: str) -> http.client.HTTPConnection | None:
        oldest = self._clock.monotonic() - self._settings.max_idle_time_msecs / 1000
        with self._lock:
            fresh = [one for one in self._idle if one[2] >= oldest]
            over = [connection for _, connection, since in self._idle if since < oldest]
            at = next((at for at, (host, _, _) in enumerate(fresh) if host == key), None)
            found = None if at is None else fresh.pop(at)[1]
            self._idle = fresh
        for connection in over:
            connection.close()
        return found

    def _fresh(self, url: SplitResult) -> http.client.HTTPConnection:
        host = url.hostname or ""
        if url.scheme == "https":
            return http.client.HTTPSConnection(host, url.port, timeout=self._seconds, context=self._context)
        return http.client.HTTPConnection(host, url.port, timeout=self._seconds)

    def _converse(
        self, connection: http.client.HTTPConnection, key: str, url: SplitResult, question: Question
    ) -> tuple[int, str, bytes]:
        with self._lock:
            self._busy.add(connection)
        try:
            headers = {"User-Agent": _AGENT, "Connection": "Keep-Alive", **question.headers}
            if url.username is not None:  # RFC 7617
                pair = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
                headers["Authorization"] = "Basic " + base64.b64encode(pair).decode("ascii")
            target = (url.path or "/") + (f"?{url.query}" if url.query else "")
            body = None if question.form is None else question.form.encode()
            connection.request("GET" if body is None else "POST", target, body, headers)
            response = connection.getresponse()
            content = response.read(MAX_ANSWER + 1)
            if len(content) > MAX_ANSWER:
                raise http.client.HTTPException("the answer is too long")
        finally:
            with self._lock:
                self._busy.discard(connection)
        if response.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append((key, connection, self._clock.monotonic()))
        return response.status, response.reason, content


def tls_context(settings: OAuth2Settings) -> ssl.SSLContext:
    """What https needs: whom to trust, and a certificate of our own.  OSError, of which ssl.SSLError is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers(settings.tls_cipher_suite)
    if settings.tls_allow_invalid_cert:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.tls_ca_cert_file or settings.tls_ca_cert_dir:
        context.load_verify_locations(settings.tls_ca_cert_file or None, settings.tls_ca_cert_dir or None)
    if settings.tls_cert_file:
        context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file or None)
    return context


def scalar_fields(found: Mapping[str, Any]) -> dict[str, str]:
    """What is neither object nor list, as it would be written."""
    return {name: _written(value) for name, value in found.items() if not isinstance(value, (dict, list))}


def read_object(content: bytes) -> dict[str, Any]:
    """A JSON object; numbers stay texts.  ValueError, in Dovecot's words if it is no object at all."""
    text = content.decode("utf-8")
    if not text.lstrip().startswith("{"):
        raise ValueError("Object doesn't begin with '{'")
    found = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    assert isinstance(found, dict), "it begins as one"
    return found


def _fields(content: bytes) -> dict[str, str]:
    if not content:
        return {}
    try:
        return scalar_fields(read_object(content))
    except (ValueError, RecursionError) as error:
        raise NoAnswer(str(error)) from error


def _written(value: object) -> str:
    match value:
        case True:
            return "true"
        case False:
            return "false"
        case None:
            return "null"
    return str(value)
