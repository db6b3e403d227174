"""What every resolver promises (net/dns/records.py), kept by the network's and by the one of data; and the rest."""

import asyncio
import struct
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.name_server import NameServer
from fakes.zones import ZoneResolver, Zones
from pillarbox.delivery.smtp.dane import usable
from pillarbox.net.dns.host_files import (
    HostNames,
    ResolverOptions,
    read_host_names,
    read_resolver_options,
)
from pillarbox.net.dns.host_lookup import HostAddresses, HostLookup
from pillarbox.net.dns.messages import NotOurs, Truncated, new_query, read_response
from pillarbox.net.dns.records import (
    Answer,
    DnsFault,
    Mx,
    Outcome,
    RecordType,
    Resolver,
    Srv,
    Tlsa,
    host_name,
    reverse_name,
)
from pillarbox.net.dns.stub_resolver import StubResolver
from pillarbox.vocabulary.clock import ManualClock

ZONES: Zones = {
    "example.test": {
        RecordType.MX: [Mx(20, "b.example.test"), Mx(10, "a.example.test")],
        RecordType.TXT: [b"v=spf1 -all"],
        RecordType.NS: ["ns.test"],
    },
    "a.example.test": {RecordType.A: ["192.0.2.1", "192.0.2.2"], RecordType.AAAA: ["2001:db8::1"]},
    "b.example.test": {RecordType.A: ["192.0.2.3"]},
    "www.example.test": {RecordType.CNAME: ["web.example.test"]},
    "web.example.test": {RecordType.CNAME: ["a.example.test"]},
    "dead.example.test": {RecordType.CNAME: ["nowhere.example.test"]},
    "round.example.test": {RecordType.CNAME: ["trip.example.test"]},
    "trip.example.test": {RecordType.CNAME: ["round.example.test"]},
    "null.test": {RecordType.MX: [Mx(0, "")]},
    "_submission._tcp.example.test": {
        RecordType.SRV: [Srv(20, 0, 587, "b.example.test"), Srv(10, 5, 2587, "a.example.test")]
    },
    "_smtp._tcp.example.test": {RecordType.SRV: [Srv(0, 0, 0, "")]},
    "deep.below.test": {RecordType.A: ["192.0.2.9"]},
    "1.2.0.192.in-addr.arpa": {RecordType.PTR: ["a.example.test"]},
}
FAILING = frozenset({"broken.test"})

Scene = Callable[[Resolver], Awaitable[None]]
Play = Callable[[Scene], None]


@pytest.fixture(params=["stub", "zones"])
def play(request: pytest.FixtureRequest) -> Play:
    """Run a scene with each resolver."""

    def run(scene: Scene) -> None:
        async def perform() -> None:
            if request.param == "zones":
                await scene(ZoneResolver(ZONES, failing=FAILING))
                return
            server = NameServer(ZONES, failing=FAILING)
            await server.start()
            await scene(stub(server))
            await server.stop()

        asyncio.run(perform())

    return run


def stub(server: NameServer, clock: ManualClock | None = None, **options: object) -> StubResolver:
    """A stub resolver that asks this server."""
    chosen = {"servers": (("127.0.0.1", server.port),), "timeout": 5.0, **options}
    return StubResolver(clock=clock or ManualClock(), options=ResolverOptions(**chosen))  # type: ignore[arg-type]


ANSWERS = [
    ("example.test", RecordType.MX, (Mx(10, "a.example.test"), Mx(20, "b.example.test"))),
    ("example.test", RecordType.TXT, (b"v=spf1 -all",)),
    ("a.example.test", RecordType.A, ("192.0.2.1", "192.0.2.2")),
    ("a.example.test", RecordType.AAAA, ("2001:db8::1",)),
    ("www.example.test", RecordType.A, ("192.0.2.1", "192.0.2.2")),
    ("null.test", RecordType.MX, (Mx(0, ""),)),
    ("1.2.0.192.in-addr.arpa", RecordType.PTR, ("a.example.test",)),
    (
        "_submission._tcp.example.test",
        RecordType.SRV,
        (Srv(10, 5, 2587, "a.example.test"), Srv(20, 0, 587, "b.example.test")),
    ),
    ("_smtp._tcp.example.test", RecordType.SRV, (Srv(0, 0, 0, ""),)),
]


@pytest.mark.parametrize(("name", "kind", "records"), ANSWERS)
def test_records(play: Play, name: str, kind: RecordType, records: tuple[object, ...]) -> None:
    """What the zone holds, CNAMEs followed."""

    async def scene(resolver: Resolver) -> None:
        answer = await resolver.resolve(name, kind)
        assert (Outcome.FOUND, kind, 300) == (answer.outcome, answer.kind, answer.ttl)
        assert set(records) == set(answer.records)
        if kind is RecordType.MX:
            assert records == answer.exchanges
        if kind is RecordType.SRV:
            assert records == answer.services

    play(scene)


MISSES = [
    ("nowhere.test", RecordType.A, Outcome.NO_NAME),
    ("dead.example.test", RecordType.A, Outcome.NO_NAME),
    ("b.example.test", RecordType.AAAA, Outcome.NO_DATA),
    ("below.test", RecordType.A, Outcome.NO_DATA),  # RFC 8020: there is something below it
]


@pytest.mark.parametrize(("name", "kind", "outcome"), MISSES)
def test_a_miss_is_an_answer(play: Play, name: str, kind: RecordType, outcome: Outcome) -> None:
    """NXDOMAIN and NODATA are facts, and different ones."""

    async def scene(resolver: Resolver) -> None:
        answer = await resolver.resolve(name, kind)
        assert (outcome, ()) == (answer.outcome, answer.records)

    play(scene)


@pytest.mark.parametrize("name", ["broken.test", "round.example.test"])
def test_a_fault_is_no_answer(play: Play, name: str) -> None:
    """SERVFAIL and aliases in a circle: nobody knows, in Postfix's words."""

    async def scene(resolver: Resolver) -> None:
        with pytest.raises(DnsFault) as caught:
            await resolver.resolve(name, RecordType.MX)
        assert (
            f"Host or domain name not found. Name service error for name={name} type=MX: "
            "Host not found, try again"
        ) == caught.value.public

    play(scene)


# -- the stub resolver alone ------------------------------------------------------------------------------


def with_server(scene: Callable[[NameServer], Awaitable[None]]) -> None:
    """Run a scene with a server."""

    async def perform() -> None:
        server = NameServer(ZONES, failing=FAILING)
        await server.start()
        await scene(server)
        await server.stop()

    asyncio.run(perform())


def test_an_answer_is_remembered_for_its_time_to_live() -> None:
    """Hits and misses; a fault is not."""

    async def scene(server: NameServer) -> None:
        clock = ManualClock()
        resolver = stub(server, clock)
        for _ in range(2):
            await resolver.resolve("b.example.test", RecordType.A)
            await resolver.resolve("nowhere.test", RecordType.A)
            with pytest.raises(DnsFault):
                await resolver.resolve("broken.test", RecordType.A)
        assert 1 + 1 + 2 * 2 == len(server.asked)  # a failing server is asked `attempts` times
        clock.advance(61)  # the SOA's minimum
        await resolver.resolve("nowhere.test", RecordType.A)
        await resolver.resolve("b.example.test", RecordType.A)
        assert 7 == len(server.asked)
        clock.advance(240)
        await resolver.resolve("b.example.test", RecordType.A)
        assert 8 == len(server.asked)

    with_server(scene)


def test_one_question_for_many_who_ask() -> None:
    """Questions that are open are shared, also when the first who asked goes away."""

    async def scene(server: NameServer) -> None:
        resolver = stub(server)
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(resolver.resolve("example.test", RecordType.MX))
            others = [tasks.create_task(resolver.resolve("example.test", RecordType.MX)) for _ in range(5)]
            await asyncio.sleep(0)
            first.cancel()
        assert {2} == {len(task.result().records) for task in others}
        assert len(server.asked) <= 2

    with_server(scene)


def test_a_lost_datagram_is_sent_again() -> None:
    """The second attempt is heard."""

    async def scene(server: NameServer) -> None:
        server.silent = 1
        resolver = stub(server, timeout=0.5)
        assert ("192.0.2.3",) == (await resolver.resolve("b.example.test", RecordType.A)).texts

    with_server(scene)


def test_the_next_server_is_asked() -> None:
    """One that does not answer, or fails, is no answer as long as there is another."""

    async def scene(server: NameServer) -> None:
        broken = NameServer(ZONES, failing=frozenset({"b.example.test"}))
        await broken.start()
        servers = (("127.0.0.1", 1), ("127.0.0.1", broken.port), ("127.0.0.1", server.port))
        resolver = stub(server, servers=servers)
        assert ("192.0.2.3",) == (await resolver.resolve("b.example.test", RecordType.A)).texts
        await broken.stop()

    with_server(scene)


def test_a_long_answer_comes_over_tcp() -> None:
    """TC means: ask again by stream."""

    async def scene(server: NameServer) -> None:
        server.truncate = True
        answer = await stub(server).resolve("example.test", RecordType.MX)
        assert 2 == len(answer.records)
        assert 2 == len(server.asked)

    with_server(scene)


def test_a_forged_answer_is_passed_over() -> None:
    """Another id, another question, no DNS message: the right answer may still come."""

    def forge(wire: bytes) -> list[bytes]:
        other_id = struct.pack("!H", struct.unpack("!H", wire[:2])[0] ^ 1) + wire[2:]
        other_name = wire.replace(b"\x07example\x04test", b"\x07exbmple\x04test")
        return [other_id, other_name, b"", b"\x00" * 5, wire]

    async def scene(server: NameServer) -> None:
        server.change = forge
        answer = await stub(server).resolve("example.test", RecordType.MX)
        assert 2 == len(answer.records)

    with_server(scene)


def test_nobody_there_is_a_fault() -> None:
    """Port unreachable."""

    async def scene(server: NameServer) -> None:
        with pytest.raises(DnsFault):
            await stub(server, servers=(("127.0.0.1", 1),)).resolve("example.test", RecordType.A)

    with_server(scene)


@given(st.binary(max_size=200), st.integers(0, 120))
def test_any_octets_are_an_answer_or_refused(noise: bytes, at: int) -> None:
    """A response with octets changed is read, or refused in one of the documented ways."""
    query = new_query("example.test", RecordType.MX)
    wire = NameServer(ZONES).answer(query.wire, tcp=True)
    for data in (noise, wire[:2] + noise, wire[:at] + noise + wire[at + len(noise) :]):
        try:
            assert isinstance(read_response(query, data), Answer)
        except (NotOurs, Truncated, DnsFault):
            continue


def test_tlsa_records_that_are_none_are_there() -> None:
    """A digest of a wrong length: a record that cannot be used is not the same as no record (RFC 7672 §2.2)."""
    query = new_query("_25._tcp.mx.test", RecordType.TLSA)
    good = b"\x03\x01\x01" + b"x" * 32

    def answer(*records: bytes) -> Answer:
        head = query.wire[:2] + struct.pack("!5H", 0x8180, 1, len(records), 0, 0)
        question = query.wire[12 : query.wire.index(b"\x00\x34\x00\x01") + 4]
        answers = [
            b"\xc0\x0c\x00\x34\x00\x01" + struct.pack("!IH", 300, len(record)) + record for record in records
        ]
        return read_response(query, head + question + b"".join(answers))

    assert answer(good).records == (Tlsa(3, 1, 1, b"x" * 32),)
    for bad in (b"\x03\x01\x01x", b"\x03\x01\x02" + b"x" * 32, b"\x03\x01"):
        found = answer(bad)
        assert found.outcome is Outcome.FOUND
        assert usable(found.records, ("sha256", "sha512")) == ()  # type: ignore[arg-type]
        assert Tlsa(3, 1, 1, b"x" * 32) in answer(good, bad).records


_OTHER_TYPES = """
import struct, sys
import pillarbox.daemons.mta_common
from pillarbox.net.dns.messages import new_query, read_response
from pillarbox.net.dns.records import RecordType
query = new_query("a.test", RecordType.A)
head = query.wire[:2] + struct.pack("!5H", 0x8180, 1, 4, 0, 0) + query.wire[12:24]
records = [(1, bytes([192, 0, 2, 1])), (46, b"signed"), (29, b"place"), (65280, b"private")]
answer = b"".join(struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(data)) + data for kind, data in records)
loaded = set(sys.modules)
print(read_response(query, head + answer).records, set(sys.modules) - loaded, "dns.rdtypes.ANY.LOC" in loaded)
"""


def test_records_of_other_types_load_nothing() -> None:
    """A role has dropped its rights: what a name server sends, whatever it is, makes it look for no module."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _OTHER_TYPES], check=True, capture_output=True, text=True
    )
    assert done.stdout == "('192.0.2.1',) set() False\n"


# -- files and names -------------------------------------------------------------------------------------


OPTIONS = [
    ("", ResolverOptions()),
    ("nameserver 192.0.2.1\nnameserver ::1\n", ResolverOptions((("192.0.2.1", 53), ("::1", 53)))),
    ("# nameserver 192.0.2.1\nnameserver nonsense\n", ResolverOptions()),
    (
        "nameserver 192.0.2.1\noptions timeout:1 attempts:9 rotate use-vc ndots:2 timeout:\n",
        ResolverOptions((("192.0.2.1", 53),), 1.0, 5, use_tcp=True, rotate=True),
    ),
    (
        "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4",
        ResolverOptions((("192.0.2.1", 53), ("192.0.2.2", 53), ("192.0.2.3", 53))),
    ),
]


@pytest.mark.parametrize(("text", "options"), OPTIONS)
def test_resolv_conf(text: str, options: ResolverOptions) -> None:
    """resolv.conf(5), and what the C library passes over."""
    assert options == read_resolver_options(text)


def test_hosts() -> None:
    """hosts(5)."""
    text = "127.0.0.1 localhost # me\n::1 localhost ip6\nbad name\n192.0.2.1 A.test b\n192.0.2.2 a.test\n"
    assert HostNames(
        {
            "localhost": ("127.0.0.1", "::1"),
            "ip6": ("::1",),
            "a.test": ("192.0.2.1", "192.0.2.2"),
            "b": ("192.0.2.1",),
        },
        {"127.0.0.1": "localhost", "::1": "localhost", "192.0.2.1": "a.test", "192.0.2.2": "a.test"},
    ) == read_host_names(text)


LOOKUPS = [
    (("dns",), "a.example.test", ("192.0.2.1", "192.0.2.2", "2001:db8::1"), Outcome.FOUND),
    (("dns",), "listed.test", (), Outcome.NO_NAME),
    (("native",), "listed.test", ("192.0.2.7",), Outcome.FOUND),
    (("dns", "native"), "listed.test", ("192.0.2.7",), Outcome.FOUND),
    (("native",), "b.example.test", ("192.0.2.3",), Outcome.FOUND),
    (("dns",), "example.test", (), Outcome.NO_DATA),
    (("dns", "native"), "broken.test", ("192.0.2.8",), Outcome.FOUND),
]


@pytest.mark.parametrize(("methods", "host", "addresses", "outcome"), LOOKUPS)
def test_host_lookup(
    tmp_path: Path, methods: tuple[str, ...], host: str, addresses: tuple[str, ...], outcome: Outcome
) -> None:
    """smtp_host_lookup."""
    (tmp_path / "hosts").write_text("192.0.2.7 listed.test\n192.0.2.8 broken.test\n")
    lookup = HostLookup(
        ZoneResolver(ZONES, failing=FAILING),
        clock=ManualClock(),
        methods=methods,  # type: ignore[arg-type]
        hosts_path=str(tmp_path / "hosts"),
    )
    found = asyncio.run(lookup.addresses(host))
    assert (addresses, outcome) == (found.addresses, found.outcome)


@pytest.mark.parametrize(
    ("host", "trouble"),
    [
        ("nobody.test", "Name or service not known"),
        ("example.test", "No address associated with hostname"),
        ("broken.test", "Temporary failure in name resolution"),
    ],
)
def test_what_other_programs_would_say(host: str, trouble: str, tmp_path: Path) -> None:
    """smtp_host_lookup = native, and disable_dns_lookups: in the words of getaddrinfo(3)."""
    lookup = HostLookup(
        ZoneResolver(ZONES, failing=FAILING),
        clock=ManualClock(),
        methods=("dns", "native"),
        hosts_path=str(tmp_path / "none"),
    )
    found = asyncio.run(lookup.addresses(host))
    assert (found.addresses, found.trouble) == ((), trouble)


def test_host_lookup_of_one_protocol() -> None:
    """inet_protocols; and a fault when nothing else is known."""
    lookup = HostLookup(ZoneResolver(ZONES, failing=FAILING), clock=ManualClock(), ipv4=False)
    found = asyncio.run(lookup.addresses("a.example.test"))
    assert (
        HostAddresses(("2001:db8::1",), Outcome.FOUND, RecordType.AAAA, canonical="a.example.test") == found
    )
    with pytest.raises(DnsFault):
        asyncio.run(lookup.addresses("broken.test"))


NAMES = [
    ("Example.TEST.", "example.test"),
    ("bücher.example", "xn--bcher-kva.example"),
    ("faß.example", "xn--fa-hia.example"),  # IDNA 2008, where 2003 has fass
    ("_dmarc.example.test", "_dmarc.example.test"),
]


@pytest.mark.parametrize(("text", "name"), NAMES)
def test_host_names(text: str, name: str) -> None:
    """Lower case, A-labels, no final dot."""
    assert name == host_name(text)


@pytest.mark.parametrize(
    "text", ["", ".", "a..b", "a b.test", "x" * 64 + ".test", "a." * 127 + "test", "a\n.test", "\u2603-.-"]
)
def test_no_host_names(text: str) -> None:
    """What the DNS has no place for."""
    with pytest.raises(ValueError, match="not a"):
        host_name(text)


def test_reverse_names() -> None:
    """RFC 1035 §3.5, RFC 3596 §2.5"""
    assert "1.2.0.192.in-addr.arpa" == reverse_name("192.0.2.1")
    assert reverse_name("2001:db8::1").endswith(".8.b.d.0.1.0.0.2.ip6.arpa")
