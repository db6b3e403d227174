"""Clients whose TLS handshake comes to nothing, each in its own way."""

import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from fakes.mail_system import PATIENCE

Break = Callable[[socket.socket], None]
"""What is done with a connection on which the server waits for TLS."""


def _client(**settings: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if "ciphers" in settings:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(settings["ciphers"])
        context.verify_mode = ssl.CERT_NONE
    return context


def _leave(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_WR)


def _reset(sock: socket.socket) -> None:
    """In the middle: the server has answered the hello."""
    ours = ssl.MemoryBIO()
    session = _client().wrap_bio(ssl.MemoryBIO(), ours)
    with suppress(ssl.SSLWantReadError):
        session.do_handshake()
    sock.sendall(ours.read())
    assert sock.recv(1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _speak_plainly(sock: socket.socket) -> None:
    sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
    _wait_for_the_end(sock)


def _stop_short(sock: socket.socket) -> None:
    sock.sendall(b"\x16\x03\x01\x02\x00\x01")
    sock.shutdown(socket.SHUT_WR)


def _share_no_cipher(sock: socket.socket) -> None:
    try:
        # The servers have a key for ECDSA.
        _client(ciphers="ECDHE-RSA-AES256-GCM-SHA384").wrap_socket(sock)
    except ssl.SSLError:
        return
    raise AssertionError("there was a cipher")


def _distrust(sock: socket.socket) -> None:
    try:
        _client().wrap_socket(sock)
    except ssl.SSLCertVerificationError:
        return
    raise AssertionError("the certificate was trusted")


def _wait_for_the_end(sock: socket.socket) -> None:
    try:
        while sock.recv(4096):
            pass
    except ConnectionResetError:
        return


BREAKS: Final[dict[str, Break]] = {
    "leaves": _leave,
    "resets": _reset,
    "speaks HTTP": _speak_plainly,
    "sends half a hello": _stop_short,
    "shares no cipher": _share_no_cipher,
    "does not trust us": _distrust,
}


def fail(port: int, how: str, *, begin: bytes = b"") -> None:
    """Connect, and break the handshake; `begin`: commands behind which TLS begins, if not with the first octet."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    try:
        if begin:
            with sock.makefile("rb") as lines:
                lines.readline()
                for command in begin.splitlines(keepends=True):
                    sock.sendall(command)
                    while lines.readline()[3:4] == b"-":
                        pass
        BREAKS[how](sock)
    finally:
        sock.close()
