"""Who is at the other end of an SMTP session, as access rules see it."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

import msgspec

from pillarbox.net.client_certificates import ClientCertificate
from pillarbox.vocabulary.address import Address


class ClientFacts(msgspec.Struct, kw_only=True):
    """What is known of a client; grows as the session goes on."""

    address: IPv4Address | IPv6Address
    port: int
    name: str = "unknown"  # verified by a forward lookup
    reverse_name: str = "unknown"  # as its PTR record says
    helo: bytes = b""
    protocol: str = "SMTP"  # or ESMTP
    sasl_method: str = ""
    sasl_username: str = ""
    sasl_sender: str = ""
    is_mynetworks: bool = False
    uses_tls: bool = False
    cipher: tuple[str, str, int] | None = None  # name, protocol, bits
    certificate: ClientCertificate | None = None
    sender: Address | None = None
    server_address: str = ""
    server_port: int = 0
    shows_port: bool = False  # smtpd_client_port_logging
    instance: str = ""  # one for each message, for policy services

    @property
    def label(self) -> str:
        """`name[address]` or `name[address]:port`, as log lines and replies name it."""
        label = f"{self.name}[{_text(self.address)}]"
        return f"{label}:{self.port or 'unknown'}" if self.shows_port else label

    @property
    def literal(self) -> str:
        """The address as in `Received:`: an IPv6 address has its prefix (RFC 5321 §4.1.3)."""
        text = _text(self.address)
        return f"IPv6:{text}" if self.address.version == 6 else text


@lru_cache(1000)
def _text(address: IPv4Address | IPv6Address) -> str:
    """Several lines of each message have it, and making it takes longer than finding it."""
    return str(address)
