"""Which messages a doveadm command is about, and where it puts some.

FAULTS
    NoSuchMailbox, MailboxNameRefused, PermissionDenied; `refusing()` and `closed_target()` make of them what is
    said
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from pillarbox.mailstore.mailbox import (
    Account,
    Mailbox,
    MailboxNameRefused,
    NoSuchMailbox,
    PermissionDenied,
)
from pillarbox.mailstore.namespaces.united_account import UnitedAccount
from pillarbox.mailstore.view import MailboxView
from pillarbox.net.system_clock import SystemClock
from pillarbox.sessions.imap.search_filter import MessageFilter
from pillarbox.tools.doveadm_commands import query as doveadm_query
from pillarbox.tools.doveadm_commands.accounts import MailCommand, missing, status_of
from pillarbox.tools.doveadm_commands.faults import EX_USAGE, MailFault, Usage
from pillarbox.tools.doveadm_commands.mailboxes import is_there, matching, within_reach
from pillarbox.tools.doveadm_commands.query import Query
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import Uid


class Found(msgspec.Struct):
    """A mailbox, and the messages in it that the query means."""

    name: str
    view: MailboxView
    uids: list[Uid]


class _Searching:
    """What the filter asks of whoever searches."""

    def __init__(self, view: MailboxView) -> None:
        self.clock: Clock = SystemClock()
        self.saved_result: list[int] = []
        self.selected = view
        self.selected_name = view.mailbox.name.encode()

    async def flush_if_much(self) -> None:
        """Nobody else is here."""


def query_of(command: MailCommand, words: Sequence[str]) -> Query:
    """The query that the words are; Usage if there are none.  Fatal."""
    if not words:
        raise Usage(command.usage)
    return doveadm_query.parse(words, now=int(SystemClock().now()))


async def search(account: Account, query: Query, *, read_only: bool = False) -> AsyncIterator[Found]:
    """One mailbox after the other; first those that do not exist: NoSuchMailbox."""
    listed = [entry.name for entry in await account.list_mailboxes() if entry.selectable]
    there = within_reach(account, listed, query.masks, public=False)
    for name in query.named:
        if name not in there and name.upper() != "INBOX":
            if not name:
                raise MailboxNameRefused("Invalid mailbox name: Name is empty")
            if not await is_there(account, name):  # where an access list hides it only it is worked on
                raise NoSuchMailbox(name)
            there.append(name)
    for name in matching(there, ()):
        if query.asks_guid:
            guid = (await account.status(name, with_size=False)).guid.decode("ascii")
        else:
            guid = ""
        key = query.within(name, guid)
        if key is None:
            continue
        async with opened_mailbox(account, name, read_only=read_only) as mailbox:
            view = MailboxView(mailbox, read_only=True)
            uids = await MessageFilter(_Searching(view)).filter(key, view.known_uids().tolist())
            yield Found(name, view, [Uid(uid) for uid in uids])


@asynccontextmanager
async def opened_mailbox(account: Account, name: str, *, read_only: bool = False) -> AsyncIterator[Mailbox]:
    """A mailbox for as long as it is needed."""
    mailbox = await account.open(name, read_only=read_only)
    try:
        yield mailbox
    finally:
        mailbox.close()


async def target_mailbox(account: Account, name: str) -> Mailbox:
    """A mailbox into which something is put.  NoSuchMailbox, PermissionDenied."""
    return await (account.open_target(name) if isinstance(account, UnitedAccount) else account.open(name))


def closed_target(user: str, text: str, name: str, fault: NoSuchMailbox | PermissionDenied) -> MailFault:
    """`text: why` of a mailbox into which nothing can be put."""
    why = "Permission denied" if isinstance(fault, PermissionDenied) else missing(name)
    return MailFault(user, f"{text}: {why}", status_of(fault))


def refusing(text: str, user: str, fault: NoSuchMailbox | MailboxNameRefused) -> MailFault:
    """`text` has the mailbox's name in the place of {}."""
    if isinstance(fault, MailboxNameRefused):
        return MailFault(user, f"Syncing mailbox  failed: {fault}", EX_USAGE)
    return MailFault(user, f"{text.format(fault)}: {missing(str(fault))}", status_of(fault))
