"""TLS over octets in memory: records in, clear text out, and the other way round.

DESCRIPTION
    An `SSLObject` between two memory BIOs, which takes 20 KiB for an idle connection.

FAULTS
    ssl.SSLError  of the handshake; later, what the peer has broken reads as the end

STANDARDS
    RFC 8446
"""

import ssl
from typing import Final

_TLS_RECORDS: Final = 65536
"""Octets that are decrypted at once."""


class TlsLayer:
    """An SSLObject between two memory BIOs."""

    __slots__ = ("_incoming", "_outgoing", "established", "ssl_object")

    def __init__(self, context: ssl.SSLContext, *, server_side: bool, server_hostname: str | None) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.ssl_object = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self.established = False

    def feed(self, data: bytes) -> None:
        """Records that came."""
        self._incoming.write(data)

    def handshake_step(self) -> bool:
        """Go on with the handshake; whether it is done."""
        try:
            self.ssl_object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.established = True
        return True

    def encrypt(self, data: bytes) -> bytes:
        """The records of a clear text."""
        written = self.ssl_object.write(data)
        if written < len(data):
            view = memoryview(data)[written:]
            while view:
                view = view[self.ssl_object.write(view) :]
        return self._outgoing.read()

    def decrypt(self) -> tuple[bytes, bool]:
        """Clear text that is there, and whether the peer has ended TLS."""
        parts: list[bytes] = []
        tls, incoming = self.ssl_object, self._incoming
        try:
            # Asking when there is nothing costs an exception, which is as much as a short record.
            while waiting := incoming.pending or tls.pending():
                if not (part := tls.read(min(waiting, _TLS_RECORDS))):
                    return b"".join(parts), True
                parts.append(part)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            return b"".join(parts), True
        return parts[0] if len(parts) == 1 else b"".join(parts), False

    def close_notify(self) -> bytes:
        """RFC 8446 §6.1: tell the peer that no more will come."""
        try:
            self.ssl_object.unwrap()
        except ssl.SSLError:
            pass  # the peer's own close_notify has not come, and need not
        return self._outgoing.read()

    def pending_output(self) -> bytes:
        """Records that are to go out by themselves."""
        return self._outgoing.read() if self._outgoing.pending else b""
