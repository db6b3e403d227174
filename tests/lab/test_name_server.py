"""The lab's DNS, question by question: what a validating resolver says of zones that are in order, and of others."""

import datetime

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from pillarbox.lab.name_server import NameServer
from pillarbox.lab.zones import SignedZones, Zone
from pillarbox.vocabulary.clock import ManualClock

NOW = datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC)
RECORDS = """\
@ IN MX 10 mx0
mx0 IN A 127.0.0.9
www IN CNAME mx0
*.below IN A 127.0.0.8
far IN CNAME mx0.plain.test.
"""
ZONES = [
    Zone(name="plain.test", records=RECORDS),
    Zone(name="good.test", records=RECORDS, dnssec="valid"),
    Zone(name="bad.test", records=RECORDS, dnssec="broken"),
    Zone(name="old.test", records=RECORDS, dnssec="expired"),
    Zone(name="failing.test", fault="SERVFAIL", fault_seconds=60.0, records=RECORDS),
    Zone(name="lame.test", fault="REFUSED"),
    Zone(name="silent.test", fault="silent"),
    Zone(name="cut.test", records=RECORDS, truncated=True),
    Zone(name="slow.test", records=RECORDS, delay=1.5),
]


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    """Of all questions."""
    return ManualClock(NOW.timestamp())


@pytest.fixture(scope="module")
def server(clock: ManualClock) -> NameServer:
    """Over the zones."""
    dns_now = datetime.datetime.now(datetime.UTC)  # signatures are validated against the machine's clock
    return NameServer(SignedZones(ZONES, seed=1, name_server="127.0.0.1", now=dns_now), clock=clock)


def ask(
    server: NameServer,
    name: str,
    kind: str,
    *,
    proof: bool = False,
    unchecked: bool = False,
    tcp: bool = True,
) -> dns.message.Message | None:
    """The answer."""
    query = dns.message.make_query(name, kind, want_dnssec=proof)
    if not proof:
        query.flags |= dns.flags.AD
    if unchecked:
        query.flags |= dns.flags.CD
    wire, _ = server.answer(query.to_wire(), tcp=tcp)
    return None if wire is None else dns.message.from_wire(wire)


ANSWERS = [
    # name, type, code, authentic, how many answers
    ("plain.test", "MX", "NOERROR", False, 1),
    ("www.plain.test", "A", "NOERROR", False, 2),
    ("www.plain.test", "CNAME", "NOERROR", False, 1),
    ("mx0.plain.test", "AAAA", "NOERROR", False, 0),
    ("x.below.plain.test", "A", "NOERROR", False, 1),
    ("below.plain.test", "A", "NOERROR", False, 0),
    ("no.plain.test", "A", "NXDOMAIN", False, 0),
    ("good.test", "MX", "NOERROR", True, 1),
    ("GOOD.test", "MX", "NOERROR", True, 1),
    ("www.good.test", "A", "NOERROR", True, 2),
    ("far.good.test", "A", "NOERROR", False, 2),
    ("mx0.good.test", "TLSA", "NOERROR", True, 0),
    ("no.good.test", "A", "NXDOMAIN", True, 0),
    ("good.test", "DS", "NOERROR", True, 1),
    ("good.test", "DNSKEY", "NOERROR", True, 1),
    (".", "DNSKEY", "NOERROR", True, 1),
    ("bad.test", "MX", "SERVFAIL", False, 0),
    ("old.test", "MX", "SERVFAIL", False, 0),
    ("lame.test", "MX", "REFUSED", False, 0),
    ("nosuch.example", "MX", "NXDOMAIN", True, 0),
]


@pytest.mark.parametrize(("name", "kind", "code", "authentic", "count"), ANSWERS)
def test_answers(server: NameServer, name: str, kind: str, code: str, authentic: bool, count: int) -> None:
    """Code, AD, and records."""
    response = ask(server, name, kind)
    assert response is not None
    assert dns.rcode.to_text(response.rcode()) == code
    assert bool(response.flags & dns.flags.AD) is authentic
    assert len(response.answer) == count
    assert server.asked[-1] == (name.removesuffix(".") or "@", kind) or name == "."


def test_proofs_go_to_whoever_wants_them(server: NameServer) -> None:
    """RRSIG with DO, and NSEC for what is not there (RFC 4035 §3.1)."""
    there, missing = ask(server, "good.test", "MX", proof=True), ask(server, "no.good.test", "A", proof=True)
    assert there is not None
    assert missing is not None
    assert [rrset.rdtype for rrset in there.answer] == [dns.rdatatype.MX, dns.rdatatype.RRSIG]
    assert {rrset.rdtype for rrset in missing.authority} >= {dns.rdatatype.NSEC, dns.rdatatype.SOA}


@pytest.mark.parametrize("name", ["bad.test", "old.test"])
def test_who_checks_by_itself_gets_what_does_not_hold(server: NameServer, name: str) -> None:
    """CD: the data, and no AD (RFC 4035 §3.2.2)."""
    response = ask(server, name, "MX", unchecked=True)
    assert response is not None
    assert (len(response.answer), response.flags & dns.flags.AD) == (1, 0)


def test_faults_pass(server: NameServer, clock: ManualClock) -> None:
    """fault_seconds, by the lab's clock."""
    failing, silent = ask(server, "failing.test", "MX"), ask(server, "silent.test", "MX")
    assert failing is not None
    assert dns.rcode.to_text(failing.rcode()) == "SERVFAIL"
    assert silent is None
    clock.advance(61)
    passed = ask(server, "failing.test", "MX")
    assert passed is not None
    assert len(passed.answer) == 1
    assert ask(server, "silent.test", "MX") is None


def test_datagrams_are_cut_off(server: NameServer) -> None:
    """TC over UDP, all of it over TCP; slowness is told to whoever sends."""
    short, whole = ask(server, "cut.test", "MX", tcp=False), ask(server, "cut.test", "MX")
    assert short is not None
    assert whole is not None
    assert (bool(short.flags & dns.flags.TC), len(short.answer), len(whole.answer)) == (True, 0, 1)
    assert server.answer(dns.message.make_query("slow.test", "MX").to_wire(), tcp=False)[1] == 1.5


def test_noise_gets_no_answer(server: NameServer) -> None:
    """What is no question is passed over."""
    assert server.answer(b"\0" * 5, tcp=False) == (None, 0.0)


def test_the_same_seed_gives_the_same_keys() -> None:
    """Deterministic, and another seed is another internet."""
    first, again, other = (
        SignedZones(ZONES, seed=seed, name_server="127.0.0.1", now=NOW).trust_anchor() for seed in (1, 1, 2)
    )
    assert first == again != other


def test_records_that_are_none_are_refused() -> None:
    """With the zone's name."""
    with pytest.raises(ValueError, match=r"zone wrong\.test: "):
        SignedZones(
            [Zone(name="wrong.test", records="@ IN MX ten mx0")], seed=1, name_server="127.0.0.1", now=NOW
        )
