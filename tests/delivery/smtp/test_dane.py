"""TLSA records and chains: what can be used, what matches, and what must not."""

import datetime
import hashlib
from collections.abc import Sequence
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pillarbox.delivery.smtp.dane import described, match, read_digests, usable
from pillarbox.delivery.smtp.mismatch import (
    EXPIRED,
    NO_MATCH,
    NOT_SIGNED,
    NOT_YET_VALID,
    WRONG_NAME,
    Mismatch,
)
from pillarbox.net.dns.records import Tlsa
from pillarbox.vocabulary.faults import ConfigurationFault

DAY: Final = datetime.timedelta(days=1)
NOW: Final = datetime.datetime.now(datetime.UTC)
KEYS: Final = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("root", "middle", "mx", "other")}


def certificate(
    owner: str,
    signer: str,
    *,
    names: Sequence[str] = (),
    authority: bool | None = None,
    path_length: int | None = None,
    begins: datetime.timedelta = -10 * DAY,
    ends: datetime.timedelta = 10 * DAY,
    key: str = "",
    usages: Sequence[x509.ObjectIdentifier] = (),
    signs: bool | None = None,
) -> bytes:
    """DER; the owner's key is signed with the signer's, or with `key`."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, owner)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, signer)]))
        .public_key(KEYS[owner].public_key())
        .serial_number(1)
        .not_valid_before(NOW + begins)
        .not_valid_after(NOW + ends)
    )
    if authority is not None:
        builder = builder.add_extension(
            x509.BasicConstraints(ca=authority, path_length=path_length), critical=True
        )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if signs is not None:
        usage = x509.KeyUsage(True, False, False, False, False, signs, False, False, False)
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(KEYS[key or signer], hashes.SHA256()).public_bytes(Encoding.DER)


def public_key(name: str) -> bytes:
    """DER, SubjectPublicKeyInfo."""
    return KEYS[name].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def tlsa(usage: int, selector: int, matching: int, data: bytes) -> Tlsa:
    """With the digest of `data`."""
    if matching:
        data = hashlib.new("sha256" if matching == 1 else "sha512", data).digest()
    return Tlsa(usage, selector, matching, data)


ROOT: Final = certificate("root", "root", authority=True)
MIDDLE: Final = certificate("middle", "root", authority=True)
LEAF: Final = certificate("mx", "middle", names=["mx.test"], authority=False)
CHAIN: Final = [LEAF, MIDDLE, ROOT]
EE: Final = tlsa(3, 1, 1, public_key("mx"))
TA: Final = tlsa(2, 0, 1, ROOT)

MATCHES = [
    ("key, SHA-256", CHAIN, [tlsa(3, 1, 1, public_key("mx"))], 0),
    ("key, SHA-512", CHAIN, [tlsa(3, 1, 2, public_key("mx"))], 0),
    ("key, exact", CHAIN, [tlsa(3, 1, 0, public_key("mx"))], 0),
    ("certificate, SHA-256", CHAIN, [tlsa(3, 0, 1, LEAF)], 0),
    ("certificate, exact", CHAIN, [tlsa(3, 0, 0, LEAF)], 0),
    ("one of several", CHAIN, [tlsa(3, 1, 1, b"x"), tlsa(3, 1, 1, public_key("mx"))], 0),
    ("expired, but its own", [certificate("mx", "middle", ends=-DAY)], [EE], 0),
    ("no name, but its own", [certificate("mx", "mx")], [EE], 0),
    ("root", CHAIN, [TA], 2),
    ("root's key", CHAIN, [tlsa(2, 1, 1, public_key("root"))], 2),
    ("root's key, exact", CHAIN, [tlsa(2, 1, 0, public_key("root"))], 2),
    ("authority in the middle", CHAIN, [tlsa(2, 0, 1, MIDDLE)], 1),
    ("authority in the middle, nobody above", [LEAF, MIDDLE], [tlsa(2, 1, 2, public_key("middle"))], 1),
    ("authority only in the record", [LEAF, MIDDLE], [tlsa(2, 0, 0, ROOT)], 2),
    ("a wildcard", [certificate("mx", "middle", names=["*.test"]), MIDDLE, ROOT], [TA], 2),
    ("for servers", [certificate("mx", "root", names=["mx.test"], usages=[ExtendedKeyUsageOID.SERVER_AUTH]), ROOT], [TA], 1),
    ("the second name", [certificate("mx", "root", names=["example.test"]), ROOT], [TA], 1),
    ("a broken record beside", CHAIN, [tlsa(2, 0, 1, b"x"), TA], 2),
]  # fmt: skip


@pytest.mark.parametrize(
    ("chain", "records", "depth"), [row[1:] for row in MATCHES], ids=[row[0] for row in MATCHES]
)
def test_matches(chain: list[bytes], records: list[Tlsa], depth: int) -> None:
    """RFC 7672 §3.1: the server's own certificate or key, or an authority that has signed it."""
    assert usable(records, ("sha512", "sha256"))
    found = match(chain, records, ["mx.test", "example.test"])
    assert found.depth == depth
    assert found.record in records


MISMATCHES = [
    ("nothing shown", [], [EE, TA], NO_MATCH),
    ("another key", CHAIN, [tlsa(3, 1, 1, public_key("other"))], NO_MATCH),
    ("the key's digest for the certificate", CHAIN, [tlsa(3, 0, 1, public_key("mx"))], NO_MATCH),
    ("an authority as end entity", CHAIN, [tlsa(3, 0, 1, ROOT)], NO_MATCH),
    ("the server's own as authority", CHAIN, [tlsa(2, 0, 1, LEAF)], NO_MATCH),
    ("its own authority", [certificate("mx", "mx", names=["mx.test"], authority=True)], [tlsa(2, 1, 1, public_key("mx"))], NO_MATCH),
    ("another authority", CHAIN, [tlsa(2, 1, 1, public_key("other"))], NO_MATCH),
    ("authority not sent", [LEAF, MIDDLE], [TA], NO_MATCH),
    ("another name", [certificate("mx", "root", names=["elsewhere.test"]), ROOT], [TA], WRONG_NAME),
    ("another name, wildcard", [certificate("mx", "root", names=["*.elsewhere.test"]), ROOT], [TA], WRONG_NAME),
    ("no name", [certificate("mx", "root"), ROOT], [TA], NOT_SIGNED),
    ("expired", [certificate("mx", "root", names=["mx.test"], ends=-DAY), ROOT], [TA], EXPIRED),
    ("of tomorrow", [certificate("mx", "root", names=["mx.test"], begins=DAY), ROOT], [TA], NOT_YET_VALID),
    ("authority expired", [LEAF, certificate("middle", "root", authority=True, ends=-DAY), ROOT], [TA], NOT_SIGNED),
    ("signed by somebody else", [certificate("mx", "root", names=["mx.test"], key="other"), ROOT], [TA], NOT_SIGNED),
    ("sent, but has not signed", [certificate("mx", "other", names=["mx.test"]), ROOT], [TA], NOT_SIGNED),
    ("signed by a server", [LEAF, certificate("middle", "root", authority=False), ROOT], [TA], NOT_SIGNED),
    ("signed by nobody's authority", [LEAF, certificate("middle", "root"), ROOT], [TA], NOT_SIGNED),
    ("signed with a key for else", [LEAF, certificate("middle", "root", authority=True, signs=False), ROOT], [TA], NOT_SIGNED),
    ("too long a path", [LEAF, MIDDLE, certificate("root", "root", authority=True, path_length=0)], [tlsa(2, 1, 1, public_key("root"))], NOT_SIGNED),
    ("for clients", [certificate("mx", "root", names=["mx.test"], usages=[ExtendedKeyUsageOID.CLIENT_AUTH]), ROOT], [TA], NOT_SIGNED),
    ("no certificate at all", [b"\x30\x03abc", ROOT], [TA], NOT_SIGNED),
    ("rubbish in between", [LEAF, b"rubbish", ROOT], [TA], NOT_SIGNED),
    ("rubbish shown", [b"rubbish"], [EE], NO_MATCH),
]  # fmt: skip


@pytest.mark.parametrize(
    ("chain", "records", "why"), [row[1:] for row in MISMATCHES], ids=[row[0] for row in MISMATCHES]
)
def test_mismatches(chain: list[bytes], records: list[Tlsa], why: str) -> None:
    """A server that is not the one that the DNS tells of, in the words of the log."""
    with pytest.raises(Mismatch) as caught:
        match(chain, records, ["mx.test", "example.test"])
    assert str(caught.value) == why


A, B = bytes(32), bytes(64)
USABLE = [
    ("both", [EE, TA], [EE, TA]),
    ("usages of browsers", [Tlsa(0, 0, 1, A), Tlsa(1, 1, 1, A), Tlsa(4, 0, 1, A)], []),
    ("another selector", [Tlsa(3, 2, 1, A)], []),
    ("another matching type", [Tlsa(3, 1, 3, A), Tlsa(3, 1, 255, A)], []),
    ("too short", [Tlsa(3, 1, 1, A[:-1]), Tlsa(3, 1, 2, A)], []),
    ("too long", [Tlsa(3, 1, 1, B)], []),
    ("empty", [Tlsa(3, 1, 1, b""), Tlsa(3, 0, 0, b"")], []),
    ("exact, but nothing", [Tlsa(3, 0, 0, b"x"), Tlsa(3, 1, 0, LEAF), Tlsa(2, 0, 0, public_key("mx"))], []),
    ("the stronger digest", [Tlsa(3, 1, 1, A), Tlsa(3, 1, 2, B)], [Tlsa(3, 1, 2, B)]),
    ("each for itself", [Tlsa(3, 1, 1, A), Tlsa(3, 0, 2, B), Tlsa(2, 1, 1, A)], [Tlsa(3, 1, 1, A), Tlsa(3, 0, 2, B), Tlsa(2, 1, 1, A)]),
    ("exact ones beside", [Tlsa(3, 0, 0, LEAF), Tlsa(3, 0, 2, B)], [Tlsa(3, 0, 0, LEAF), Tlsa(3, 0, 2, B)]),
]  # fmt: skip


@pytest.mark.parametrize(("records", "expected"), [row[1:] for row in USABLE], ids=[row[0] for row in USABLE])
def test_what_can_be_used(records: list[Tlsa], expected: list[Tlsa]) -> None:
    """RFC 7671 §9: digest agility; RFC 7672 §3.1.3: no PKIX usages."""
    assert list(usable(records, ("sha512", "sha256"))) == expected


def test_digests_that_are_not_wanted() -> None:
    """tls_dane_digests: what is not named does not count; the first is the strongest."""
    both = [Tlsa(3, 1, 1, A), Tlsa(3, 1, 2, B)]
    assert list(usable(both, read_digests(["sha256"]))) == both[:1]
    assert list(usable(both, read_digests(["SHA256=1", "sha512"]))) == both[:1]
    assert list(usable(both, read_digests([]))) == []
    for word in ("md5", "sha256=2", "sha3-256=3"):
        with pytest.raises(ConfigurationFault):
            read_digests([word])


def test_records_in_log_lines() -> None:
    """Long data by its ends."""
    assert described(Tlsa(3, 1, 1, b"\xab\xcd")) == "3 1 1 ABCD"
    assert described(Tlsa(3, 0, 0, bytes(100))) == f"3 0 0 {'0' * 64}...{'0' * 64}"
    assert described(Tlsa(3, 0, 0, b"")) == "3 0 0 ..."
