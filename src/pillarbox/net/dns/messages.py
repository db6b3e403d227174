"""DNS messages: a query as octets, and octets as an answer.

DESCRIPTION
    dnspython reads and writes the wire format; this decides what an answer means.  A response counts only if it
    repeats our id and question, so that an answer to something else, or a forged one, is passed over.

FAULTS
    NotOurs    not a response to this query: wait for the right one
    Truncated  the answer did not fit: ask again over TCP
    DnsFault   the server failed, or its answer cannot be read

STANDARDS
    RFC 1035 §4; RFC 6891 (EDNS); RFC 2308 §5 (time to live of negative answers)
"""

import secrets
from collections.abc import Callable
from typing import Any, Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import msgspec

from pillarbox.net.dns.records import Answer, DnsFault, Mx, Outcome, Record, RecordType, Srv, Tlsa

PAYLOAD: Final = 1232
"""Octets of a UDP answer that no network fragments (DNS flag day 2020)."""

# Now: nothing is imported when the process has dropped its rights.  dnspython has no annotation there.
for _read in (*(kind.value for kind in RecordType), "SOA"):
    dns.rdata.get_rdata_class(dns.rdataclass.IN, dns.rdatatype.from_text(_read))  # type: ignore[no-untyped-call]

_LONGEST_TTL: Final = 86400
_LONGEST_NEGATIVE_TTL: Final = 3600
_CHAIN: Final = 16


def leave_others_unread() -> None:
    """For a role: records of types that nobody here asks for stay octets from now on.

    By itself dnspython looks for a module for each type that it sees, among files that a role cannot read.
    """
    dns.rdata._dynamic_load_allowed = False


class NotOurs(Exception):
    """Not an answer to our question."""


class Truncated(Exception):
    """The answer is longer than UDP takes."""


class Query(msgspec.Struct, frozen=True):
    """A question on its way."""

    name: str
    kind: RecordType
    message: dns.message.QueryMessage
    wire: bytes


def new_query(name: str, kind: RecordType, *, dnssec: bool = False) -> Query:
    """A question with a random id.  DnsFault for a name that has no wire form."""
    try:
        message = dns.message.make_query(
            dns.name.from_text(name),
            kind.value,
            use_edns=0,
            payload=PAYLOAD,
            want_dnssec=dnssec,
            id=secrets.randbelow(65536),
        )
    except dns.exception.DNSException as error:
        raise DnsFault(name, kind, f"no such name: {error}") from error
    if dnssec:
        message.flags |= dns.flags.AD
    return Query(name, kind, message, message.to_wire())


def read_response(query: Query, data: bytes) -> Answer:
    """What a server says.  NotOurs, Truncated or DnsFault."""
    try:
        response = dns.message.from_wire(
            data,
            raise_on_truncation=False,
            ignore_trailing=True,
            continue_on_error=query.kind is RecordType.TLSA,
        )
    except dns.exception.DNSException as error:
        raise NotOurs(f"cannot be read: {error}") from error
    except (ValueError, IndexError, KeyError) as error:  # a record that only pretends to be of its type
        raise NotOurs(f"cannot be read: {error}") from error
    if not query.message.is_response(response):
        raise NotOurs("another id or question")
    if response.flags & dns.flags.TC:
        raise Truncated
    code = response.rcode()
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise DnsFault(query.name, query.kind, f"the server says {dns.rcode.to_text(code)}")
    answer = _answer(query, response, missing=code == dns.rcode.NXDOMAIN)
    if response.errors:
        # A TLSA record that is none cannot be used, but it is there, and asks for TLS (RFC 7672 §2.2).
        records = (*answer.records, *[_UNREADABLE] * len(response.errors))
        return msgspec.structs.replace(answer, records=records, outcome=Outcome.FOUND)
    return answer


def _answer(query: Query, response: dns.message.Message, *, missing: bool) -> Answer:
    name = query.message.question[0].name
    wanted = dns.rdatatype.from_text(query.kind.value)
    ttl = _LONGEST_TTL
    found: dns.rrset.RRset | None = None
    for _ in range(_CHAIN):
        found = response.get_rrset(dns.message.ANSWER, name, dns.rdataclass.IN, wanted)
        alias = response.get_rrset(dns.message.ANSWER, name, dns.rdataclass.IN, dns.rdatatype.CNAME)
        if found is not None or alias is None:
            break
        ttl = min(ttl, alias.ttl)
        name = alias[0].target
    else:
        raise DnsFault(query.name, query.kind, "too many aliases in a row")
    outcome = Outcome.FOUND if found else Outcome.NO_NAME if missing else Outcome.NO_DATA
    if found:
        ttl = min(ttl, found.ttl)
    else:
        ttl = min(ttl, _negative_ttl(response))
    return Answer(
        name=_text(name),
        kind=query.kind,
        outcome=outcome,
        records=tuple(_RECORDS[query.kind](record) for record in found or ()),
        ttl=ttl,
        authentic=bool(response.flags & dns.flags.AD),
    )


def _negative_ttl(response: dns.message.Message) -> int:
    """RFC 2308 §5: the smaller of the SOA's own and its minimum."""
    for rrset in response.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            return int(min(rrset.ttl, rrset[0].minimum, _LONGEST_NEGATIVE_TTL))
    return 0


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""


_UNREADABLE: Final = Tlsa(3, 0, 1, b"")

_RECORDS: Final[dict[RecordType, Callable[[Any], Record]]] = {
    RecordType.A: lambda record: str(record.address),
    RecordType.AAAA: lambda record: str(record.address),
    RecordType.CNAME: lambda record: _text(record.target),
    RecordType.MX: lambda record: Mx(record.preference, _text(record.exchange)),
    RecordType.NS: lambda record: _text(record.target),
    RecordType.PTR: lambda record: _text(record.target),
    RecordType.SRV: lambda record: Srv(record.priority, record.weight, record.port, _text(record.target)),
    RecordType.TLSA: lambda record: Tlsa(record.usage, record.selector, record.mtype, bytes(record.cert)),
    RecordType.TXT: lambda record: b"".join(record.strings),
}
