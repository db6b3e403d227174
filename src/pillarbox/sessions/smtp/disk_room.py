"""Whether there is room for messages: asked once a second while there is, for each MAIL wants to know."""

import os
from functools import lru_cache

from pillarbox.vocabulary.clock import Clock


def has_room(directory: str, octets: int, clock: Clock) -> bool:
    """Whether the disk of a directory had so many free octets within the last second, or has them now.  OSError."""
    second = int(clock.monotonic())
    if _room(directory, second) >= octets:
        return True
    forget_room()
    return _room(directory, second) >= octets


def forget_room() -> None:
    """A message could not be written: what was known is known to be wrong."""
    _room.cache_clear()


@lru_cache(maxsize=4)
def _room(directory: str, second: int) -> int:
    room = os.statvfs(directory)
    return room.f_bavail * room.f_frsize
