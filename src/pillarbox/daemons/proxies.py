"""What the log says of a proxy that did not tell whom it speaks for: in Postfix's words and in Dovecot's.

STANDARDS
    Postfix 3.7 smtpd_upstream_proxy_protocol; Dovecot 2.3 inet_listener haproxy
"""

from typing import Final

from pillarbox.net.proxied import NoHeader, ProxyGone, ProxySilent
from pillarbox.wire.proxy_protocol import Trouble

_MAX_SHOWN: Final = 512
"""Octets of a header that a line of the log shows."""
_ESCAPES: Final = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 92: "\\\\"}

_POSTFIX: Final = {
    Trouble.HEADER: "unrecognized protocol header",
    Trouble.VERSION: "unrecognized protocol version",
    Trouble.UNFINISHED: "missing protocol header terminator",
    Trouble.COMMAND: "bad command in proxy header",
    Trouble.TRANSPORT: "unsupported network protocol",
    Trouble.FAMILY: "unsupported network protocol",
    Trouble.SHORT: "short address field",
    Trouble.EXTENSION: "short field behind the addresses",
    Trouble.PROTOCOL: "bad or missing protocol type",
    Trouble.CLIENT_ADDRESS: "bad or missing client address",
    Trouble.SERVER_ADDRESS: "bad or missing server address",
    Trouble.CLIENT_PORT: "bad or missing client port",
    Trouble.SERVER_PORT: "bad or missing server port",
    Trouble.EXTRA: "garbage after the server port",
}
_DOVECOT: Final = {
    Trouble.HEADER: "Client disconnected: Failed to read valid HAproxy data (",
    Trouble.UNFINISHED: "Client disconnected: Failed to read valid HAproxy data (",
    Trouble.VERSION: "Client disconnected: Unsupported protocol version (version={}, ",
    Trouble.COMMAND: "Client disconnected: Invalid command (cmd={}, ",
    Trouble.TRANSPORT: "Client disconnected: Not using TCP (type={}, ",
    Trouble.FAMILY: "Unsupported address family (family={}, ",
    Trouble.SHORT: "Client disconnected: {} data is incomplete (",
    Trouble.EXTENSION: "Client disconnected: Invalid TLV: Truncated data (",
    Trouble.PROTOCOL: "Client disconnected: Unknown proxied protocol (protocol=`{}', ",
    Trouble.CLIENT_ADDRESS: "Client disconnected: Proxied remote address is invalid (address=`{}', ",
    Trouble.SERVER_ADDRESS: "Client disconnected: Proxied local address is invalid (address=`{}', ",
    Trouble.CLIENT_PORT: "Client disconnected: Proxied remote port is invalid (port=`{}', ",
    Trouble.SERVER_PORT: "Client disconnected: Proxied local port is invalid (port=`{}', ",
    Trouble.EXTRA: "Client disconnected: Header line has spurius extra field (field=`{}', ",
}


def as_postfix(trouble: NoHeader) -> str:
    """`haproxy read: …`, with what has come."""
    if isinstance(trouble, ProxySilent):
        return "haproxy read: timeout error"
    if isinstance(trouble, ProxyGone):
        return "haproxy read: EOF"
    reason = _POSTFIX[trouble.fault.trouble] if trouble.fault else _POSTFIX[Trouble.PROTOCOL]
    return f"haproxy read: {reason}: {_escaped(trouble.data[:_MAX_SHOWN])}"


def as_dovecot(trouble: NoHeader, remote: str) -> str:
    """`haproxy(v1): …`; `remote` is the proxy."""
    if isinstance(trouble, ProxySilent):
        return f"haproxy: Client timed out (rip={remote})"
    if isinstance(trouble, ProxyGone) or trouble.fault is None:
        return f"haproxy: Client disconnected (rip={remote})"
    fault = trouble.fault
    version = f"(v{fault.version})" if fault.version and fault.trouble is not Trouble.UNFINISHED else ""
    return f"haproxy{version}: {_DOVECOT[fault.trouble].format(fault.shown)}rip={remote})"


def _escaped(data: bytes) -> str:
    return "".join(
        _ESCAPES.get(octet) or (chr(octet) if 32 <= octet < 127 else f"\\{octet:03o}") for octet in data
    )
