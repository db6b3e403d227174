"""What local delivery works with: its settings and tables, who its users are, and who does things for it."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from pillarbox.config.parameters.local_delivery import LocalDelivery
from pillarbox.delivery.local.forwarding import Forwarder
from pillarbox.delivery.local.frames import Account, DeliverLocally, LocalJobDone
from pillarbox.routing.resolution import Resolver
from pillarbox.tables.table import LookupTable


class Tables(msgspec.Struct, frozen=True):
    """The lookup tables of local delivery."""

    aliases: tuple[LookupTable, ...]
    mailbox_transports: tuple[LookupTable, ...] = ()
    mailbox_commands: tuple[LookupTable, ...] = ()
    fallback_transports: tuple[LookupTable, ...] = ()


class UserFault(Exception):
    """An account that should be there is not."""


class Agents(Protocol):
    """Agents with the rights of accounts."""

    async def local(self, request: DeliverLocally, descriptor: int) -> LocalJobDone:
        """Ask the agent of `request.account`; its number is filled in."""
        ...


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What local delivery works with."""

    settings: LocalDelivery
    soft_bounce: bool  # what would be returned waits
    delimiters: bytes  # recipient_delimiter
    propagate: frozenset[str]  # propagate_unmatched_extensions
    default_account: Account
    tables: Tables
    resolver: Resolver
    agents: Agents
    find_user: Callable[[bytes], Awaitable[Account | None]]
    forwarder: Forwarder
    warn: Callable[[str], None]
    note: Callable[[str], None]
    line_limit: int  # line_length_limit, of :include: files
    is_postmaster_sender: Callable[[bytes], bool]  # whether notices to postmaster come from there
    shows_internal: bool = False  # info_log_address_format = internal
