"""autoexpunge after deliveries: mailboxes of users who never log in stay small, too.

DESCRIPTION
    What is due goes when a message has been delivered to its user, and not again for `INTERVAL`: Dovecot looks
    after each delivery, which costs a look at each such mailbox.

FAULTS
    StoreUnavailable  the files cannot be read or written

STANDARDS
    Dovecot 2.3, MailboxSettings
"""

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

from pillarbox.config.mailbox_settings import MailboxSettings, Storage
from pillarbox.mailstore.autoexpunge import Expunge, autoexpunge
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.quota.quotas import AccountQuota
from pillarbox.vocabulary.clock import Clock

INTERVAL: Final = 60.0
"""Seconds between two looks at a user's mailboxes."""
MAX_KNOWN: Final = 10_000
"""Users of whom it is known when they were looked at."""


class DeliveryExpunging:
    """Of one worker."""

    def __init__(self, settings: MailboxSettings, *, executor: Executor, clock: Clock) -> None:
        self._definitions = [one for one in settings.namespaces[0].mailboxes if one.autoexpunge]
        self._executor = executor
        self._clock = clock
        self._looked: dict[str, float] = {}  # by the path of the mail

    def is_due(self, place: Storage) -> bool:
        """Whether a user's mailboxes are to be looked at now; they count as looked at then."""
        if not self._definitions:
            return False
        now = self._clock.monotonic()
        if now - self._looked.get(place.path, float("-inf")) < INTERVAL:
            return False
        if len(self._looked) >= MAX_KNOWN:
            self._looked.clear()
        self._looked[place.path] = now
        return True

    async def expunge(
        self,
        place: Storage,
        quota: AccountQuota | None,
        expunge: Expunge,
        *,
        prepare: Callable[[MaildirAccount], None],
    ) -> None:
        """Remove what is due, by `expunge`, from an account that is made ready by `prepare`.  StoreUnavailable."""
        account = MaildirAccount(place, clock=self._clock, executor=self._executor, quota=quota)
        try:
            prepare(account)
            await autoexpunge(account, self._definitions, now=self._clock.now(), expunge=expunge)
        finally:
            await account.close()
