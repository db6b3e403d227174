"""The lab's DNS as data: zones in zone-file syntax, signed or not, some of them broken on purpose.

DESCRIPTION
    `Zone` is what somebody writes down.  `SignedZones` makes of all of them one tree from the root: parents
    delegate, signed zones get keys and signatures from the seed, and parents publish their DS records.  A `Zone`
    of the root or of `test` need not be given.

    `dnssec` of a zone:
        ""         unsigned: an insecure delegation
        valid      a chain of trust from the root
        broken     the signatures are not those of the data
        expired    the signatures were good until yesterday

FAULTS
    ValueError  records that cannot be read, with the zone's name

STANDARDS
    RFC 1035 §5 (zone files); RFC 4033-4035 (DNSSEC); RFC 8080 (Ed25519)
"""

import datetime
import hashlib
from collections.abc import Iterable
from typing import Final, Literal

import dns.dnssec
import dns.exception
import dns.name
import dns.node
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.zone
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from dns.dnssectypes import Algorithm
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.RRSIG import RRSIG

Dnssec = Literal["", "valid", "broken", "expired"]
Fault = Literal["", "SERVFAIL", "REFUSED", "silent"]

ROOT: Final = dns.name.root
_TTL: Final = 300
_DAY: Final = datetime.timedelta(days=1)
_START: Final = """\
$TTL {ttl}
@ IN SOA ns.test. hostmaster.test. 1 3600 600 86400 60
@ IN NS ns.test.
"""


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """A zone, and how its servers answer."""

    name: str  # without a dot at the end
    records: str = ""  # lines of a zone file, relative to the name
    dnssec: Dnssec = ""
    fault: Fault = ""  # what every question gets instead of an answer
    fault_seconds: float = 0.0  # for so long, of the lab's time; 0: for good
    delay: float = 0.0  # seconds before each answer
    truncated: bool = False  # answers over UDP are cut off


class SignedZones:
    """All zones by name, with parents that know their children."""

    def __init__(self, zones: Iterable[Zone], *, seed: int, name_server: str, now: datetime.datetime) -> None:
        """`name_server` is the address of ns.test.  Signatures hold from a day before `now` for a month."""
        self._seed = seed
        self._now = now
        self.described = {dns.name.from_text(zone.name): zone for zone in zones}
        self.described.setdefault(ROOT, Zone(name=".", dnssec="valid"))
        test = dns.name.from_text("test")
        self.described.setdefault(test, Zone(name="test", dnssec="valid"))
        self.zones: dict[dns.name.Name, dns.zone.Zone] = {}
        glue = f"ns.test. IN A {name_server}\n"
        for name in sorted(self.described, key=len, reverse=True):  # children first: parents need their keys
            self.zones[name] = self._zone(name, glue if name == test else "")

    def __getitem__(self, name: dns.name.Name) -> dns.zone.Zone:
        return self.zones[name]

    def of(self, name: dns.name.Name, *, above: bool = False) -> dns.name.Name:
        """The zone that a name is in; `above`: where its DS records would be."""
        if above and name in self.zones and name != ROOT:
            name = name.parent()
        while name not in self.zones:
            name = name.parent()
        return name

    def trust_anchor(self) -> str:
        """The root's DNSKEY, as text."""
        return self.key(ROOT)[1].to_text()

    def key(self, name: dns.name.Name) -> tuple[Ed25519PrivateKey, DNSKEY]:
        """A zone's only key, always the same for a seed."""
        seed = hashlib.sha256(f"{self._seed}:{name.to_text()}".encode()).digest()
        private = Ed25519PrivateKey.from_private_bytes(seed)
        public = dns.dnssec.make_dnskey(private.public_key(), Algorithm.ED25519, flags=257)
        return private, public

    def _zone(self, name: dns.name.Name, glue: str) -> dns.zone.Zone:
        described = self.described[name]
        text = _START.format(ttl=_TTL) + described.records + "\n" + glue + self._delegations(name)
        try:
            zone = dns.zone.from_text(text, origin=name, relativize=False, check_origin=False)
        except (dns.exception.DNSException, ValueError) as error:
            raise ValueError(f"zone {described.name}: {error}") from error
        if described.dnssec:
            self._sign(zone, described.dnssec)
        return zone

    def _delegations(self, parent: dns.name.Name) -> str:
        lines = []
        for child, described in self.described.items():
            if child == parent or self._parent(child) != parent:
                continue
            lines.append(f"{child.to_text()} IN NS ns.test.")
            if described.dnssec:
                digest = dns.dnssec.make_ds(child, self.key(child)[1], "SHA256")
                lines.append(f"{child.to_text()} IN DS {digest.to_text()}")
        return "\n".join(lines) + "\n"

    def _parent(self, name: dns.name.Name) -> dns.name.Name | None:
        while name != ROOT:
            name = name.parent()
            if name in self.described:
                return name
        return None

    def _sign(self, zone: dns.zone.Zone, dnssec: Dnssec) -> None:
        assert zone.origin is not None
        inception, expiration = self._now - _DAY, self._now + 30 * _DAY
        if dnssec == "expired":
            inception, expiration = self._now - 30 * _DAY, self._now - _DAY
        dns.dnssec.sign_zone(
            zone, keys=[self.key(zone.origin)], inception=inception, expiration=expiration, dnskey_ttl=_TTL
        )
        if dnssec == "broken":
            for node in zone.nodes.values():
                for rdataset in node.rdatasets:
                    if rdataset.rdtype == dns.rdatatype.RRSIG and rdataset.covers != dns.rdatatype.DNSKEY:
                        _break(rdataset)


def _break(signatures: dns.rdataset.Rdataset) -> None:
    signatures.items = {
        one.replace(signature=bytes(one.signature[:-1]) + bytes([one.signature[-1] ^ 1])): None
        for one in signatures
        if isinstance(one, RRSIG)
    }
