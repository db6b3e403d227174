"""Messages that this process has just stored, as long as the cache does not have them.

DESCRIPTION
    What a client appends is in memory already; whoever asks for it first, and the cache, need not open its file.
    A message is kept for a fraction of a second, until the cache is filled in the background
    (mailstore/cache/filling.py), and only a few are: one more costs the reading of its file.

    Contents are as the file has them, plain.
"""

import threading
from collections.abc import Iterable
from typing import Final

MAX_CONTENT: Final = 512 * 1024
"""Octets of a message that is kept."""
MAX_OCTETS: Final = 1024 * 1024
"""Octets of all of a mailbox."""


class FreshMessages:
    """Those of one mailbox.  Any thread may call."""

    def __init__(self) -> None:
        self._contents: dict[int, bytes] = {}
        self._octets = 0
        self._lock = threading.Lock()

    def __contains__(self, uid: int) -> bool:
        return uid in self._contents

    @property
    def uids(self) -> list[int]:
        """Of all that are kept, rising."""
        with self._lock:
            return sorted(self._contents)

    def add(self, uid: int, content: bytes) -> None:
        """A message was stored; without content, as one that was too large for memory, nothing is kept."""
        with self._lock:
            if content and len(content) <= MAX_CONTENT and self._octets + len(content) <= MAX_OCTETS:
                self._contents[uid] = content
                self._octets += len(content)

    def get(self, uid: int) -> bytes | None:
        """The content, if it is kept."""
        return self._contents.get(uid)

    def forget(self, uids: Iterable[int]) -> None:
        """The cache has them, or they are gone."""
        with self._lock:
            for uid in uids:
                self._octets -= len(self._contents.pop(uid, b""))
