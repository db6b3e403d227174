"""What a session needs of its connection; `net/connection.py` is the real one."""

from typing import Protocol


class Transport(Protocol):
    """Bytes to and from one peer."""

    async def receive(self) -> bytes:
        """At least one octet, or b"" when the peer has closed.  May be cancelled without losing anything."""
        ...

    def send(self, data: bytes) -> None:
        """Send bytes, in the background."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether `drain()` would wait."""
        ...

    async def drain(self) -> None:
        """Wait until the peer has taken enough of what was sent."""
        ...

    @property
    def is_quiet(self) -> bool:
        """Whether another process could go on: nothing has come that was not taken, nothing waits to be sent."""
        ...

    def close(self) -> None:
        """Send what is left, then close."""
        ...
