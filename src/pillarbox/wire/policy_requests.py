"""The access policy delegation protocol, as a server of it: `name=value` lines, and an empty line behind them.

DESCRIPTION
    `PolicyRequests` takes what a client sends, in pieces, and gives each request once its empty line is there.
    Lines without `=` mean nothing; of a name that comes twice, the last value counts.  `encode_action()` writes
    the answer.

FAULTS
    ValueError  a request that is longer than `LONGEST`

STANDARDS
    SMTPD_POLICY_README
"""

from typing import Final

LONGEST: Final = 65536
"""Octets of a request."""


class PolicyRequests:
    """The requests of one client."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> list[dict[str, bytes]]:
        """The requests that `data` completes.  ValueError."""
        self._data += data
        found = []
        while (request := self._next()) is not None:
            found.append(request)
        if len(self._data) > LONGEST:
            raise ValueError("a request without an end")
        return found

    def _next(self) -> dict[str, bytes] | None:
        head, end, rest = self._data.partition(b"\n\n")
        if self._data.startswith(b"\n"):  # a request without a line
            head, end, rest = b"", b"\n", self._data[1:]
        if not end:
            return None
        self._data = rest
        pairs = (line.rstrip(b"\r").partition(b"=") for line in head.split(b"\n"))
        return {name.decode("ascii", "replace"): value for name, equals, value in pairs if equals}


def encode_action(action: str) -> bytes:
    """The answer; a line end in it becomes a blank."""
    return b"action=%b\n\n" % action.encode("utf-8", "replace").replace(b"\r", b" ").replace(b"\n", b" ")
