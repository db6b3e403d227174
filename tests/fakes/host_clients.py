"""Clients of Python on a `Host`: they connect from inside."""

import imaplib
import poplib
import smtplib
import socket

from fakes.host import Host
from fakes.mail_system import PATIENCE


class Smtp(smtplib.SMTP):
    """An SMTP client of the host."""

    def __init__(self, host: Host) -> None:
        self._inside = host
        super().__init__("mail", 25)

    def _get_socket(self, _host: str, _port: int, _timeout: float) -> socket.socket:
        return self._inside.connect(25)


class Imap(imaplib.IMAP4):
    """An IMAP client of the host."""

    def __init__(self, host: Host) -> None:
        self._inside = host
        super().__init__("127.0.0.1", 143, timeout=PATIENCE)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return self._inside.connect(143)


class Pop3(poplib.POP3):
    """A POP3 client of the host."""

    def __init__(self, host: Host) -> None:
        self._inside = host
        super().__init__("127.0.0.1", 110, timeout=PATIENCE)

    def _create_socket(self, timeout: float) -> socket.socket:
        return self._inside.connect(110)
