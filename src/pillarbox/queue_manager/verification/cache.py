"""verify(8): which addresses exist, as far as probes tell; and when the next probe is due.

DESCRIPTION
    `query()` answers from memory.  What is unknown or has expired is probed, and what is old is probed beside the
    answer: a message that is routed like any other and not delivered (`send_probe`), whose outcome comes back by
    `update()`.  Who asks with patience waits for the outcome.

    A probe that fails does not take the place of one that succeeded before that has expired: a mail system that is
    away for an hour keeps its addresses.  A probe that has not come back after 1000 seconds is taken for lost.

    Changes are stored together, some seconds after the first.

FAULTS
    A store that fails is warned of; what is in memory counts.

STANDARDS
    Postfix verify(8), ADDRESS_VERIFICATION_README
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from pillarbox.config.parameters.address_verification import AddressVerification
from pillarbox.observability import events
from pillarbox.queue.verification import IN_PROGRESS, AddressStatus, Verified
from pillarbox.tables.cache_store import Store, StoreFault
from pillarbox.vocabulary.clock import Clock

_LOST: Final = 1000.0
"""Seconds after which a probe that has not come back is sent again."""
_GATHERING: Final = 5.0
"""Seconds in which changes gather before they are stored: the whole file is written anew."""

SendProbe = Callable[[bytes], Awaitable[None]]


class VerifyCache:
    """All addresses."""

    def __init__(
        self,
        store: Store,
        *,
        settings: AddressVerification,
        send_probe: SendProbe,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]],
        tell: events.EventSink,
    ) -> None:
        """`sleep` lets seconds of `clock` go by."""
        self._store = store
        self._settings = settings
        self._send_probe = send_probe
        self._clock = clock
        self._sleep = sleep
        self._tell = tell
        self._records: dict[bytes, Verified] | None = None
        self._loading = asyncio.Lock()
        self._changed: dict[bytes, bytes | None] = {}
        self._under_way: dict[bytes, float] = {}  # addresses that are probed, and since when
        self._waiting: dict[bytes, list[asyncio.Future[None]]] = {}
        self._writing: asyncio.Task[None] | None = None
        self._cleaned: float | None = None

    async def query(self, address: bytes, *, patience: float = 0.0) -> Verified:
        """What is known of an address, internal form; `patience` are seconds to wait for a probe."""
        key = neutral(address)
        records = await self._load()
        record = self._current(records, key)
        await self._probe_if_due(records, key, record)
        record = self._current(records, key)
        if record.status is not AddressStatus.TODO or not patience or key not in self._under_way:
            return record
        back = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(back)
        try:
            async with asyncio.timeout(patience):
                await back
        except TimeoutError:
            pass
        finally:
            waiting = self._waiting.get(key, [])
            if back in waiting:
                waiting.remove(back)
                if not waiting:
                    del self._waiting[key]
        return self._current(records, key)

    async def update(self, address: bytes, status: AddressStatus, text: bytes) -> None:
        """A probe has come back."""
        key = neutral(address)
        records = await self._load()
        before = records.get(key)
        if status is AddressStatus.OK or before is None or before.status is not AddressStatus.OK:
            self._put(records, key, Verified(status, 0, int(self._clock.now()), text))
        self.came_back(address)

    def came_back(self, address: bytes) -> None:
        """A probe has come back, and its outcome is not to be remembered (address_verify_negative_cache)."""
        key = neutral(address)
        self._under_way.pop(key, None)
        for back in self._waiting.pop(key, []):
            if not back.done():
                back.set_result(None)

    async def close(self) -> None:
        """Store what has changed."""
        if self._writing is not None:
            self._writing.cancel()
        if self._changed:
            await self._write()

    # -- records ---------------------------------------------------------------------------------------

    async def _load(self) -> dict[bytes, Verified]:
        """All records; they are read when the first question comes."""
        async with self._loading:
            if self._records is None:
                records: dict[bytes, Verified] = {}
                try:
                    for key, value in (await asyncio.to_thread(self._store.load)).items():
                        try:
                            records[key] = Verified.parse(value)
                        except ValueError as error:
                            self._tell(events.Warned(str(error)))
                except StoreFault as fault:
                    self._tell(events.Warned(str(fault)))
                self._records = records
                if self._settings.address_verify_cache_cleanup_interval:
                    self._clean()
            elif (
                self._cleaned is not None
                and self._clock.now() - self._cleaned > self._settings.address_verify_cache_cleanup_interval
            ):
                self._clean()
        return self._records

    def _current(self, records: dict[bytes, Verified], key: bytes) -> Verified:
        record = records.get(key)
        if record is None:
            return IN_PROGRESS
        if self._clock.now() - record.probed > _LOST and self._has_expired(record):
            if not self._settings.address_verify_negative_cache:
                del records[key]
                self._change(key, None)
            return IN_PROGRESS
        return record

    def _has_expired(self, record: Verified) -> bool:
        settings = self._settings
        if record.status is AddressStatus.OK:
            return record.updated + settings.address_verify_positive_expire_time < self._clock.now()
        return record.updated + settings.address_verify_negative_expire_time < self._clock.now()

    def _put(self, records: dict[bytes, Verified], key: bytes, record: Verified) -> None:
        records[key] = record
        self._change(key, record.encode())

    # -- probes ----------------------------------------------------------------------------------------

    async def _probe_if_due(self, records: dict[bytes, Verified], key: bytes, record: Verified) -> None:
        now, settings = self._clock.now(), self._settings
        refresh = (
            settings.address_verify_positive_refresh_time
            if record.status is AddressStatus.OK
            else settings.address_verify_negative_refresh_time
        )
        since = max(record.probed, self._under_way.get(key, 0.0))
        if now - since <= _LOST or record.updated + refresh >= now:
            return
        limit = settings.address_verify_pending_request_limit
        if len(self._under_way) >= limit:
            self._forget_lost(now)
        if len(self._under_way) >= limit:
            shown = key.decode("utf-8", "replace")
            self._tell(events.Warned(f"{limit} address probes are under way; {shown} is not probed now"))
            return
        self._under_way[key] = now
        if record.updated or settings.address_verify_negative_cache:
            self._put(records, key, msgspec.structs.replace(record, probed=int(now)))
        try:
            await self._send_probe(key)
        except OSError as error:
            self._tell(events.Warned(f"cannot queue an address probe: {error}"))
            if records.get(key) == msgspec.structs.replace(record, probed=int(now)):
                del records[key]  # the next question tries again
                self._change(key, None)
            self.came_back(key)

    def _forget_lost(self, now: float) -> None:
        self._under_way = {key: since for key, since in self._under_way.items() if now - since <= _LOST}

    # -- the store -------------------------------------------------------------------------------------

    def _clean(self) -> None:
        """Remove what has expired, and nobody has asked for."""
        assert self._records is not None
        now = self._clock.now()
        expired = [
            key
            for key, record in self._records.items()
            if now - record.probed > _LOST and self._has_expired(record)
        ]
        for key in expired:
            del self._records[key]
            self._change(key, None)
        self._cleaned = now
        self._tell(events.CacheCleaned(self._store.name, len(self._records), len(expired)))

    def _change(self, key: bytes, value: bytes | None) -> None:
        self._changed[key] = value
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write_later())

    async def _write_later(self) -> None:
        await self._sleep(_GATHERING)
        while self._changed:
            await self._write()

    async def _write(self) -> None:
        changes, self._changed = self._changed, {}
        try:
            await asyncio.to_thread(lambda: self._store.write(changes, cleaned=self._cleaned))
        except StoreFault as fault:
            self._tell(events.Warned(str(fault)))


def neutral(address: bytes) -> bytes:
    """The address as it is stored: without what separates the fields of a record."""
    return address.replace(b":", b"_").replace(b"\0", b"")
