"""The lab's name server: a validating resolver in front of all zones, over UDP and TCP.

DESCRIPTION
    It answers as the resolver of a mail host does: whole answers with aliases followed, AD set where a chain of
    trust from the root holds, SERVFAIL where it should and does not (RFC 4035 §5), both of which CD switches off.
    Signatures go to whoever sets DO.  What is outside the lab's zones does not exist.

    Faults of a zone (`Zone`): SERVFAIL, REFUSED as from a lame server, silence, slowness, truncation.

FAULTS
    A question that cannot be read gets no answer.

STANDARDS
    RFC 1034 §4.3.2, §3.6.2 (aliases); RFC 2308 (negative answers); RFC 4035 §3, §4
"""

import asyncio
import contextlib
from typing import Final, cast

import dns.dnssec
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zone

from pillarbox.lab.zones import ROOT, SignedZones
from pillarbox.vocabulary.clock import Clock

_ALIASES: Final = 8
_LARGEST_DATAGRAM: Final = 1232
"""The size that survives everywhere (DNS flag day 2020)."""


class NameServer:
    """Serves zones.  `asked` are the questions, as (name, type)."""

    def __init__(self, zones: SignedZones, *, clock: Clock) -> None:
        self.zones = zones
        self._clock = clock
        self._began = clock.now()
        self.asked: list[tuple[str, str]] = []
        self._server: asyncio.Server | None = None
        self._datagrams: asyncio.DatagramTransport | None = None
        self._known: dict[tuple[bytes, bool], tuple[tuple[str, str], bytes, float]] = {}
        """Question and answer but for their ids; what comes again and again costs nothing."""
        self._trusted: dict[tuple[dns.name.Name, int, dns.name.Name], bool] = {}

    async def start(self, address: str, port: int) -> None:
        """Bind.  OSError."""
        loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._serve, address, port)
        datagrams, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=(address, port)
        )
        self._datagrams = datagrams

    def stop(self) -> None:
        """Answer no more."""
        if self._datagrams is not None:
            self._datagrams.close()
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                answer, delay = self.answer(await reader.readexactly(length), tcp=True)
                await asyncio.sleep(delay)
                if answer is None:
                    break
                writer.write(len(answer).to_bytes(2, "big") + answer)
                await writer.drain()
        writer.close()

    # -- answers ---------------------------------------------------------------------------------------

    def answer(self, wire: bytes, *, tcp: bool) -> tuple[bytes | None, float]:
        """The response to a query, None for none, and after how many seconds."""
        known = self._known.get((wire[2:], tcp))
        if known is not None:
            asked, rest, delay = known
            self.asked.append(asked)
            return wire[:2] + rest, delay
        try:
            query = dns.message.from_wire(wire)
            question = query.question[0]
        except (dns.exception.DNSException, IndexError):
            return None, 0.0
        self.asked.append(
            (question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype))
        )
        response = dns.message.make_response(query, recursion_available=True)
        place = self.zones.of(question.name, above=question.rdtype == dns.rdatatype.DS)
        described = self.zones.described[place]
        past = bool(described.fault_seconds) and self._clock.now() - self._began >= described.fault_seconds
        if described.fault == "silent" and not past:
            return None, 0.0
        if described.fault and not past:
            response.set_rcode(dns.rcode.from_text(described.fault))
        else:
            self._fill(response, query, question.name, question.rdtype)
        if described.truncated and not tcp:
            return _cut_off(query), described.delay
        answer = response.to_wire()
        limit = max(512, min(query.payload, _LARGEST_DATAGRAM)) if query.edns >= 0 else 512
        if not tcp and len(answer) > limit:
            answer = _cut_off(query)
        if not described.fault:
            self._known[wire[2:], tcp] = (self.asked[-1], answer[2:], described.delay)
        return answer, described.delay

    def _fill(
        self, response: dns.message.Message, query: dns.message.Message, name: dns.name.Name, kind: int
    ) -> None:
        wants_proof = bool(query.ednsflags & dns.flags.DO)
        secure = True
        for _ in range(_ALIASES):
            zone = self.zones[self.zones.of(name, above=kind == dns.rdatatype.DS)]
            found, signatures = _records(zone, name, kind)
            if found is None:
                alias, signatures = _records(zone, name, dns.rdatatype.CNAME)
                secure &= self._deny(response, zone, name, wants_proof=wants_proof) if alias is None else True
                found = alias
            if found is None:
                break
            secure &= self._add(response.answer, zone, name, found, signatures, wants_proof=wants_proof)
            if found.rdtype != dns.rdatatype.CNAME or kind == dns.rdatatype.CNAME:
                break
            name = found[0].target
        checking = not query.flags & dns.flags.CD
        if checking and self._is_bogus(response):
            response.set_rcode(dns.rcode.SERVFAIL)
            for section in (response.answer, response.authority):
                section.clear()
        elif checking and secure and (wants_proof or query.flags & dns.flags.AD):
            response.flags |= dns.flags.AD
        response.flags &= ~dns.flags.AA

    def _deny(
        self, response: dns.message.Message, zone: dns.zone.Zone, name: dns.name.Name, *, wants_proof: bool
    ) -> bool:
        """No such records, or no such name; whether that is proven."""
        exists = any(owner.is_subdomain(name) for owner in zone.nodes) or _wildcard(zone, name) is not None
        if not exists:
            response.set_rcode(dns.rcode.NXDOMAIN)
        assert zone.origin is not None
        soa, signatures = _records(zone, zone.origin, dns.rdatatype.SOA)
        assert soa is not None
        secure = self._add(response.authority, zone, zone.origin, soa, signatures, wants_proof=wants_proof)
        if wants_proof:
            for owner in _proofs(zone, name):
                proof, signatures = _records(zone, owner, dns.rdatatype.NSEC)
                if proof is not None:
                    self._add(response.authority, zone, owner, proof, signatures, wants_proof=True)
        return secure

    def _add(
        self,
        section: list[dns.rrset.RRset],
        zone: dns.zone.Zone,
        name: dns.name.Name,
        found: dns.rdataset.Rdataset,
        signatures: dns.rdataset.Rdataset | None,
        *,
        wants_proof: bool,
    ) -> bool:
        """Add records; whether a chain of trust leads to them."""
        section.append(dns.rrset.from_rdata_list(name, found.ttl, list(found)))
        if wants_proof and signatures is not None:
            section.append(dns.rrset.from_rdata_list(name, signatures.ttl, list(signatures)))
        return self._is_secure(zone, name, found.rdtype) is True

    # -- trust -----------------------------------------------------------------------------------------

    def _is_bogus(self, response: dns.message.Message) -> bool:
        return any(
            self._is_secure(self.zones[self.zones.of(rrset.name)], rrset.name, rrset.rdtype) is False
            for section in (response.answer, response.authority)
            for rrset in section
            if rrset.rdtype not in (dns.rdatatype.RRSIG, dns.rdatatype.DS)
        )

    def _is_secure(self, zone: dns.zone.Zone, name: dns.name.Name, kind: int) -> bool | None:
        """True: proven; False: bogus; None: the zone is not signed."""
        assert zone.origin is not None
        if not self._is_signed(zone.origin):
            return None
        key = (zone.origin, kind, name)
        if key not in self._trusted:
            self._trusted[key] = self._validate(zone, name, kind)
        return self._trusted[key]

    def _is_signed(self, origin: dns.name.Name) -> bool:
        """Whether every delegation from the root down has a DS record."""
        if origin == ROOT:
            return True
        parent = self.zones.of(origin.parent())
        return _records(self.zones[parent], origin, dns.rdatatype.DS)[0] is not None and self._is_signed(
            parent
        )

    def _validate(self, zone: dns.zone.Zone, name: dns.name.Name, kind: int) -> bool:
        assert zone.origin is not None
        keys, _ = _records(zone, zone.origin, dns.rdatatype.DNSKEY)
        found, signatures = _records(zone, name, kind)
        if keys is None or found is None or signatures is None:
            return False
        if zone.origin == ROOT:
            trusted = {self.zones.key(ROOT)[1].to_text()}
        else:
            digests, _ = _records(
                self.zones[self.zones.of(zone.origin.parent())], zone.origin, dns.rdatatype.DS
            )
            known = {digest.to_text() for digest in digests or ()}
            trusted = {
                key.to_text()
                for key in keys
                if dns.dnssec.make_ds(zone.origin, key, "SHA256").to_text() in known
            }
        if not any(key.to_text() in trusted for key in keys):
            return False
        try:
            dns.dnssec.validate(
                dns.rrset.from_rdata_list(name, found.ttl, list(found)),
                dns.rrset.from_rdata_list(name, signatures.ttl, list(signatures)),
                {zone.origin: dns.rrset.from_rdata_list(zone.origin, keys.ttl, list(keys))},
            )
        except dns.exception.DNSException:  # ValidationFailure, and keys of no known kind
            return False
        return True


def _records(
    zone: dns.zone.Zone, name: dns.name.Name, kind: int
) -> tuple[dns.rdataset.Rdataset | None, dns.rdataset.Rdataset | None]:
    """Records and their signatures; of a wildcard if the name itself is not there."""
    owner = name if name in zone.nodes else _wildcard(zone, name)
    if owner is None:
        return None, None
    rdtype = dns.rdatatype.RdataType(kind)
    return (
        zone.get_rdataset(owner, rdtype),
        zone.get_rdataset(owner, dns.rdatatype.RRSIG, covers=rdtype),
    )


def _wildcard(zone: dns.zone.Zone, name: dns.name.Name) -> dns.name.Name | None:
    """RFC 4592: the wildcard at the closest name that exists."""
    assert zone.origin is not None
    while name != zone.origin and len(name) > len(zone.origin):
        name = name.parent()
        if any(owner.is_subdomain(name) for owner in zone.nodes):
            star = dns.name.Name(("*", *name.labels))
            return star if star in zone.nodes else None
    return None


def _proofs(zone: dns.zone.Zone, name: dns.name.Name) -> list[dns.name.Name]:
    """Owners of the NSEC records that show that a name, or a type at it, is not there."""
    owners = sorted(owner for owner in zone.nodes if zone.get_rdataset(owner, dns.rdatatype.NSEC) is not None)
    if not owners:
        return []
    assert zone.origin is not None
    before = [owner for owner in owners if owner <= name]
    star = dns.name.Name(("*", *name.parent().labels)) if name != zone.origin else name
    before_star = [owner for owner in owners if owner <= star]
    return list(dict.fromkeys([(before or owners)[-1], (before_star or owners)[-1]]))


def _cut_off(query: dns.message.Message) -> bytes:
    response = dns.message.make_response(query, recursion_available=True)
    response.flags |= dns.flags.TC
    return response.to_wire()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer, delay = self._server.answer(data, tcp=False)
        if answer is not None:
            asyncio.get_running_loop().call_later(delay, self._transport.sendto, answer, addr)
