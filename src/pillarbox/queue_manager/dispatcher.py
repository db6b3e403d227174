"""From an active message to outcomes: routes, entries for the scheduler, jobs for transports.

DESCRIPTION
    `submit()` finds each recipient's transport and nexthop, and gives the scheduler one entry for each delivery:
    the recipients of a nexthop, at most NAME_destination_recipient_limit of them, sorted as Postfix sorts them: by
    transport, nexthop, domain and address.  With a limit of 1 each recipient
    is a destination of its own.  `completed` is called with each message of which all recipients' fates are known.

    A message of many recipients comes with some of them; more are read when there is room (recipient_slots.py), and
    what is known of a recipient is forgotten when it lasts.

    Recipients of transports in defer_transports wait for a flush.

FAULTS
    A lookup that fails, a transport that does not exist: the recipients are deferred.
"""

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from pillarbox.config.parameters.queue_manager import QueueManager as QueueSettings
from pillarbox.delivery.request import Outcome, softened
from pillarbox.observability import events
from pillarbox.queue.file_source import FileSource, is_done
from pillarbox.queue.queue_file import QueueMessage, QueueRecipient, read_recipients
from pillarbox.queue.records import CorruptQueueFile
from pillarbox.queue.verp import verp_sender
from pillarbox.queue_manager.active_message import ActiveMessage, ReadInParts
from pillarbox.queue_manager.clogged import CloggedDestinations
from pillarbox.queue_manager.results import attempts_made, may_be_traced
from pillarbox.queue_manager.transport import Job, MissingTransport, Routed, Transport
from pillarbox.queue_manager.transport_rules import TransportSettings
from pillarbox.routing.resolution import AddressClass, Resolution, Resolver
from pillarbox.scheduling.recipient_slots import RecipientSlots
from pillarbox.scheduling.scheduler import Scheduler
from pillarbox.scheduling.transport_queue import Entry, Suspended, TransportRules, Verdict
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.clock import Clock

_MISSING = MissingTransport()
_DISCARDED = Outcome("sent", "2.0.0", "undeliverable postmaster notification discarded")
_MARKED = Outcome("sent", "2.0.0", "delivered before the agent ended", tells_success=False)
_SUSPENDED = "delivery temporarily suspended: "
_NOTHING: Final[frozenset[int]] = frozenset()


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    """Where messages go, and who gets nothing."""

    resolver: Resolver
    probe_resolver: Resolver  # of address probes
    filter_nexthop: str  # default_filter_nexthop
    double_bounce: bytes  # local part of who gets nothing, in any case
    caches_failures: bool  # address_verify_negative_cache


class Services(msgspec.Struct, frozen=True):
    """The transports of master.cf, by service name."""

    transports: Mapping[str, Transport]
    rules: Mapping[str, TransportSettings]
    tell_of: Mapping[str, events.EventSink] = {}
    """For deliveries of transports that have a log of their own."""


class Dispatcher:
    """All deliveries of one queue manager."""

    def __init__(
        self,
        *,
        routing: Routing,
        services: Services,
        settings: QueueSettings,
        slots: RecipientSlots,
        settled: Callable[[ActiveMessage, Sequence[QueueRecipient]], list[QueueRecipient]],
        completed: Callable[[ActiveMessage], None],
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]],
        tell: events.EventSink,
    ) -> None:
        """`settled` hears of recipients whose fates are known while others of the message are not, and gives back
        those that nothing more has to be known of.
        """
        self._resolver = routing.resolver
        self._probe_resolver = routing.probe_resolver
        self._double_bounce = routing.double_bounce.lower()
        self._caches_failures = routing.caches_failures
        self._filter_nexthop = routing.filter_nexthop
        self._settings = settings
        self._transports = services.transports
        self._rules = services.rules
        self._slots = slots
        self._settled = settled
        self._unread: dict[object, ActiveMessage] = {}
        self._completed = completed
        self._clock = clock
        self._sleep = sleep
        self._tell = tell
        self._tell_of = services.tell_of
        self._deferred = frozenset(settings.defer_transports)
        self._scheduler = Scheduler(
            self._rules_of,
            tell=(lambda text: tell(events.Noted(text)))
            if settings.destination_concurrency_feedback_debug
            else None,
        )
        self._clogged = CloggedDestinations(settings, clock=clock, tell=tell)
        self._active: dict[object, ActiveMessage] = {}
        self._timer: asyncio.Task[None] | None = None
        self._running = 0
        self._pumps_soon = False
        self._tasks: asyncio.TaskGroup | None = None
        self._stopping = False

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Deliveries run as tasks of this group."""
        self._tasks = tasks

    def stop(self) -> None:
        """Begin no more deliveries; those that run are waited for by the task group."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()

    @property
    def is_idle(self) -> bool:
        """No delivery is under way; some may wait for their time."""
        return not self._running and not self._pumps_soon

    def revive(self) -> None:
        """Forget which destinations and transports are dead (postqueue -f)."""
        self._scheduler.revive()

    def submit(self, active: ActiveMessage, *, flush: bool = False) -> None:
        """Deliver a message; `flush`: also over deferred transports."""
        self._active[active.queue_id] = active
        if active.message.unread:
            active.parts = ReadInParts(self._scheduler.turn(), flush=flush)
            self._slots.begin(active.queue_id, active.parts.turn, self._clock.now())
            self._unread[active.queue_id] = active
        self._assign(active, active.to_do, flush=flush)
        if active.outcomes:
            self._complete_if_done(active)
        self._pump_soon()

    def _refill(self, now: float) -> None:
        """Read more recipients of messages that are not all in memory."""
        for queue_id, active in list(self._unread.items()):
            message = active.message
            count = self._slots.refill(queue_id, now, is_idle=not self._scheduler.waits(queue_id))
            if not count:
                continue
            assert active.parts is not None
            more: list[QueueRecipient] = []
            try:
                more = read_recipients(FileSource(active.opened.descriptor), message, count)
            except (OSError, CorruptQueueFile) as fault:  # what follows is tried again with what waits
                message.unread = 0
                active.parts.waits = True
                self._tell(events.Warned(f"{active.queue_id}: queue file: {fault}"))
            self._slots.in_memory += len(more)
            active.to_do.extend(more)
            self._assign(active, more, flush=active.parts.flush)
            if not message.unread:
                self._slots.end(queue_id)
                del self._unread[queue_id]
                self._complete_if_done(active)
            self._pump_soon()  # there may be room for more

    def _retire(self, active: ActiveMessage, recipients: Sequence[QueueRecipient]) -> None:
        """Their fate is known; of a message that is read in parts, nothing else has to be."""
        if active.parts is not None and recipients:
            self._slots.in_memory -= active.forget(self._settled(active, recipients))

    def _assign(self, active: ActiveMessage, recipients: Sequence[QueueRecipient], *, flush: bool) -> None:
        """Find out where they go, and queue them there."""
        sender = Address.from_internal(active.message.sender)
        groups: dict[tuple[str, str], list[Routed]] = {}
        at_once: list[QueueRecipient] = []
        for recipient in recipients:
            routed = self._route(recipient, sender, active.message)
            if isinstance(routed, Outcome):
                self._settle(active, recipient, "error", routed)
                at_once.append(recipient)
                continue
            if self._is_double_bounce(routed.resolution):
                self._settle(active, recipient, "qmgr", _DISCARDED)
                at_once.append(recipient)
                continue
            active.routed[recipient.offset] = routed
            transport = routed.resolution.transport
            if transport in self._deferred and not flush:
                outcome = Outcome("deferred", "4.3.2", "deferred transport")
                self._settle(active, routed.recipient, "retry", outcome)
                at_once.append(recipient)
                continue
            groups.setdefault((transport, self._destination(transport, routed)), []).append(routed)
        self._retire(active, at_once)
        entries: dict[str, list[Entry]] = {}
        for (transport, destination), members in (
            sorted(groups.items(), key=_destination_of) if len(groups) > 1 else groups.items()
        ):
            if len(members) > 1:
                members.sort(key=_sorted_by)
            self._slots.use(active.queue_id, transport, len(members))
            waiting: Sequence[Routed] = members
            if active.parts is not None:
                waiting = members[self._fill(active, transport, destination, members) :]
            entries.setdefault(transport, []).extend(self._entries(active, transport, destination, waiting))
        now = self._clock.now()
        turn = active.parts.turn if active.parts is not None else None
        unread = max(0, active.message.recipient_count - len(active.to_do)) if active.message.unread else 0
        for of_transport in entries.values():
            self._suspend(self._scheduler.add(of_transport, now, turn=turn, unread=unread))
        for (transport, destination), members in groups.items():
            crowd = self._scheduler.crowd(transport, destination)
            if crowd is not None and crowd.entries > self._clogged.bearable:
                added = sum(entry.destination == destination for entry in entries[transport])
                nexthop = members[0].resolution.nexthop
                self._clogged.look(transport, nexthop, crowd, added=added, active=len(self._active))

    # -- routes ----------------------------------------------------------------------------------------

    def _route(self, recipient: QueueRecipient, sender: Address, message: QueueMessage) -> Routed | Outcome:
        address = Address.from_internal(recipient.address)
        resolver = self._probe_resolver if message.is_probe else self._resolver
        try:
            # A REDIRECT of cleanup(8) comes before its FILTER.
            if message.filter and not message.redirect and not message.is_trace_only:
                resolution = self._through(message.filter, address)
            else:
                resolution = resolver.resolve(address, sender)
            if resolution.recipient != address:  # the agent, the log and the sender get it as it is delivered
                recipient = msgspec.structs.replace(recipient, address=resolution.recipient.internal)
            return Routed(recipient, resolution)
        except LookupFault as fault:
            for line in fault.lines:
                self._tell(events.Warned(line, fault.program))
            return Outcome("deferred", "4.3.0", "address resolver failure")

    def _is_double_bounce(self, resolution: Resolution) -> bool:
        """Whether it is the sender of notices to postmaster and of probes: what comes back to it ends here."""
        return (
            resolution.address_class is AddressClass.LOCAL
            and resolution.recipient.local_part.lower() == self._double_bounce
        )

    def _through(self, content_filter: bytes, address: Address) -> Resolution:
        """The filter gets the address as it is, wherever it leads: no table is asked, as by qmgr(8)."""
        text = content_filter.decode("utf-8", "surrogateescape")
        transport, _, nexthop = text.partition(":")
        domain = address.domain or self._resolver.resolve(address).recipient.domain
        nexthop = nexthop or self._filter_nexthop or domain.decode("utf-8", "surrogateescape")
        return Resolution(address, AddressClass.DEFAULT, transport, nexthop)

    def _destination(self, transport: str, routed: Routed) -> str:
        resolution = routed.resolution
        settings = self._rules.get(transport)
        if settings is not None and settings.recipient_limit == 1:
            return resolution.recipient.folded.decode("utf-8", "surrogateescape")
        return resolution.nexthop.lower()

    def _entries(
        self, active: ActiveMessage, transport: str, destination: str, members: Sequence[Routed]
    ) -> list[Entry]:
        size = self._size(active, transport) or len(members) or 1
        return [
            Entry(
                active.queue_id,
                transport,
                destination,
                tuple(routed.recipient.offset for routed in members[at : at + size]),
            )
            for at in range(0, len(members), size)
        ]

    def _fill(
        self, active: ActiveMessage, transport: str, destination: str, members: Sequence[Routed]
    ) -> int:
        """Recipients that were read later join those that wait; how many did."""
        offsets = [routed.recipient.offset for routed in members]
        size = self._size(active, transport) or active.message.recipient_count
        return self._scheduler.fill(active.queue_id, transport, destination, offsets, size)

    def _size(self, active: ActiveMessage, transport: str) -> int:
        """Recipients of a delivery; 0: any number."""
        if active.message.verp:  # each recipient has a sender of its own
            return 1
        settings = self._rules.get(transport)
        return settings.recipient_limit if settings is not None else 0

    def _rules_of(self, transport: str) -> TransportRules:
        settings = self._rules.get(transport)
        return settings.rules if settings is not None else TransportRules(process_limit=0)

    # -- deliveries ------------------------------------------------------------------------------------

    def _pump_soon(self) -> None:
        """Begin deliveries, once for all that came and all that ended in this turn of the loop."""
        if not self._pumps_soon:
            self._pumps_soon = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        """Begin all deliveries that may begin."""
        self._pumps_soon = False
        if self._stopping or self._tasks is None:
            return
        now = self._clock.now()
        if self._unread:
            self._refill(now)
        while (entry := self._scheduler.next(now)) is not None:
            self._running += 1
            self._tasks.create_task(self._deliver(entry))
        if self._unread:
            for transport, message in self._scheduler.overtakers():
                self._slots.overtook(message, transport)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        moment = self._scheduler.next_moment()
        if self._unread and (refill := self._slots.next_moment()) is not None:
            moment = refill if moment is None else min(moment, refill)
        if moment is not None:
            self._timer = self._tasks.create_task(self._pump_after(max(0.01, moment - now)))

    async def _pump_after(self, seconds: float) -> None:
        await self._sleep(seconds)
        self._timer = None
        self._pump()

    async def _deliver(self, entry: Entry) -> None:
        active = self._active[entry.message]
        members = [active.routed[offset] for offset in entry.recipients]
        transport = self._transports.get(entry.transport, _MISSING)
        if transport is _MISSING:
            missing = os.strerror(errno.ENOENT)
            self._tell(events.Warned(f"connect to transport private/{entry.transport}: {missing}"))
        started = self._clock.now()
        message = active.message
        if message.verp and message.sender:
            recipient = members[0].recipient
            sender = verp_sender(message.sender, message.verp, recipient.original)
            message = msgspec.structs.replace(message, sender=sender)

        known: set[int] = set()
        lasting: list[QueueRecipient] = []

        def heard(outcomes: Sequence[tuple[int, Outcome]]) -> None:
            for at, outcome in outcomes:
                known.add(members[at].recipient.offset)
                self._settle(active, members[at].recipient, entry.transport, outcome, told=True)
            lasting.extend(self._settled(active, [members[at].recipient for at, _ in outcomes]))

        done = await transport.deliver(
            Job(
                queue_id=active.queue_id,
                descriptor=active.opened.descriptor,
                message=message,
                transport=entry.transport,
                nexthop=members[0].resolution.nexthop,
                recipients=members,
                active_time=active.active_time,
                more_follows=self._scheduler.more_follows(entry, started),
                traced=self._traced(active, members),
                heard=heard,
            )
        )
        told = transport.tells_attempts if done.told is None else done.told
        delays = _delays(active, started, self._clock.now())
        for routed, outcome in zip(members, done.outcomes, strict=True):
            recipient = routed.recipient
            if recipient.offset in known:
                continue
            is_told = told and done.transport_fault is None
            if done.transport_fault is not None and is_done(active.opened.descriptor, recipient.offset):
                # The agent has delivered and told it, and died of something else.
                outcome, is_told = _MARKED, True
            self._settle(active, recipient, entry.transport, outcome, delays=delays, told=is_told)
        if active.parts is not None or not active.is_complete:
            rest = [routed.recipient for routed in members if routed.recipient.offset not in known]
            if active.parts is None:
                self._settled(active, rest)
            else:
                self._slots.in_memory -= active.forget(lasting)
                self._retire(active, rest)
        self._slots.release(active.queue_id, entry.transport, len(members))
        self._running -= 1
        verdict = Verdict(done.site_fault, done.transport_fault)
        self._suspend(self._scheduler.done(entry, verdict, self._clock.now()))
        self._complete_if_done(active)
        self._pump_soon()

    def _traced(self, active: ActiveMessage, members: Sequence[Routed]) -> frozenset[int]:
        message, confirms = active.message, self._settings.confirm_delay_cleared
        traced = [
            routed.recipient.offset
            for routed in members
            if may_be_traced(message, routed.recipient, confirms_delays=confirms)
        ]
        return frozenset(traced) if traced else _NOTHING

    def _suspend(self, suspended: Sequence[Suspended]) -> None:
        """Entries of a dead destination: deferred, with the reason why it is dead."""
        for one in suspended:
            active = self._active[one.entry.message]
            outcome = Outcome("deferred", one.status, _SUSPENDED + one.reason)
            recipients = [active.routed[offset].recipient for offset in one.entry.recipients]
            for recipient in recipients:
                self._settle(active, recipient, "error", outcome)
            self._slots.release(active.queue_id, one.entry.transport, len(recipients))
            self._retire(active, recipients)
            self._complete_if_done(active)

    def _settle(
        self,
        active: ActiveMessage,
        recipient: QueueRecipient,
        transport: str,
        outcome: Outcome,
        *,
        delays: "_Delays | None" = None,
        told: bool = False,
    ) -> None:
        """A recipient's fate is known; without `delays` nobody has tried to deliver to it."""
        trace_only = active.message.is_trace_only
        settings = self._rules.get(transport)
        softly = self._settings.soft_bounce if settings is None else settings.soft_bounce
        if softly and not trace_only:
            outcome = softened(outcome)
        active.outcomes[recipient.offset] = (transport, outcome)
        for line in outcome.reason.split("\n") if outcome.reason else ():
            self._tell(events.Warned(f"{active.queue_id}: {line}"))
        if told:
            return
        if delays is None:
            delays = _delays(active, now := self._clock.now(), now)
        # What no service delivers is deferred in the name of error(8).
        own = "qmgr" if transport == "qmgr" else "error"
        program = settings.service.program if settings is not None else own
        made = attempts_made(
            active.queue_id,
            recipient,
            program,
            outcome,
            delays,
            trace_only=trace_only,
            cached=self._caches_failures or not active.message.is_probe,
        )
        tell = self._tell_of.get(transport, self._tell)
        for attempt in made:
            (tell if attempt.agent == program else self._tell)(attempt)

    def _complete_if_done(self, active: ActiveMessage) -> None:
        if active.is_complete and self._active.pop(active.queue_id, None) is not None:
            self._completed(active)


_Delays = tuple[float, float, float, float]


def _delays(active: ActiveMessage, begun: float, ended: float) -> _Delays:
    """`delays=` of a delivery: seconds before the queue manager, in the active queue, and in the delivery."""
    return (
        max(0.0, active.active_time - active.message.arrival_time),
        max(0.0, begun - active.active_time),
        0.0,
        max(0.0, ended - begun),
    )


def _sorted_by(routed: Routed) -> tuple[bool, bytes, bytes]:
    """Domains without regard to case, recipients without one last, then the addresses."""
    address = routed.recipient.address
    _, at, domain = address.rpartition(b"@")
    return not at, domain.lower(), address


def _destination_of(group: tuple[tuple[str, str], list[Routed]]) -> tuple[str, str]:
    return group[0]
