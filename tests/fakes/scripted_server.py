"""SMTP servers that behave as a script says: polite, greylisting, rude, broken.

A `Script` maps what a client says to what it is told.  `ScriptedServer` serves it on an address and port, in a
thread, with blocking sockets: the client under test may be anybody's.
"""

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Final

from fakes.mail_system import PATIENCE

DROP: Final = b"\0drop"
"""Instead of a reply: close the connection."""
SILENCE: Final = b"\0silence"
"""Instead of a reply: say nothing, and wait for the client to go."""
AND_CLOSE: Final = b"\0close"
"""Behind a reply: say it, then take nothing more."""
BREAK_TLS: Final = b"\0break"
"""As the reply to STARTTLS: say go ahead, then close."""

Replies = Mapping[str, bytes | Callable[[bytes], bytes]]

_DEFAULT: Final[dict[str, bytes]] = {
    "greeting": b"220 mx.peer.test ESMTP",
    "EHLO": b"250-mx.peer.test\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES",
    "LHLO": b"250-mx.peer.test\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES",
    "HELO": b"250 mx.peer.test",
    "MAIL": b"250 2.1.0 Sender ok",
    "RCPT": b"250 2.1.5 Recipient ok",
    "DATA": b"354 Go ahead",
    ".": b"250 2.0.0 Accepted for delivery as 12345",
    "RSET": b"250 2.0.0 Reset",
    "QUIT": b"221 2.0.0 Bye",
    "STARTTLS": b"220 2.0.0 Ready",
    "AUTH": b"235 2.7.0 Welcome",
    "334": b"235 2.7.0 Welcome",  # behind a challenge
}


class ScriptedServer:
    """One server.  `conversations` are the lines of its clients, one list for each connection."""

    def __init__(
        self,
        address: str,
        port: int,
        replies: Replies | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        wrapped: bool = False,
        lmtp: bool = False,
        notes_tls: bool = False,
        notes_client: bool = False,
    ) -> None:
        """`replies` in place of the defaults; `wrapped`: TLS from the first octet.

        `notes_tls`: what was agreed on stands among the lines of the client.  `notes_client`: so does the client's
        address, without its last part.
        """
        self._notes_client = notes_client
        self._notes_tls = notes_tls
        self._tls_names: dict[int, str | None] = {}  # SNI, by socket
        self.replies: dict[str, bytes | Callable[[bytes], bytes]] = {**_DEFAULT, **(replies or {})}
        self.conversations: list[list[bytes]] = []
        self.messages: list[bytes] = []
        self.transactions: list[tuple[str, list[bytes], bytes]] = []  # client, lines from MAIL on, content
        self.clients: list[str] = []  # their addresses
        self.open = 0  # connections now
        self._tls = tls
        self._wrapped = wrapped
        self._lmtp = lmtp
        self._local = threading.local()
        self._socket = socket.create_server(
            (address, port), backlog=50, family=socket.AF_INET6 if ":" in address else socket.AF_INET
        )
        self.address = address
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def forget(self) -> None:
        """As if nobody had come."""
        for known in (self.conversations, self.messages, self.transactions, self.clients):
            known.clear()

    @property
    def said(self) -> list[bytes]:
        """All lines of all clients."""
        return [line for conversation in self.conversations for line in conversation]

    def _accept(self) -> None:
        while True:
            try:
                client, peer = self._socket.accept()
            except OSError:
                return
            self.clients.append(peer[0])
            threading.Thread(target=self._guarded, args=(client,), daemon=True).start()

    def _guarded(self, client: socket.socket) -> None:
        self.open += 1
        try:
            client.settimeout(PATIENCE)
            self._serve(client)
        except (OSError, ssl.SSLError):
            return
        finally:
            client.close()
            self.open -= 1

    def _serve(self, client: socket.socket) -> None:
        with contextlib.ExitStack() as self._local.ends:
            self._converse(client)

    def _secured(self, client: socket.socket) -> socket.socket:
        assert self._tls is not None
        if self._notes_tls:
            self._tls.sni_callback = self._note_name
        secured = self._tls.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        self._local.ends.callback(secured.close)
        secured.do_handshake()
        return secured

    def _note_name(self, client: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        self._tls_names[id(client)] = name

    def _note_tls(self, client: socket.socket, lines: list[bytes]) -> None:
        if self._notes_tls and isinstance(client, ssl.SSLSocket):
            known = client.cipher()
            named = self._tls_names.pop(id(client), None)
            subject = (client.getpeercert() or {}).get("subject", ())
            lines.append(
                f"({known[1]} {known[0]} SNI={named} certificate={subject})".encode() if known else b"()"
            )

    def _converse(self, client: socket.socket) -> None:
        lines: list[bytes] = []
        self.conversations.append(lines)
        if self._notes_client:
            lines.append(b"(from %s)" % re.sub(r"\w+$", "", client.getpeername()[0]).encode())
        if self._wrapped:
            client = self._secured(client)
            self._note_tls(client, lines)
        file = client.makefile("rb")
        accepted, said = 0, b""
        if not self._say(client, "greeting", b""):
            return
        while line := file.readline():
            line = line.rstrip(b"\r\n")
            lines.append(line)
            verb = "334" if said[:3] == b"334" else _verb(line)
            if verb == "STARTTLS" and self.replies["STARTTLS"] == BREAK_TLS:
                client.sendall(b"220 go\r\n")
                return
            if not self._say(client, verb, line):
                return
            said = self._reply(verb, line)
            if verb == "RCPT" and said[:1] == b"2":
                accepted += 1
            if verb == "STARTTLS" and said[:1] == b"2" and self._tls is not None:
                client = self._secured(client)
                self._note_tls(client, lines)
                file = client.makefile("rb")
            if verb == "DATA" and said[:1] == b"3":
                if not self._take_content(client, file, lines, accepted):
                    return
                accepted = 0
            if verb == "QUIT":
                return

    def _take_content(self, client: socket.socket, file: object, lines: list[bytes], accepted: int) -> bool:
        content = b""
        while (line := file.readline()) != b".\r\n":  # type: ignore[attr-defined]
            if not line:
                return False
            content += line
        self.messages.append(content)
        begun = max(at for at, line in enumerate(lines) if line[:5].upper() == b"MAIL ")
        self.transactions.append((client.getpeername()[0], lines[begun:-1], content))
        lines.append(b".")
        return all(self._say(client, ".", b"") for _ in range(accepted if self._lmtp else 1))

    def _reply(self, verb: str, line: bytes) -> bytes:
        reply = self.replies.get(verb, b"500 5.5.1 What?")
        return reply(line) if callable(reply) else reply

    def _say(self, client: socket.socket, verb: str, line: bytes) -> bool:
        reply = self._reply(verb, line)
        if reply == DROP:
            return False
        if reply == SILENCE:
            client.recv(1)
            return False
        client.sendall(reply.removesuffix(AND_CLOSE) + b"\r\n")
        if reply.endswith(AND_CLOSE):
            _close_gently(client)
        return not reply.endswith(AND_CLOSE)


def _verb(line: bytes) -> str:
    return line.split(b" ")[0].split(b":")[0].upper().decode("latin-1")


def _close_gently(client: socket.socket) -> None:
    """End the reply without a reset, which would take it back from a client that is still sending."""
    client.shutdown(socket.SHUT_WR)
    while client.recv(65536):
        pass
