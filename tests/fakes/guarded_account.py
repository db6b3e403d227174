"""An account in memory with a mailbox that may be listed, but not read."""

from pillarbox.mailstore.mailbox import MailboxStatus, PermissionDenied
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.mailstore.memory.mailbox import MemoryMailbox


class GuardedAccount(MemoryAccount):
    """`Account`; which mailbox it is may be changed."""

    forbidden = "Sent"

    async def open(self, name: str, *, read_only: bool = False) -> MemoryMailbox:
        """The mailbox, unless it is that one."""
        if name == self.forbidden:
            raise PermissionDenied
        return await super().open(name, read_only=read_only)

    async def status(self, name: str, *, with_modseq: bool = False, with_size: bool = True) -> MailboxStatus:
        """STATUS, unless it is that one."""
        if name == self.forbidden:
            raise PermissionDenied
        return await super().status(name, with_modseq=with_modseq, with_size=with_size)
