"""verify(8)'s cache: when an address is probed, what is answered meanwhile, and what is remembered how long."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.config.parameters.address_verification import AddressVerification
from pillarbox.config.snapshot import Snapshot
from pillarbox.observability.events import CacheCleaned, Event, Warned
from pillarbox.queue.verification import AddressStatus, Verified
from pillarbox.queue_manager.verification.cache import VerifyCache
from pillarbox.tables.cache_store import DatabaseStore, MemoryStore, Store, open_store
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.faults import ConfigurationFault

OK, DEFER, BOUNCE, TODO = AddressStatus.OK, AddressStatus.DEFER, AddressStatus.BOUNCE, AddressStatus.TODO
WHO = b"a@x.test"
DAY = 86400.0


class Bench:
    """A cache whose probes are counted."""

    def __init__(self, store: Store | None = None, **settings: str) -> None:
        self.clock = ManualClock()
        self.probed: list[bytes] = []
        self.events: list[Event] = []
        self.broken = False
        self.cache = VerifyCache(
            store or MemoryStore(),
            settings=Snapshot.of(settings).group(AddressVerification),
            send_probe=self._probe,
            clock=self.clock,
            sleep=lambda _: asyncio.sleep(3600),
            tell=self.events.append,
        )

    async def _probe(self, address: bytes) -> None:
        if self.broken:
            raise OSError(28, "No space left on device")
        self.probed.append(address)

    async def ask(self, address: bytes = WHO) -> tuple[AddressStatus, bytes]:
        """What is known now."""
        record = await self.cache.query(address)
        return record.status, record.text


def play(scene: Callable[[Bench], Awaitable[None]], store: Store | None = None, **settings: str) -> Bench:
    """A scene, and the end of the process."""
    bench = Bench(store, **settings)

    async def run() -> None:
        await scene(bench)
        await bench.cache.close()

    asyncio.run(run())
    return bench


def test_the_life_of_an_address() -> None:
    """Unknown, under way, known; probed again when it is old, kept while that fails, forgotten when it has expired."""

    async def scene(bench: Bench) -> None:
        assert await bench.ask() == (TODO, b"Address verification in progress")
        assert await bench.ask() == (TODO, b"Address verification in progress")
        assert bench.probed == [WHO]
        await bench.cache.update(WHO, OK, b"250 Ok")
        assert await bench.ask() == (OK, b"250 Ok")
        bench.clock.advance(7 * DAY + 1)
        assert await bench.ask() == (OK, b"250 Ok")
        assert bench.probed == [WHO, WHO]
        await bench.cache.update(WHO, BOUNCE, b"550 No")
        assert await bench.ask() == (OK, b"250 Ok")
        assert bench.probed == [WHO, WHO]
        bench.clock.advance(1001)
        await bench.ask()
        assert bench.probed == [WHO, WHO, WHO]
        bench.clock.advance(25 * DAY)
        assert (await bench.ask())[0] is TODO

    play(scene)


def test_failures_are_remembered_for_less_time() -> None:
    """Three hours until the next probe, three days until nothing is known any more."""

    async def scene(bench: Bench) -> None:
        await bench.cache.update(WHO, BOUNCE, b"550 No")
        bench.clock.advance(3 * 3600)
        assert await bench.ask() == (BOUNCE, b"550 No")
        assert not bench.probed
        bench.clock.advance(1)
        assert await bench.ask() == (BOUNCE, b"550 No")
        assert bench.probed == [WHO]
        await bench.cache.update(WHO, DEFER, b"450 Later")
        assert await bench.ask() == (DEFER, b"450 Later")
        bench.clock.advance(3 * DAY + 1)
        assert (await bench.ask())[0] is TODO
        assert bench.probed == [WHO, WHO]

    play(scene)


def test_a_lost_probe_is_sent_again() -> None:
    """After a thousand seconds."""

    async def scene(bench: Bench) -> None:
        await bench.ask()
        bench.clock.advance(1000)
        await bench.ask()
        assert bench.probed == [WHO]
        bench.clock.advance(1)
        await bench.ask()
        assert bench.probed == [WHO, WHO]

    play(scene)


def test_patience() -> None:
    """The answer comes with the probe's, whoever else asks; without one, when the time is up."""

    async def scene(bench: Bench) -> None:
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(bench.cache.query(WHO, patience=60)) for _ in range(3)]
            await asyncio.sleep(0.01)
            assert bench.probed == [WHO]
            await bench.cache.update(WHO, BOUNCE, b"550 No")
        assert {task.result().status for task in asked} == {BOUNCE}
        assert (await bench.cache.query(b"b@x.test", patience=0.01)).status is TODO

    play(scene)


def test_failures_that_are_not_remembered() -> None:
    """address_verify_negative_cache = no: whoever waits is told that nothing is known."""

    async def scene(bench: Bench) -> None:
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(bench.cache.query(WHO, patience=60))
            await asyncio.sleep(0.01)
            bench.cache.came_back(WHO)
        assert asked.result().status is TODO
        await bench.ask()
        assert bench.probed == [WHO, WHO]

    play(scene, address_verify_negative_cache="no")


def test_a_probe_that_cannot_be_queued() -> None:
    """The next question tries again."""

    async def scene(bench: Bench) -> None:
        bench.broken = True
        assert (await bench.cache.query(WHO, patience=60)).status is TODO
        assert [event for event in bench.events if isinstance(event, Warned)]
        bench.broken = False
        await bench.ask()
        assert bench.probed == [WHO]

    play(scene)


def test_a_limit_on_probes() -> None:
    """More addresses than address_verify_pending_request_limit wait for their probe."""

    async def scene(bench: Bench) -> None:
        for name in (b"a", b"b", b"c"):
            assert (await bench.ask(name))[0] is TODO
        assert bench.probed == [b"a", b"b"]
        await bench.cache.update(b"a", OK, b"")
        await bench.ask(b"c")
        assert bench.probed == [b"a", b"b", b"c"]

    play(scene, address_verify_pending_request_limit="2")


@pytest.mark.parametrize("kind", ["btree", "hash", "lmdb"])
def test_what_outlives_the_process(kind: str, tmp_path: Path) -> None:
    """Records are in the database in Postfix's form, and are known to the next process."""
    store = DatabaseStore(kind, str(tmp_path / "verify_cache"))

    async def first(bench: Bench) -> None:
        await bench.cache.update(b"a:b@x.test", OK, b"250 Ok: fine")
        await bench.cache.update(WHO, BOUNCE, b"550 No")
        await bench.cache.update(b"old@x.test", BOUNCE, b"550 No")

    async def second(bench: Bench) -> None:
        bench.clock.advance(60)
        assert await bench.ask(b"a:b@x.test") == (OK, b"250 Ok: fine")
        assert await bench.ask() == (BOUNCE, b"550 No")

    async def third(bench: Bench) -> None:
        bench.clock.advance(4 * DAY)
        await bench.ask(b"a:b@x.test")

    play(first, store)
    assert store.load()[b"a_b@x.test"] == b"0:0:1800000000:250 Ok: fine"
    play(second, store)
    bench = play(third, store)
    assert CacheCleaned(store.name, 1, 2) in bench.events
    assert store.load().keys() == {b"a_b@x.test"}


def test_a_database_that_is_none(tmp_path: Path) -> None:
    """It is warned of, and the cache works in memory."""
    (tmp_path / "verify_cache.db").write_bytes(b"nonsense" * 1000)

    async def scene(bench: Bench) -> None:
        await bench.cache.update(WHO, OK, b"250 Ok")
        assert await bench.ask() == (OK, b"250 Ok")

    bench = play(scene, DatabaseStore("btree", str(tmp_path / "verify_cache")))
    assert len([event for event in bench.events if isinstance(event, Warned)]) == 2


def test_tables_that_cannot_be_a_cache() -> None:
    """Refused at start; proxymap(8) is not needed."""
    assert open_store("", where="x").name == "internal:verify"
    assert open_store("proxy:btree:/x", where="x").name == "btree:/x"
    for name in ("memcache:/x", "texthash:/x", "btree:", "/x"):
        with pytest.raises(ConfigurationFault):
            open_store(name, where="main.cf, line 1")


@given(
    st.sampled_from(AddressStatus),
    st.integers(0, 10**14),
    st.integers(1, 10**14),
    st.binary(max_size=300),
)
def test_records_are_read_as_they_are_written(
    status: AddressStatus, probed: int, updated: int, text: bytes
) -> None:
    """Whatever the text has in it."""
    record = Verified(status, probed, updated, text)
    assert Verified.parse(record.encode()) == record


@given(st.binary(max_size=60))
def test_other_octets_are_no_record(octets: bytes) -> None:
    """A database may hold anything: ValueError or a record, nothing else."""
    try:
        record = Verified.parse(octets)
    except ValueError:
        return
    assert record.probed or record.updated
