"""The plugin lazy_expunge: what is expunged goes to another mailbox first.

DESCRIPTION
        plugin {
          lazy_expunge = Expunged
        }

    A message keeps its date, its flags but \\Deleted, and its GUID; by hard link, where the file system allows.  A
    quota does not forbid it, though it counts.  The mailbox is made when it is needed.  With
    `only_last_instance`, a message that has another copy (its file has more links) goes for good.

    What is moved with MOVE leaves a copy, too, as in Dovecot, unless it is moved where the copy would go.

FAULTS
    StoreUnavailable  it cannot be kept, and so it must not be expunged

STANDARDS
    Dovecot 2.3, Plugins.LazyExpunge
"""

from collections.abc import Callable, Sequence

from pillarbox.mailstore.mailbox import (
    Mailbox,
    MailboxExists,
    MailboxNameRefused,
    MessageGone,
    NoSuchMailbox,
    StoreUnavailable,
)
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.mailbox import MaildirMailbox
from pillarbox.vocabulary.identifiers import Uid


class LazyExpunge:
    """Of one tree."""

    def __init__(
        self,
        target: MaildirAccount,
        target_of: Callable[[str], str | None],
        *,
        only_last_instance: bool,
        owns_target: bool,
    ) -> None:
        """`target_of` gives the mailbox in `target` for one of the tree's, None if messages go for good there;
        MailboxNameRefused.  `owns_target`: close it with the tree."""
        self._target = target
        self._target_of = target_of
        self._only_last_instance = only_last_instance
        self._owns_target = owns_target

    async def keep(
        self, mailbox: MaildirMailbox, uids: Sequence[Uid], *, moved_to: Mailbox | None = None
    ) -> None:
        """Copy messages that are about to be expunged; `moved_to` has them already.  StoreUnavailable."""
        try:
            name = self._target_of(mailbox.name)
        except MailboxNameRefused as fault:
            raise _not_opened(str(fault)) from fault
        if name is None:
            return
        while chosen := await self._chosen(mailbox, uids):
            target = await self._opened(name)
            try:
                if moved_to is target:
                    return
                await mailbox.copy_for_keeping(chosen, target)
            except MessageGone:  # another program was faster
                await mailbox.refresh(read_only=True)
            else:
                return
            finally:
                target.close()

    async def close(self) -> None:
        """Give the other tree back."""
        if self._owns_target:
            await self._target.close()

    async def _chosen(self, mailbox: MaildirMailbox, uids: Sequence[Uid]) -> list[Uid]:
        there = [uid for uid in uids if mailbox.messages.row(uid) is not None]
        return await mailbox.last_instances(there) if self._only_last_instance and there else there

    async def _opened(self, name: str) -> MaildirMailbox:
        try:
            try:
                return await self._target.open_target(name)
            except NoSuchMailbox:
                try:
                    await self._target.create(name)
                except MailboxExists:
                    pass  # by now
                return await self._target.open_target(name)
        except NoSuchMailbox as fault:
            raise _not_opened(fault.reason or f"Mailbox doesn't exist: {name}") from fault
        except MailboxNameRefused as fault:
            raise _not_opened(str(fault)) from fault


def _not_opened(reason: str) -> StoreUnavailable:
    return StoreUnavailable(f"lazy_expunge: Couldn't open expunge mailbox: {reason}")
