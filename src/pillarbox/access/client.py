"""Who is at the other end of an SMTP session, as access rules see it."""

import os
from ipaddress import IPv4Address, IPv6Address
from typing import Final

import msgspec

from pillarbox.net.client_certificates import ClientCertificate
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.ip_addresses import shown_address

_NO_ADDRESS: Final = IPv4Address(0)


class ClientFacts(msgspec.Struct, kw_only=True):
    """What is known of a client; grows as the session goes on."""

    address: IPv4Address | IPv6Address
    port: int
    name: str = "unknown"  # verified by a forward lookup
    reverse_name: str = "unknown"  # as its PTR record says
    may_get_name: bool = False  # it is unknown because the lookup failed, which it may not the next time
    may_get_reverse_name: bool = False
    helo: bytes = b""
    protocol: str = "SMTP"  # or ESMTP
    sasl_method: str = ""
    sasl_username: str = ""
    sasl_sender: str = ""
    is_mynetworks: bool = False
    mynetworks_trouble: str = ""  # a table of mynetworks that cannot answer, for the log
    uses_tls: bool = False
    cipher: tuple[str, str, int] | None = None  # name, protocol, bits
    certificate: ClientCertificate | None = None
    sender: Address | None = None
    server_address: str = ""
    server_port: int = 0
    shows_port: bool = False  # smtpd_client_port_logging
    message_begun: float = 0.0  # when MAIL came, seconds since 1970
    message_number: int = -1  # of all that this process has been sent; below zero: MAIL has not come
    address_text: str = ""  # made once: several lines of each message have it

    def __post_init__(self) -> None:
        self.address_text = self.address_text or shown_address(str(self.address))

    def move_to(self, address: IPv4Address | IPv6Address | None) -> None:
        """Another client speaks: what a proxy has told us.  None: the proxy does not know its address."""
        self.address = address or _NO_ADDRESS
        self.address_text = shown_address(str(address)) if address else "unknown"

    @property
    def label(self) -> str:
        """`name[address]` or `name[address]:port`, as log lines and replies name it."""
        label = f"{self.name}[{self.address_text}]"
        return f"{label}:{self.port or 'unknown'}" if self.shows_port else label

    @property
    def instance(self) -> str:
        """One for each message, for policy services; empty before MAIL.  Made up when it is asked for."""
        if self.message_number < 0:
            return ""
        return f"{os.getpid():x}.{int(self.message_begun):x}.{self.message_number:x}.0"

    @property
    def literal(self) -> str:
        """The address as in `Received:`: an IPv6 address has its prefix (RFC 5321 §4.1.3)."""
        return f"IPv6:{self.address_text}" if self.address.version == 6 else self.address_text
