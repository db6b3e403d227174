"""The protocol of public/flush: try a message, or the mail for a site, now.

DESCRIPTION
    The server speaks first.  A request is a list of attributes, the answer a status.

FAULTS
    OSError         nobody is there
    AttributeFault  the other side speaks otherwise

STANDARDS
    Postfix queue_flush_protocol, flush(8)
"""

from collections.abc import Callable
from contextlib import closing
from enum import IntEnum
from typing import Final

import msgspec

from pillarbox.net.unix_client import bare_connection
from pillarbox.vocabulary.digits import decimal
from pillarbox.wire.attributes import END, AttributeFault, AttributeReader, encode, greeting

PROTOCOL: Final = b"queue_flush_protocol"
GREETING: Final = greeting(PROTOCOL)
_PATIENCE: Final = 60.0


class FlushStatus(IntEnum):
    """What came of a request."""

    OK = 0
    BAD = 3
    DENIED = 4  # a site that is not in fast_flush_domains


class FlushRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One message, or one site."""

    queue_id: bytes = b""
    site: bytes = b""

    def encode(self) -> bytes:
        """As it is sent."""
        if self.queue_id:
            return encode([(b"request", b"send_file"), (b"queue_id", self.queue_id)]) + END
        return encode([(b"request", b"send_site"), (b"site", self.site)]) + END


def encode_status(status: FlushStatus) -> bytes:
    """The answer."""
    return encode([(b"status", b"%d" % status)]) + END


def request_from(attributes: dict[bytes, bytes]) -> FlushRequest | None:
    """The request that a client sent; None for one that is not known, such as Postfix's own bookkeeping."""
    match attributes.get(b"request"):
        case b"send_file":
            return FlushRequest(queue_id=attributes.get(b"queue_id", b""))
        case b"send_site":
            return FlushRequest(site=attributes.get(b"site", b""))
        case _:
            return None


def ask_flush(queue_directory: str, request: FlushRequest) -> FlushStatus:
    """Ask the service, and wait for what it says."""
    with closing(bare_connection(queue_directory, "public/flush")) as server:
        server.settimeout(_PATIENCE)
        reader = AttributeReader()
        if read_list(reader, lambda: server.recv(4096)) != {b"protocol": PROTOCOL}:
            raise AttributeFault("the server speaks another protocol")
        server.sendall(request.encode())
        answer = read_list(reader, lambda: server.recv(4096))
    try:
        return FlushStatus(decimal(answer.get(b"status", b""), max_digits=3))
    except ValueError as error:
        raise AttributeFault(f"unexpected answer {answer}") from error


def read_list(reader: AttributeReader, receive: Callable[[], bytes]) -> dict[bytes, bytes]:
    """The attributes of one list."""
    found: dict[bytes, bytes] = {}
    while True:
        attribute = reader.next()
        if attribute is None:
            data = receive()
            if not data:
                raise AttributeFault("the other side stopped in between")
            reader.feed(data)
        elif attribute == (b"", b""):
            return found
        else:
            found[attribute[0]] = attribute[1]
