"""System users: whose mail is delivered, and with which rights."""

import asyncio
import os
import pwd
from typing import Final

from pillarbox.delivery.local.frames import Account
from pillarbox.vocabulary.clock import Clock

_KEEP_SECONDS: Final = 5.0
_MOST: Final = 1000


class SystemUsers:
    """getpwnam(3), asked in a thread, since the answer may come over a network.

    A user who was found is remembered for some seconds; one who was not is looked for again each time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[bytes, tuple[float, Account]] = {}

    async def find(self, name: bytes) -> Account | None:
        """The user of this name; None if there is none.  OSError if the database cannot answer."""
        now = self._clock.monotonic()
        known = self._known.get(name)
        if known is not None and now - known[0] < _KEEP_SECONDS:
            return known[1]
        account = await asyncio.get_running_loop().run_in_executor(None, _look_up, os.fsdecode(name))
        if account is not None:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[name] = (now, account)
        return account


def _look_up(name: str) -> Account | None:
    try:
        return account_from(pwd.getpwnam(name))
    except (KeyError, ValueError):  # ValueError: no name at all, with a NUL in it
        return None


def account_of(uid: int) -> Account | None:
    """The account with this number."""
    try:
        return account_from(pwd.getpwuid(uid))
    except KeyError:
        return None


def account_from(entry: pwd.struct_passwd) -> Account:
    """An entry of the user database as an account."""
    return Account(
        entry.pw_uid,
        entry.pw_gid,
        os.fsencode(entry.pw_name),
        os.fsencode(entry.pw_dir),
        os.fsencode(entry.pw_shell),
    )
