"""The access policy delegation protocol: `name=value` lines and an empty line each way.

DESCRIPTION
    `encode_request()` writes a request; `PolicyReply` takes what the server sends, in pieces, until `action` is
    there.

FAULTS
    ValueError  the server sent no action, or more than it may

STANDARDS
    SMTPD_POLICY_README
"""

from collections.abc import Iterable
from typing import Final

_LONGEST: Final = 65536
_BREAKS: Final = bytes(0x20 if octet < 0x20 or octet == 0x7F else octet for octet in range(256))


def encode_request(attributes: Iterable[tuple[str, bytes]]) -> bytes:
    """A request; what could end a line in a value becomes a blank."""
    lines = [b"%s=%s\n" % (name.encode(), value.translate(_BREAKS)) for name, value in attributes]
    return b"request=smtpd_access_policy\n" + b"".join(lines) + b"\n"


class PolicyReply:
    """One reply on its way in."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> bytes | None:
        """The action, once the reply is complete; blanks behind it are its own.  ValueError if it is none."""
        self._data += data
        if b"\n\n" not in self._data:
            if len(self._data) > _LONGEST:
                raise ValueError("a reply without an end")
            return None
        for line in self._data.partition(b"\n\n")[0].split(b"\n"):
            name, equals, value = line.partition(b"=")
            if equals and name.strip() == b"action":
                return value.lstrip()
        raise ValueError("missing attribute action")
