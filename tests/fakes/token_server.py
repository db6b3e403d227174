"""A server that knows OAuth 2.0's tokens: `WHAT:USER` is a token of USER's, of which it says WHAT."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

_ANSWERS: Final[dict[str, tuple[int, Any]]] = {
    "good": (
        200,
        {"active": True, "scope": "mail read", "n": 5, "list": ["a"], "object": {"n": 7}, "no": None},
    ),
    "silent": (200, {"scope": "mail"}),
    "inactive": (200, {"active": False}),
    "stranger": (200, {"email": "stranger", "active": True}),
    "nameless": (200, {"email": {"of": "an object"}, "active": True}),
    "refused": (401, {"email": {}, "error": "invalid_token"}),
    "broken": (500, {}),
    "list": (200, [1]),
    "text": (200, "<html>"),
    "nothing": (200, ""),
    "mac": (200, {"active": True, "token_type": "mac"}),
    "lifetime": (200, {"active": True, "expires_in": "soon"}),
    "elsewhere": (200, {"active": True, "scope": "other"}),
    "audience": (200, {"active": True, "scope": "mail", "aud": "them"}),
}
_GRANTS: Final[dict[str, tuple[int, Any]]] = {
    "secret": (200, {"access_token": "good:grant", "token_type": "Bearer"}),
    "wrong": (400, {"error": "invalid_grant"}),
    "client": (400, {"error": "invalid_client"}),
    "silence": (400, {}),
    "tokenless": (200, {"x": "y"}),
}
WHAT: Final = tuple(_ANSWERS)
PASSWORDS: Final = tuple(_GRANTS)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, *_: object) -> None:
        """Nothing on the screen."""

    def do_GET(self) -> None:
        """A token in the URL, or in a header."""
        self._answer("")

    def do_POST(self) -> None:
        """A token, or a password, in a form."""
        self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _answer(self, form: str) -> None:
        shown = self.headers.get("Authorization", "")
        told = [f"{name}: {value.rpartition(':')[0] or value}" for name, value in self.headers.items()
                if name.startswith("X-")]  # fmt: skip
        self.server.asked.append(
            " ".join([self.command, unquote(self.path), shown, unquote(form), *sorted(told)])
        )
        fields = {**parse_qs(urlsplit(self.path).query), **parse_qs(form)}
        token = fields.get("token", fields.get("password", [shown.removeprefix("Bearer ")]))[0]
        what, _, user = token.partition(":")
        status, said = (_GRANTS if self.path == "/grant" else _ANSWERS).get(what, (401, {}))
        if self.path.startswith("/slim") and status == 200:
            said = {"valid": "yes"}
        elif isinstance(said, dict) and self.path != "/grant":
            said = {"email": user, **said}
        data = (said if isinstance(said, str) else json.dumps(said)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        """What it was asked, in order; ports and the product's name left out."""


@contextmanager
def token_server() -> Iterator[_Server]:
    """/introspect tells of tokens, /slim only that they are good, /grant makes them of passwords."""
    server = _Server()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
