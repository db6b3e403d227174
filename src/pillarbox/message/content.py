"""The content of a message, in memory or in a file: what parsers need of it.

DESCRIPTION
    `Content` is what `bytes` can do of it: a length, pieces, and searches.  Messages of a usual size are `bytes`;
    a huge one is read from its file in blocks (mailstore/content/large_content.py), and no parser takes more of it
    at once than headers.
"""

from typing import Protocol


class Content(Protocol):
    """Octets with CRLF line ends."""

    def __len__(self) -> int:
        """Octets."""
        ...

    def __getitem__(self, key: slice, /) -> bytes:
        """A piece; steps are not wanted."""
        ...

    def find(self, sub: bytes, start: int = ..., end: int | None = ..., /) -> int:
        """As bytes.find."""
        ...

    def count(self, sub: bytes, start: int = ..., end: int = ..., /) -> int:
        """As bytes.count; `sub` is one octet."""
        ...

    def startswith(self, prefix: bytes | tuple[bytes, ...], start: int = ..., /) -> bool:
        """As bytes.startswith."""
        ...
