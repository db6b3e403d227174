"""The messages that wait at one transport: in order, one overtaking another, destinations within their windows.

DESCRIPTION
    Messages are served in the order in which they came; their destinations take turns.  A big message can be
    overtaken by small ones: each `slot_cost` of its own deliveries earn a slot, and a message whose deliveries fit
    into the earned slots goes first (SCHEDULER_README, "preemptive scheduling").

    A destination has a window (concurrency.py).  One that is dead takes no entries for `dead_time`: what is added,
    or waits, is given back as `Suspended`, to be deferred with the reason.  A transport whose agents cannot be
    reached is dead for `retry_time` in the same way.

PROPERTIES
    No window, process limit or rate delay is exceeded.
    No destination starves while its transport has room.
"""

import heapq
import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence

import msgspec

from pillarbox.scheduling.concurrency import ConcurrencyRules, Window

_CANDIDATES = 100
"""Messages that are looked at as overtakers."""
_JUST_NOW = 1.0
"""Seconds in which one delivery follows another if much mail goes to a destination."""


class TransportRules(msgspec.Struct, frozen=True, kw_only=True):
    """What main.cf and master.cf say of a transport."""

    process_limit: int = 100  # deliveries at once; 0: no limit
    concurrency: ConcurrencyRules = ConcurrencyRules()
    destination_rate_delay: float = 0.0  # seconds
    transport_rate_delay: float = 0.0
    dead_time: float = 300.0  # minimal_backoff_time
    retry_time: float = 60.0  # transport_retry_time
    slot_cost: int = 5  # 0: no overtaking
    slot_loan: int = 3
    slot_discount: int = 50  # percent
    minimum_slots: int = 3


class Entry(msgspec.Struct, frozen=True):
    """One delivery: some recipients of a message with the same destination."""

    message: Hashable
    transport: str
    destination: str
    recipients: tuple[int, ...]  # whatever the caller calls them


class Suspended(msgspec.Struct, frozen=True):
    """An entry that is not delivered now."""

    entry: Entry
    status: str
    reason: str


class Verdict(msgspec.Struct, frozen=True):
    """What a delivery showed of its destination, or of its transport."""

    site_fault: tuple[str, str] | None = None  # status and text: the destination could not be reached
    transport_fault: tuple[str, str] | None = None


class Crowd(msgspec.Struct, frozen=True):
    """What is under way to a destination."""

    entries: int  # waiting or being delivered
    busy: int
    window: int
    limit: int  # 0: none
    has_peers: bool  # whether the transport has other destinations


GOOD = Verdict()


class _Destination:
    """One destination of a transport."""

    __slots__ = (
        "blocked_until",
        "busy",
        "dead_until",
        "fault",
        "name",
        "parked",
        "waiting",
        "window",
        "woken",
    )

    def __init__(self, rules: ConcurrencyRules, name: str, tell: Callable[[str], None] | None) -> None:
        self.name = name
        self.window = Window(rules, name=name, tell=tell)
        self.busy = 0
        self.waiting = 0  # entries
        self.blocked_until = 0.0  # rate delay
        self.dead_until = 0.0
        self.fault = ("", "")
        self.parked: list[tuple[int, _Job]] = []  # heap of jobs that wait for room here
        self.woken = 0  # jobs that were told of room and have not looked yet

    def has_room(self, now: float, *, single: bool, unlimited: bool) -> bool:
        if self.window.is_dead or self.blocked_until > now:
            return False
        if single:
            return self.busy == 0
        return unlimited or self.busy < self.window.size


class _Job:
    """One message at one transport."""

    __slots__ = (
        "entries",
        "is_parked",
        "message",
        "number",
        "parked_at",
        "selected",
        "slots_used",
        "total",
        "unread",
        "waiting_since",
        "woken_by",
    )

    def __init__(self, message: Hashable, number: int, now: float) -> None:
        self.message = message
        self.number = number
        self.waiting_since = now
        self.entries: dict[str, list[Entry]] = {}  # by destination, in turn; nearly always one entry
        self.total = self.selected = self.slots_used = 0
        self.unread = 0  # recipients for which entries may follow
        self.is_parked = False
        self.parked_at: set[str] | None = None  # destinations
        self.woken_by: _Destination | None = None  # which has room

    def __lt__(self, other: "_Job") -> bool:
        return self.number < other.number

    @property
    def left(self) -> int:
        return self.total - self.selected

    def has_looked(self) -> None:
        """It was told of room, and takes it now, or cannot."""
        if self.woken_by is not None:
            self.woken_by.woken -= 1
            self.woken_by = None


class TransportQueue:
    """What waits and what is under way at a transport; its methods are those of `Scheduler`."""

    def __init__(self, rules: TransportRules, tell: Callable[[str], None] | None) -> None:
        self._rules = rules
        self._tell = tell
        self._destinations: dict[str, _Destination] = {}
        self._delivered: OrderedDict[str, float] = OrderedDict()  # when the last delivery ended, if lately
        self._ready: list[tuple[int, _Job]] = []  # heap: jobs that may have something to deliver
        self._jobs: dict[Hashable, _Job] = {}
        self._busy = 0
        self._blocked_until = 0.0
        self._dead_until = 0.0
        self._fault = ("", "")
        self._delayed: list[tuple[float, str]] = []  # heap of destinations with a rate delay
        self._overtakers: list[Hashable] = []
        self._single = rules.destination_rate_delay > 0
        self._unlimited = rules.concurrency.limit == 0

    @property
    def waiting(self) -> int:
        return sum(destination.waiting for destination in self._destinations.values())

    def has_job(self, message: Hashable) -> bool:
        return message in self._jobs

    def fill(self, message: Hashable, destination: str, recipients: Sequence[int], size: int) -> int:
        job = self._jobs.get(message)
        if job is None or destination not in job.entries:
            return 0
        last = job.entries[destination][-1]
        count = min(len(recipients), max(0, size - len(last.recipients)))
        joined = (*last.recipients, *recipients[:count])
        job.entries[destination][-1] = Entry(last.message, last.transport, last.destination, joined)
        return count

    def take_overtakers(self) -> list[Hashable]:
        taken, self._overtakers = self._overtakers, []
        return taken

    def add(self, entries: Sequence[Entry], now: float, number: int, unread: int) -> list[Suspended]:
        suspended: list[Suspended] = []
        known = self._jobs.get(entries[0].message)
        job = _Job(entries[0].message, number, now) if known is None else known
        job.unread = unread
        for entry in entries:
            destination = self._destinations.get(entry.destination)
            if destination is None:
                destination = self._destinations[entry.destination] = _Destination(
                    self._rules.concurrency, entry.destination, self._tell
                )
            self._wake_from_death(destination, now)
            if self._dead_until > now:
                suspended.append(Suspended(entry, *self._fault))
            elif destination.window.is_dead:
                suspended.append(Suspended(entry, *destination.fault))
            else:
                job.entries.setdefault(entry.destination, []).append(entry)
                job.total += 1
                destination.waiting += 1
        if known is None and job.total:
            self._jobs[job.message] = job
            heapq.heappush(self._ready, (job.number, job))
        elif job.is_parked:  # the new entries may have room
            job.is_parked = False
            heapq.heappush(self._ready, (job.number, job))
        for entry in entries:
            self._forget_if_idle(entry.destination)
        return suspended

    # -- selection -------------------------------------------------------------------------------------

    def next(self, now: float) -> Entry | None:
        rules = self._rules
        if self._blocked_until > now or self._dead_until > now:
            return None
        if rules.process_limit and self._busy >= rules.process_limit:
            return None
        if rules.transport_rate_delay and self._busy:
            return None
        while self._delayed and self._delayed[0][0] <= now:
            self._waited_enough(heapq.heappop(self._delayed)[1], now)
        while self._ready:
            job = self._ready[0][1]
            if not job.left or job.is_parked:
                heapq.heappop(self._ready)
                if (destination := job.woken_by) is not None:  # another may have the room
                    job.has_looked()
                    self._make_room(destination, now)
                continue
            overtaker = self._overtaker(job, now)
            entry = self._take(overtaker or job, now)
            if entry is not None:
                return entry
            if overtaker is None:
                heapq.heappop(self._ready)
                self._park(job)
            else:
                self._ready.remove((overtaker.number, overtaker))
                heapq.heapify(self._ready)
                self._park(overtaker)
        return None

    def _take(self, job: _Job, now: float) -> Entry | None:
        """An entry of a job whose destination has room; its destinations take turns."""
        job.has_looked()
        for name in list(job.entries):
            destination = self._destinations[name]
            if not destination.has_room(now, single=self._single, unlimited=self._unlimited):
                continue
            entries = job.entries.pop(name)
            entry = entries.pop(0)
            if entries:
                job.entries[name] = entries  # behind the others
            job.selected += 1
            if not job.left:
                self._jobs.pop(job.message, None)
            destination.waiting -= 1
            destination.busy += 1
            self._busy += 1
            if self._rules.destination_rate_delay or destination.parked:
                self._make_room(destination, now)
            return entry
        return None

    def _park(self, job: _Job) -> None:
        """Every destination of the job is full: wait at each of them."""
        job.is_parked = True
        parked_at = job.parked_at
        if parked_at is None:
            parked_at = job.parked_at = set()
        for name in job.entries:
            if name not in parked_at:
                parked_at.add(name)
                heapq.heappush(self._destinations[name].parked, (job.number, job))

    def _make_room(self, destination: _Destination, now: float) -> None:
        """Wake the jobs that wait for a destination, as many as it has room for."""
        name = destination.name
        room = (1 if self._single else max(1, destination.window.size - destination.busy)) - destination.woken
        while destination.parked and room > 0:
            if not destination.has_room(now, single=self._single, unlimited=self._unlimited):
                return
            _, job = heapq.heappop(destination.parked)
            if job.parked_at is not None:
                job.parked_at.discard(name)
            if job.is_parked and job.left and name in job.entries:
                job.is_parked = False
                job.woken_by = destination
                destination.woken += 1
                heapq.heappush(self._ready, (job.number, job))
                room -= 1

    def _overtaker(self, job: _Job, now: float) -> _Job | None:
        """A small message that goes before the big one whose turn it is."""
        rules = self._rules
        if not rules.slot_cost or job.total + job.unread < rules.minimum_slots * rules.slot_cost:
            return None
        available = job.selected // rules.slot_cost - job.slots_used
        best: _Job | None = None
        for _, other in self._ready[1:_CANDIDATES]:
            if other is job or other.is_parked or not other.left or other.selected:
                continue
            needed = (other.left + other.unread) * (100 - rules.slot_discount) / 100 - rules.slot_loan
            if available < needed or available < 0 or not job.selected:
                continue
            if best is None or _urgency(other, now) > _urgency(best, now):
                best = other
        if best is not None:
            job.slots_used += best.left
            if best.unread:
                self._overtakers.append(best.message)
            # What has begun to overtake is done before the big one goes on.
            self._ready.remove((best.number, best))
            heapq.heapify(self._ready)
            best.number = self._ready[0][0] - 1
            heapq.heappush(self._ready, (best.number, best))
        return best

    # -- results ---------------------------------------------------------------------------------------

    def done(self, entry: Entry, verdict: Verdict, now: float) -> list[Suspended]:
        rules = self._rules
        destination = self._destinations[entry.destination]
        suspended: list[Suspended] = []
        if verdict.transport_fault is not None:
            self._fault = verdict.transport_fault
            self._dead_until = now + rules.retry_time
            suspended = [Suspended(left, *self._fault) for left in self._drop(None)]
        elif verdict.site_fault is not None:
            destination.window.failed()
            if destination.window.is_dead:
                destination.fault = verdict.site_fault
                destination.dead_until = now + rules.dead_time
                heapq.heappush(self._delayed, (destination.dead_until, entry.destination))
                suspended = [Suspended(left, *destination.fault) for left in self._drop(entry.destination)]
        else:
            destination.window.succeeded(destination.busy)
            self._note_delivered(entry.destination, now)
        destination.busy -= 1
        self._busy -= 1
        if rules.destination_rate_delay:
            destination.blocked_until = now + rules.destination_rate_delay
            heapq.heappush(self._delayed, (destination.blocked_until, entry.destination))
        if rules.transport_rate_delay:
            self._blocked_until = now + rules.transport_rate_delay
        self._make_room(destination, now)
        self._forget_if_idle(entry.destination)
        return suspended

    def more_follows(self, name: str, now: float) -> bool:
        destination = self._destinations.get(name)
        if destination is not None and destination.waiting:
            return True
        return now - self._delivered.get(name, -math.inf) <= _JUST_NOW

    def _note_delivered(self, name: str, now: float) -> None:
        """Remember it for a moment, though nothing else may be known of the destination."""
        self._delivered[name] = now
        self._delivered.move_to_end(name)
        while now - self._delivered[oldest := next(iter(self._delivered))] > _JUST_NOW:
            del self._delivered[oldest]

    def crowd(self, name: str) -> Crowd | None:
        found = self._destinations.get(name)
        if found is None:
            return None
        limit, has_peers = self._rules.concurrency.limit, len(self._destinations) > 1
        return Crowd(found.waiting + found.busy, found.busy, found.window.size, limit, has_peers)

    def next_moment(self) -> float | None:
        if not self._jobs:
            return None
        moments = [self._delayed[0][0]] if self._delayed else []
        if self._blocked_until and not self._busy:
            moments.append(self._blocked_until)
        return min(moments, default=None)

    def revive(self) -> None:
        self._dead_until = 0.0
        for name, destination in list(self._destinations.items()):
            if destination.window.is_dead:
                destination.window.revive()
                self._forget_if_idle(name)

    def expel(self, message: Hashable) -> list[Entry]:
        job = self._jobs.pop(message, None)
        if job is None:
            return []
        entries = [entry for waiting in job.entries.values() for entry in waiting]
        job.entries.clear()
        job.total = job.selected
        for entry in entries:
            self._destinations[entry.destination].waiting -= 1
            self._forget_if_idle(entry.destination)
        return entries

    def _drop(self, name: str | None) -> list[Entry]:
        """Take out what waits for a destination, or for all."""
        dropped: list[Entry] = []
        for job in list(self._jobs.values()):
            names: Iterable[str] = list(job.entries) if name is None else [name]
            for one in names:
                entries = job.entries.pop(one, None)
                if entries:
                    dropped += entries
                    job.total -= len(entries)
                    self._destinations[one].waiting -= len(entries)
            if not job.left:
                self._jobs.pop(job.message, None)
        return dropped

    def _waited_enough(self, name: str, now: float) -> None:
        """A rate delay is over, or a destination's death."""
        destination = self._destinations.get(name)
        if destination is None:
            return
        if destination.blocked_until <= now:
            destination.blocked_until = 0.0
        self._wake_from_death(destination, now)
        self._make_room(destination, now)
        self._forget_if_idle(name)

    def _wake_from_death(self, destination: _Destination, now: float) -> None:
        if destination.window.is_dead and destination.dead_until <= now:
            destination.window.revive()

    def _forget_if_idle(self, name: str) -> None:
        """A destination that nothing is known of any more costs no memory."""
        destination = self._destinations.get(name)
        if (
            destination is not None
            and not destination.busy
            and not destination.waiting
            and not destination.window.is_dead
            and not destination.blocked_until
        ):
            del self._destinations[name]


def _urgency(job: _Job, now: float) -> float:
    """Seconds of waiting for each delivery that it needs."""
    return (now - job.waiting_since + 1.0) / job.left
