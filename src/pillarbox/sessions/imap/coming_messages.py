"""The messages of an APPEND that is still coming: the mailbox they go to, and large ones written as they come.

FAULTS
    NoSuchMailbox, PermissionDenied, OverQuota  as the mailbox says
"""

from collections.abc import Awaitable, Callable

from pillarbox.mailstore.mailbox import Mailbox, Spool


class ComingMessages:
    """Of one session; all messages of a command go into one mailbox."""

    __slots__ = ("_target", "spools")

    def __init__(self) -> None:
        self._target: Mailbox | None = None
        self.spools: list[Spool] = []
        """One for each large message."""

    @property
    def any(self) -> bool:
        """Whether `end` has something to do."""
        return self._target is not None

    async def target(self, name: str, open_target: Callable[[str], Awaitable[Mailbox]]) -> Mailbox:
        """The mailbox: opened once, closed by `end`."""
        if self._target is None:
            self._target = await open_target(name)
        return self._target

    async def new_spool(self, target: Mailbox, size: int) -> Spool:
        """For a message that is written as it comes; it goes with the command.  OverQuota."""
        spool = await target.spool(size)
        self.spools.append(spool)
        return spool

    async def end(self) -> None:
        """What has come of a command is not needed any more, or has been stored."""
        if self._target is not None:
            self._target.close()
            self._target = None
        while self.spools:
            await self.spools.pop().discard()
