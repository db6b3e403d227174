"""What a queue file says of the client: `log_*` and `client_*` attributes, encoded once per session."""

from pillarbox.access.client import ClientFacts
from pillarbox.queue.new_queue_file import encode_attributes


class ClientRecords:
    """The records of a client, made anew when HELO has changed what they say."""

    __slots__ = ("_key", "_records")

    def __init__(self) -> None:
        self._key: tuple[bytes, str] | None = None
        self._records = b""

    def of(self, client: ClientFacts, local: tuple[str, int], forwarded: dict[bytes, bytes]) -> bytes:
        """`A` records in Postfix's order; `forwarded` is what XFORWARD says for the log."""
        key = (client.helo, client.protocol)
        if key != self._key:
            self._key = key
            self._records = encode_attributes(_attributes(client, local, forwarded))
        return self._records


def _attributes(
    client: ClientFacts, local: tuple[str, int], forwarded: dict[bytes, bytes]
) -> list[tuple[bytes, bytes]]:
    name, port = client.name.encode("ascii", "replace"), b"%d" % client.port if client.port else b"unknown"
    helo, protocol = client.helo or b"unknown", client.protocol.encode()
    address = client.address_text.encode()
    log_name, log_address = forwarded.get(b"NAME", name), forwarded.get(b"ADDR", address)
    log_helo = forwarded.get(b"HELO", helo)
    origin = log_name
    if forwarded.get(b"ADDR") != b"unknown":
        origin = b"%s[%s]" % (log_name, log_address)
        if client.shows_port:
            origin += b":" + forwarded.get(b"PORT", port)
    return [
        (b"log_client_name", log_name),
        (b"log_client_address", forwarded.get(b"ADDR", client.literal.encode())),
        (b"log_client_port", forwarded.get(b"PORT", port)),
        (b"log_message_origin", origin),
        *([(b"log_helo_name", log_helo)] if log_helo else []),
        (b"log_protocol_name", forwarded.get(b"PROTO", protocol)),
        (b"client_name", name),
        (b"reverse_client_name", client.reverse_name.encode("ascii", "replace")),
        (b"client_address", address),
        (b"client_port", port),
        (b"server_address", local[0].encode()),
        (b"server_port", b"%d" % local[1] if local[1] else b"unknown"),
        (b"helo_name", helo),
        (b"protocol_name", protocol),
        (b"client_address_type", b"10" if client.address.version == 6 else b"2"),
    ]
