"""What the log says of a delivery: deliver_log_format."""

import time
from collections.abc import Callable, Mapping
from typing import Final

from pillarbox.config.dovecot.log_formats import delivery_text
from pillarbox.mailstore.deliver import Stored
from pillarbox.message.encoded_words import decode_words
from pillarbox.message.header_fields import first_value
from pillarbox.message.line_ends import crlf_size
from pillarbox.message.structured_fields import parse_addresses
from pillarbox.net.handover import Letter

_MAX_MSGID: Final = 200
_MAX_TEXT: Final = 80


class DeliveryTold:
    """One delivery."""

    def __init__(self, template: str, letter: Letter, content: bytes, began: float = 0.0) -> None:
        """`began`: when the storing did, on the monotonic clock."""
        self._template = template
        self._letter = letter
        self._content = content
        self._began = began
        self._stored: Stored | None = None

    def text(self, message: str, stored: Stored | None = None) -> str:
        """The line's text; `message` says what became of the delivery."""
        self._stored = stored
        return delivery_text(self._template, message, lambda name: _VALUES[name](self))

    @property
    def _header(self) -> bytes:
        return header_of(self._content)

    def _message_id(self) -> str:
        value = first_value(self._header, b"message-id")
        return _short(value.decode("utf-8", "replace").strip(), _MAX_MSGID) if value else "unspecified"

    def _subject(self) -> str:
        return _short(decode_words(first_value(self._header, b"subject") or b"").strip(), _MAX_TEXT)

    def _from(self) -> str:
        for address in parse_addresses(first_value(self._header, b"from") or b""):
            if address.mailbox and address.domain:
                text = b"%b@%b" % (address.mailbox, address.domain)
                return _short(text.decode("utf-8", "replace"), _MAX_TEXT)
        return ""

    def _size(self) -> str:
        return str(len(self._content) if self._stored is None else self._stored.size)

    def _vsize(self) -> str:
        return str(crlf_size(self._content) if self._stored is None else self._stored.crlf_size)

    def _storage_id(self) -> str:
        return "" if self._stored is None else self._stored.name.partition(b":")[0].decode("utf-8", "replace")


def _milliseconds(since: float) -> str:
    return str(int((time.monotonic() - since) * 1000)) if since else "0"


def _short(text: str, limit: int) -> str:
    octets = text.encode("utf-8", "replace")
    return text if len(octets) <= limit else octets[: limit - 3].decode("utf-8", "ignore") + "..."


def header_of(content: bytes) -> bytes:
    """The fields, without the empty line; line ends are LF."""
    if content.startswith(b"\n"):
        return b""
    end = content.find(b"\n\n")
    return content if end < 0 else content[: end + 1]


_VALUES: Final[Mapping[str, Callable[[DeliveryTold], str]]] = {
    "msgid": DeliveryTold._message_id,
    "subject": DeliveryTold._subject,
    "from": DeliveryTold._from,
    "size": DeliveryTold._size,
    "vsize": DeliveryTold._vsize,
    "storage_id": DeliveryTold._storage_id,
    "from_envelope": lambda told: told._letter.envelope.sender,
    "to_envelope": lambda told: told._letter.envelope.recipient,
    "session_time": lambda told: _milliseconds(told._letter.envelope.began),
    "delivery_time": lambda told: _milliseconds(told._began),
}
