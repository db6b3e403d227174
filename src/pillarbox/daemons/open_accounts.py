"""The accounts that a worker has open: each once for all of its sessions, and for a while after the last one."""

import asyncio
from collections.abc import Callable
from typing import Final

from pillarbox.daemons.startup import give_back_memory
from pillarbox.mailstore.maildir.account import MaildirAccount

_KEPT_SECONDS: Final = 60.0
"""How long an account stays open after its last session: webmail logs in anew for every click."""
_MAX_KEPT: Final = 16
"""Accounts without sessions that stay open."""
_MANY_MESSAGES: Final = 10_000
"""Messages of an account whose memory the system gets back when it is closed: a megabyte or more."""

AccountKey = tuple[str, str]
"""User and Maildir."""


class OpenAccount:
    """An account and how many sessions use it."""

    def __init__(self, key: AccountKey, account: MaildirAccount) -> None:
        self.key = key
        self.account = account
        self.sessions = 0
        self.has_defaults = False
        self.end: asyncio.TimerHandle | None = None  # runs while there are no sessions


class OpenAccounts:
    """All that a process has open."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._accounts: dict[AccountKey, OpenAccount] = {}

    def take(self, key: AccountKey, make: Callable[[], MaildirAccount]) -> OpenAccount:
        """The account for one more session; what `make` raises, if it has to be opened."""
        opened = self._accounts.get(key)
        if opened is None:
            opened = self._accounts[key] = OpenAccount(key, make())
        if opened.end is not None:
            opened.end.cancel()
            opened.end = None
        opened.sessions += 1
        return opened

    async def give_back(self, opened: OpenAccount) -> None:
        """One session less.  StoreUnavailable, if an account has to be closed."""
        opened.sessions -= 1
        if opened.sessions:
            return
        opened.end = asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._close_soon, opened.key)
        kept = [key for key, other in self._accounts.items() if not other.sessions]
        for key in kept[: max(0, len(kept) - _MAX_KEPT)]:
            await self._close(key)

    async def close_unused(self) -> None:
        """Give back all that have no session; what is known of their mailboxes is written down."""
        for key in list(self._accounts):
            await self._close(key)

    @property
    def are_shared(self) -> bool:
        """Whether there are sessions of several users."""
        return len({user for (user, _), opened in self._accounts.items() if opened.sessions}) > 1

    @property
    def are_busy(self) -> bool:
        """Whether something is done in the background for one of them."""
        return any(opened.account.is_busy for opened in self._accounts.values())

    def _close_soon(self, key: AccountKey) -> None:
        self._tasks.create_task(self._close(key))

    async def _close(self, key: AccountKey) -> None:
        """Give an account back that nobody uses."""
        opened = self._accounts.get(key)
        if opened is None or opened.sessions:
            return
        del self._accounts[key]
        if opened.end is not None:
            opened.end.cancel()
        is_large = opened.account.messages_loaded >= _MANY_MESSAGES
        await opened.account.close(releases=True)
        if is_large:
            give_back_memory()
