"""The mailboxes of an account that are in memory: one object for all sessions that have a mailbox open.

DESCRIPTION
    A mailbox is loaded once, however many ask for it at the same time.  Some that nobody has open any more stay,
    so that STATUS and the next SELECT need no new listing; of the others the numbers of their STATUS are kept
    (mailstore/maildir/known_statuses.py), and what they know is written down for the next worker.

FAULTS
    NoSuchMailbox, StoreUnavailable  as those of `make`
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from pillarbox.mailstore.cache.leisure import Leisure
from pillarbox.mailstore.mailbox import NoSuchMailbox
from pillarbox.mailstore.mailbox_names import normalise
from pillarbox.mailstore.maildir.known_statuses import KnownStatuses
from pillarbox.mailstore.maildir.mailbox import MaildirMailbox

MAX_IDLE: Final = 8
"""Mailboxes without users that stay loaded."""
MAX_LOOKED_AT: Final = 64
"""The same of those that no session has had open: whose STATUS was asked for."""
MAX_LOOKED_AT_MESSAGES: Final = 100_000
"""Messages of these together."""


class LoadedMailboxes:
    """Those of one account, by name.  All methods are called on the event loop."""

    def __init__(
        self,
        make: Callable[[str], Awaitable[MaildirMailbox]],
        statuses: KnownStatuses,
        leisure: Leisure,
    ) -> None:
        """`make` loads the mailbox of a normalised name."""
        self._make = make
        self._statuses = statuses
        self._leisure = leisure
        self._mailboxes: dict[str, MaildirMailbox] = {}
        self._loading: dict[str, asyncio.Lock] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._mailboxes

    def __iter__(self) -> Iterator[MaildirMailbox]:
        return iter(self._mailboxes.values())

    def __len__(self) -> int:
        return len(self._mailboxes)

    async def get(self, name: str) -> MaildirMailbox:
        """The mailbox with its messages; two sessions that ask at once get the same."""
        if (loaded := self._mailboxes.get(name)) is not None:
            return loaded
        name = normalise(name)
        if (loaded := self._mailboxes.get(name)) is not None:
            return loaded
        async with self._loading.setdefault(name, asyncio.Lock()):
            mailbox = self._mailboxes.get(name)
            if mailbox is None:
                mailbox = self._mailboxes[name] = await self._make(name)
            return mailbox

    async def open(self, name: str, *, read_only: bool) -> MaildirMailbox:
        """The mailbox, refreshed, for one user more."""
        known = self._mailboxes.get(name)
        if known is not None and known.is_current(read_only=read_only):  # as mostly
            known.users += 1
            known.fill_cache()
            return known
        try:
            return await self._opened(await self.get(name), read_only=read_only)
        except NoSuchMailbox:
            # What is loaded may be one that somebody has replaced meanwhile: look at what is there now.
            if self.take(normalise(name)) is None:
                raise
        return await self._opened(await self.get(name), read_only=read_only)

    async def open_target(self, name: str) -> MaildirMailbox:
        """The same for one who puts something into it, and looks himself for what other programs did."""
        mailbox = await self.get(name)
        if not mailbox.is_as_listed:  # or it is another one by now
            return await self.open(name, read_only=True)
        mailbox.users += 1
        mailbox.fill_cache()
        return mailbox

    def take(self, name: str) -> MaildirMailbox | None:
        """Take out what is loaded under that name, if anything is."""
        return self._mailboxes.pop(name, None)

    def put(self, mailbox: MaildirMailbox) -> None:
        """It is loaded, under its name."""
        self._mailboxes[mailbox.name] = mailbox

    def clear(self) -> None:
        """Take out all."""
        self._mailboxes.clear()

    def keep_few_idle(self, closed: MaildirMailbox) -> None:
        """Nobody has this one open any more: it stays, and of those before it not too many."""
        if len(self._mailboxes) <= MAX_IDLE:  # as mostly
            return
        idle = [one for one in self._unused() if one.was_opened and one is not closed]
        for mailbox in idle[: max(0, len(idle) + 1 - MAX_IDLE)]:
            self._give_back(mailbox)

    def keep_few_looked_at(self) -> None:
        """One more was loaded for its STATUS alone."""
        idle = [one for one in self._unused() if not one.was_opened]
        messages = sum(len(one.messages) for one in idle)
        for at, mailbox in enumerate(idle[:-1]):
            if len(idle) - at <= MAX_LOOKED_AT and messages <= MAX_LOOKED_AT_MESSAGES:
                break
            messages -= len(mailbox.messages)
            self._give_back(mailbox)

    async def _opened(self, mailbox: MaildirMailbox, *, read_only: bool) -> MaildirMailbox:
        mailbox.users += 1
        try:
            await mailbox.refresh(read_only=read_only)
        except BaseException:
            mailbox.close()
            raise
        mailbox.fill_cache()
        return mailbox

    def _unused(self) -> list[MaildirMailbox]:
        """Those that no session has open, those that were loaded first before the others."""
        return [mailbox for mailbox in self._mailboxes.values() if mailbox.users == 0]

    def _give_back(self, mailbox: MaildirMailbox) -> None:
        mailbox.stop_filling()
        self._statuses.keep(self._mailboxes.pop(mailbox.name))
        self._leisure.add(mailbox.writing_down())
