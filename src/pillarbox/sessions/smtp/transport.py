"""What an SMTP session needs of its client's connection, besides what every session does."""

import ssl
from typing import Protocol

from pillarbox.sessions.transport import Transport


class SmtpTransport(Transport, Protocol):
    """A transport that TLS can be put on."""

    idle_limit: float

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS session, if there is one."""
        ...

    @property
    def local_address(self) -> tuple[str, int]:
        """Address and port of our end."""
        ...

    @property
    def has_input(self) -> bool:
        """Whether `receive()` would return at once."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether `drain()` would wait."""
        ...

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Put TLS on.  TlsFault if it fails."""
        ...

    async def gather(self, octets: int, mark: bytes = b"") -> bytes:
        """As `receive()`, once so many have come or the mark may have."""
        ...
