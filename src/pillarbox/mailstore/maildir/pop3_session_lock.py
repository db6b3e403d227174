"""The lock by which a user's POP3 sessions exclude each other (pop3_lock_session), Dovecot's included.

DESCRIPTION
    `dovecot-pop3-session.lock` beside the index files is a lock as that of the uidlist (dovecot_files/dotlock.py),
    but held for a whole session: whoever holds it touches it, so that it is not taken for one that was left
    behind.

FAULTS
    StoreUnavailable  the lock file cannot be made

STANDARDS
    Dovecot 2.3, pop3_lock_session
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from pillarbox.files.directories import make_directories
from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.dovecot_files.dotlock import DotLock
from pillarbox.mailstore.mailbox import StoreUnavailable
from pillarbox.vocabulary.clock import Clock

NAME: Final = b"dovecot-pop3-session"
WAIT_SECONDS: Final = 10.0
STALE_SECONDS: Final = 300.0
"""A lock of another host that nobody has touched for so long is void."""
_TOUCH_SECONDS: Final = STALE_SECONDS / 2
_LOOK_AGAIN: Final = 0.1


class SessionLocked(Exception):
    """Another session has not ended in time."""


@asynccontextmanager
async def session_lock(directory: bytes, *, files: FileSystem, clock: Clock) -> AsyncIterator[None]:
    """Hold the lock.  SessionLocked, StoreUnavailable."""
    lock = DotLock(directory + b"/" + NAME, files=files, clock=clock, stale_seconds=STALE_SECONDS)
    until = clock.monotonic() + WAIT_SECONDS
    try:
        make_directories(directory, files)
        while not lock.attempt():
            if clock.monotonic() >= until:
                raise SessionLocked
            await asyncio.sleep(_LOOK_AGAIN)
    except OSError as error:
        path = os.fsdecode(lock.path)
        raise StoreUnavailable(f"file_dotlock_create({path}) failed: {error.strerror}") from error
    loop = asyncio.get_running_loop()

    timers: list[asyncio.TimerHandle] = []

    def touch() -> None:
        lock.touch()
        timers[:] = [loop.call_later(_TOUCH_SECONDS, touch)]

    timers.append(loop.call_later(_TOUCH_SECONDS, touch))
    try:
        yield
    finally:
        timers[0].cancel()
        lock.release()
