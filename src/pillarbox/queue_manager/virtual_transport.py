"""virtual(8) as the queue manager sees it: whose mailbox it is, and an agent with that owner's rights.

DESCRIPTION
    virtual_mailbox_maps gives the mailbox below virtual_mailbox_base, virtual_uid_maps and virtual_gid_maps its
    owner.  Recipients of one owner go to the owner's agent together (delivery/agents.py).

    Each service of master.cf has its own settings: several may deliver to mailboxes of several kinds.

    An agent delivers one batch after the other, so that limits on concurrency are met however many jobs it has.
"""

import os
import re
from typing import Final

import msgspec

from pillarbox.config.parameters.virtual_delivery import VirtualDelivery
from pillarbox.delivery.agents import Agents
from pillarbox.delivery.request import MailboxTarget, Outcome
from pillarbox.delivery.status_filter import StatusFilter
from pillarbox.queue_manager.transport import Done, Job, Routed
from pillarbox.routing.resolution import Resolver
from pillarbox.tables.constant_tables import StaticTable
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.address import Address, external_form
from pillarbox.vocabulary.digits import decimal

_CONFIGURATION_ERROR: Final = "mail system configuration error"
_NUMBER: Final = re.compile(rb"[ \t]*([0-9]{1,9})(?![0-9])")
"""Of virtual_uid_maps and virtual_gid_maps; a remark may come behind it."""


class VirtualTransport:
    """Mailboxes of virtual domains."""

    tells_attempts = False

    def __init__(
        self,
        *,
        resolver: Resolver,
        settings: VirtualDelivery,
        owners: "MailboxOwners",
        agents: Agents,
        status_filter: StatusFilter,
    ) -> None:
        self._filter = status_filter
        self._resolver = resolver
        self._settings = settings
        self._owners = owners
        self._agents = agents

    async def deliver(self, job: Job) -> Done:
        """Into Maildirs, the recipients of each owner at once."""
        outcomes: dict[int, Outcome] = {}
        groups: dict[tuple[int, int], list[tuple[int, MailboxTarget]]] = {}
        for at, routed in enumerate(job.recipients):
            found = self._target(routed)
            if isinstance(found, Outcome):
                outcomes[at] = found
            elif job.message.is_trace_only:
                kind = "maildir" if found[1].mailbox.endswith("/") else "mailbox"
                outcomes[at] = Outcome("sent", "2.0.0", f"delivers to {kind}")
            else:
                owner, target = found
                groups.setdefault(owner, []).append((at, target))
        sender = external_form(job.message.sender)
        for (uid, gid), members in groups.items():
            results = await self._agents.deliver(
                job.descriptor,
                data_offset=job.message.data_offset,
                sender=sender,
                targets=[target for _, target in members],
                uid=uid,
                gid=gid,
                is_noted=job.message.is_noted,
                transport=job.transport,
            )
            for (at, _), outcome in zip(members, results, strict=True):
                outcomes[at] = outcome
        filtered = [self._filter.outcome(outcomes[at]) for at in range(len(job.recipients))]
        return Done([msgspec.structs.replace(outcome, relay=job.transport) for outcome in filtered])

    def _target(self, routed: Routed) -> Outcome | tuple[tuple[int, int], MailboxTarget]:
        """The mailbox with its owner, or an outcome at once."""
        address = routed.resolution.recipient
        try:
            mailbox = self._resolver.mailbox_of(address)
            if mailbox is None:
                user = address.folded.decode("utf-8", "replace")
                return Outcome("bounced", "5.1.1", f'unknown user: "{user}"')
            if not self._settings.virtual_mailbox_base:  # nobody needs it whose virtual_transport is another
                raise OwnerFault("virtual(8) needs virtual_mailbox_base")
            owner = self._owners.of(address)
        except LookupFault as fault:
            return Outcome("deferred", "4.3.5", _CONFIGURATION_ERROR, fault.reason)
        except OwnerFault as fault:
            return Outcome("deferred", "4.3.5", _CONFIGURATION_ERROR, str(fault))
        path = os.path.normpath(f"{self._settings.virtual_mailbox_base}/{mailbox}")
        if mailbox.endswith("/"):
            path += "/"
        recipient, original = external_form(address.internal), external_form(routed.recipient.original)
        return owner, MailboxTarget(recipient, original, path, routed.recipient.offset)


class OwnerFault(Exception):
    """A mailbox has no place, or no owner that mail may be written as; `str()` is for the log."""


class MailboxOwners:
    """virtual_uid_maps and virtual_gid_maps."""

    def __init__(
        self,
        uids: tuple[LookupTable, ...],
        gids: tuple[LookupTable, ...],
        *,
        minimum: int,
        resolver: Resolver,
    ) -> None:
        self._uids = uids
        self._gids = gids
        self._minimum = minimum
        self._resolver = resolver
        # The first table answers whatever it is asked.
        self._is_one = all(tables and isinstance(tables[0], StaticTable) for tables in (uids, gids))
        self._one: tuple[int, int] | None = None

    def of(self, recipient: Address) -> tuple[int, int]:
        """uid and gid of the recipient's mailbox.  OwnerFault if there is none, or one too low."""
        if self._one is not None:
            return self._one
        owner = (
            self._number(self._uids, recipient, "uid", self._minimum),
            self._number(self._gids, recipient, "gid", 1),
        )
        if self._is_one:
            self._one = owner
        return owner

    def _number(self, tables: tuple[LookupTable, ...], recipient: Address, kind: str, minimum: int) -> int:
        value = self._resolver.find(tables, recipient)
        if value is None:
            raise OwnerFault(f"recipient {_shown(recipient)}: not found in virtual_{kind}_maps")
        octets = value.encode("utf-8", "surrogateescape")
        digits = _NUMBER.match(octets)
        if digits is None or (found := decimal(digits[1])) < minimum:
            raise OwnerFault(f"recipient {_shown(recipient)}: bad {kind} {value} in virtual_{kind}_maps")
        return found


def _shown(recipient: Address) -> str:
    """As virtual(8) has it: without quotes."""
    return recipient.internal.decode("utf-8", "replace")
