"""The auth server's sockets, asked by a command: one question, one answer.

FAULTS
    NoAnswer  nobody listens, or the answer does not come
"""

import base64
import os
import socket
from collections.abc import Iterator, Mapping

import msgspec

from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.secret import Secret
from pillarbox.wire.auth_protocol import LineReader, LineTooLong, encode_line, split_line


class NoAnswer(Exception):
    """The server does not answer; `str()` is the line for the admin."""


class Answer(msgspec.Struct, frozen=True):
    """A word and its fields."""

    word: str
    fields: list[str]


class AuthSocket:
    """One connection."""

    def __init__(self, path: str, *, label: str, is_master: bool) -> None:
        """`label` begins the line of a fault: auth-client, auth-master."""
        self._label = label
        self._path = path
        self._reader = LineReader()
        self._lines: list[bytes] = []
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(60)
        try:
            self._sock.connect(path)
        except OSError as error:
            self._sock.close()
            raise NoAnswer(f"{label}: connect({path}) failed: {error.strerror}") from error
        if is_master:  # whose server hangs up at CPID, which is for clients
            self._send(encode_line(b"VERSION", b"1", b"1"))
        else:
            self._send(encode_line(b"VERSION", b"1", b"2") + encode_line(b"CPID", b"%d" % os.getpid()))
        self.cookie = b""
        if not is_master:
            for fields in self._answers():
                if fields[0] == b"COOKIE":
                    self.cookie = fields[1]
                if fields[0] == b"DONE":
                    break

    def __enter__(self) -> "AuthSocket":
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def login(
        self, user: str, password: Secret, *, information: Mapping[str, str], master: str, may_redeem: bool
    ) -> Answer:
        """Whether a password is right: OK or FAIL.  `information`: service, rip, lip and the like."""
        response = b"\0".join(
            (user.encode() if master else b"", (master or user).encode(), password.reveal())
        )
        given = {"service": "doveadm", **information}
        fields = [b"AUTH", b"1", b"PLAIN", *(f"{name}={value}".encode() for name, value in given.items())]
        fields += [] if may_redeem else [b"nologin"]
        fields.append(b"resp=" + base64.b64encode(response))
        self._send(encode_line(*fields))
        return self._answer()

    def redeem(self, cookie: bytes) -> Answer:
        """The account behind login number 1 of this process: USER, NOTFOUND or FAIL."""
        pid = b"%d" % os.getpid()
        self._send(encode_line(b"REQUEST", b"1", pid, b"1", cookie))
        return self._answer()

    def ask(self, word: str, user: str) -> Answer:
        """USER or PASS of a user."""
        self._send(encode_line(word.encode(), b"1", user.encode(), b"service=doveadm"))
        return self._answer()

    def users(self) -> list[str]:
        """All users."""
        self._send(encode_line(b"LIST", b"1", b"service=doveadm"))
        found: list[str] = []
        for fields in self._answers():
            if fields[0] == b"DONE":
                return found
            if fields[0] == b"LIST":
                found.append(fields[2].decode("utf-8", "replace"))
        return found

    def penalties(self) -> list[tuple[str, int, int]]:
        """Addresses that have tried wrong passwords: how many, and how many seconds ago the last."""
        self._send(encode_line(b"PENALTIES", b"1"))
        found: list[tuple[str, int, int]] = []
        for fields in self._answers():
            if fields[0] == b"DONE":
                return found
            if fields[0] == b"PENALTY" and len(fields) == 5:
                found.append((fields[2].decode("ascii", "replace"), decimal(fields[3]), decimal(fields[4])))
        raise NoAnswer(f"{self._label}: {self._path}: Disconnected unexpectedly")

    def _answer(self) -> Answer:
        for fields in self._answers():
            if fields[0] in (b"OK", b"FAIL", b"USER", b"PASS", b"NOTFOUND"):
                texts = [field.decode("utf-8", "replace") for field in fields]
                return Answer(texts[0], texts[2:])
        raise NoAnswer(f"{self._label}: {self._path}: Disconnected unexpectedly")

    def _answers(self) -> Iterator[list[bytes]]:
        while True:
            while self._lines:
                yield split_line(self._lines.pop(0))
            try:
                data = self._sock.recv(65536)
                self._lines += self._reader.feed(data)
            except (OSError, LineTooLong) as error:
                raise NoAnswer(f"{self._label}: {self._path}: {error}") from error
            if not data:
                return

    def _send(self, data: bytes) -> None:
        try:
            self._sock.sendall(data)
        except OSError as error:
            raise NoAnswer(f"{self._label}: {self._path}: {error.strerror}") from error
