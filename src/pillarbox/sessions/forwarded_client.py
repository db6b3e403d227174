"""Whose connection it is, as a trusted proxy tells before the login: a webmail, or another Dovecot.

DESCRIPTION
    IMAP proxies tell it by fields of ID, POP3 proxies by XCLIENT or XOIP.  What is not told, or is no address, no
    port or no id, stays as it was.  Whether the proxy is trusted (login_trusted_networks) is the caller's question.

STANDARDS
    Dovecot 2.3, login_trusted_networks; RFC 2971 (ID)
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from pillarbox.vocabulary.ip_addresses import bare_address, shown_address

_MOST_OCTETS_OF_SESSION: Final = 64


class ForwardedClient(msgspec.Struct, frozen=True):
    """What a proxy has told; empty or 0: nothing."""

    remote: str = ""
    remote_port: int = 0
    local: str = ""
    local_port: int = 0
    session: str = ""


BelieveProxy = Callable[[ForwardedClient], None]
"""Takes what a proxy tells; only of a client that is one."""


def told_by_id(parameters: Sequence[tuple[bytes, bytes | None]]) -> ForwardedClient:
    """`ID ("x-originating-ip" "2001:db8::1" "x-session-id" "…")`"""
    found: dict[str, str | int] = {}
    for name, value in parameters:
        field = _ID_FIELDS.get(name.lower())
        if field is None or value is None:
            continue
        taken = _take(field, value)
        if taken:
            found[field] = taken
    return msgspec.convert(found, ForwardedClient)


def told_by_xclient(arguments: bytes) -> tuple[ForwardedClient, bool]:
    """`XCLIENT ADDR=192.0.2.1 PORT=4321 SESSION=… TTL=5`; and whether address, port and TTL are such."""
    found: dict[str, str | int] = {}
    is_right = True
    for word in arguments.split(b" "):
        name, _, value = word.partition(b"=")
        if name.upper() == b"TTL":
            is_right &= value.isdigit()
        field = _XCLIENT_FIELDS.get(name.upper())
        if field is None:
            continue
        taken = _take(field, value)
        if taken:
            found[field] = taken
        elif field != "session":
            is_right = False
    return msgspec.convert(found, ForwardedClient), is_right


_ID_FIELDS: Final = {
    b"x-originating-ip": "remote",
    b"x-originating-port": "remote_port",
    b"x-connected-ip": "local",
    b"x-connected-port": "local_port",
    b"x-session-id": "session",
    b"x-session-ext-id": "session",
}
_XCLIENT_FIELDS: Final = {b"ADDR": "remote", b"PORT": "remote_port", b"SESSION": "session"}


def _take(field: str, value: bytes) -> str | int:
    """The value; empty or 0 if it is none."""
    text = value.decode("ascii", "replace")
    if field == "session":
        # It stands in log lines, and between tabs where the auth server is asked.
        is_id = all("!" <= character <= "~" for character in text)
        return text if is_id and len(value) <= _MOST_OCTETS_OF_SESSION else ""
    if field.endswith("port"):
        port = int(text) if value.isdigit() and len(value) <= 5 else 0
        return port if port < 1 << 16 else 0
    if "%" in text:  # a scope, which is of the proxy's host
        return ""
    try:
        return shown_address(bare_address(text))
    except ValueError:
        return ""
