"""What is asked of the DNS, and what comes back.

DESCRIPTION
    `Resolver.resolve(name, kind)` gives an `Answer`.  A name that does not exist (NXDOMAIN) and one that has no
    record of the type (NODATA) are answers, too: both are facts.  Whatever keeps us from knowing (SERVFAIL, no
    server answers, an answer that cannot be read) is a `DnsFault`, because an error is never a miss: mail waits
    for a name that cannot be looked up, and bounces for one that is not there.

    CNAMEs are followed; `Answer.name` is the name at the end of the chain.

    Names are lower-case ASCII without a final dot; `host_name()` makes such a name of what a user wrote, IDNA
    2008 included.

FAULTS
    DnsFault  temporary: try again later

STANDARDS
    RFC 1035; RFC 2308 (negative answers); RFC 7505 (null MX); RFC 6698 (TLSA); RFC 2782 (SRV); RFC 5891 (IDNA 2008)
"""

from enum import Enum
from ipaddress import ip_address
from typing import Final, Protocol

import idna
import idna.uts46data
import msgspec

from pillarbox.vocabulary.faults import TemporaryFault
from pillarbox.vocabulary.status import EnhancedStatus


class RecordType(Enum):
    """Types that a mail system asks for."""

    A = "A"
    AAAA = "AAAA"
    CNAME = "CNAME"
    MX = "MX"
    NS = "NS"
    PTR = "PTR"
    SRV = "SRV"
    TLSA = "TLSA"
    TXT = "TXT"


class Mx(msgspec.Struct, frozen=True, array_like=True, order=True):
    """`MX preference exchange`; the exchange of a null MX is empty (RFC 7505)."""

    preference: int
    host: str


class Srv(msgspec.Struct, frozen=True, array_like=True, order=True):
    """`SRV priority weight port target`; the target of a service that there is not is empty (RFC 2782)."""

    priority: int
    weight: int
    port: int
    host: str


class Tlsa(msgspec.Struct, frozen=True, array_like=True):
    """`TLSA usage selector matching-type data`"""

    usage: int
    selector: int
    matching: int
    data: bytes


class Outcome(Enum):
    """What an answer says, in the words of Postfix's log lines."""

    FOUND = "found"
    NO_DATA = "Host found but no data record of requested type"
    NO_NAME = "Host not found"


Record = str | bytes | Mx | Srv | Tlsa
"""A, AAAA: an address.  CNAME, NS, PTR: a name.  TXT: the octets of its strings."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the DNS says of a name."""

    name: str  # after CNAMEs
    kind: RecordType
    outcome: Outcome
    records: tuple[Record, ...] = ()
    ttl: int = 0  # seconds for which it holds
    authentic: bool = False  # the server says that DNSSEC proves it

    @property
    def texts(self) -> tuple[str, ...]:
        """Addresses or names."""
        return tuple(record for record in self.records if isinstance(record, str))

    @property
    def exchanges(self) -> tuple[Mx, ...]:
        """MX records, by preference."""
        return tuple(sorted(record for record in self.records if isinstance(record, Mx)))

    @property
    def services(self) -> tuple[Srv, ...]:
        """SRV records, by priority."""
        return tuple(sorted(record for record in self.records if isinstance(record, Srv)))


class DnsFault(TemporaryFault):
    """We do not know: `Host not found, try again`."""

    def __init__(self, name: str, kind: RecordType, reason: str) -> None:
        super().__init__(
            EnhancedStatus(4, 4, 3),
            "Host or domain name not found. Name service error for name="
            f"{name} type={kind.value}: Host not found, try again",
            reason=f"DNS: {name} {kind.value}: {reason}",
        )
        self.name = name
        self.kind = kind
        self.known = "Host not found, try again"  # in the words of access rules' log lines


class Resolver(Protocol):
    """Something that answers: a stub resolver, or zones in memory."""

    async def resolve(self, name: str, kind: RecordType) -> Answer:
        """What the DNS says.  DnsFault if that cannot be found out."""
        ...


_MAX_NAME: Final = 253
_MAX_LABEL: Final = 63


def host_name(text: str) -> str:
    """A name as the DNS takes it.  ValueError if it can be none."""
    name = text.lower() if text.isascii() else _to_ascii(text)
    name = name.removesuffix(".")
    labels = name.split(".")
    if not name or len(name) > _MAX_NAME or not all(0 < len(label) <= _MAX_LABEL for label in labels):
        raise ValueError(f"not a host or domain name: {text[:80]!r}")
    if any(character <= " " or character == "\x7f" for character in name):
        raise ValueError(f"not a host or domain name: {text[:80]!r}")
    return name


def _to_ascii(text: str) -> str:
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise ValueError(f"not a domain name: {error}") from error


def reverse_name(address: str) -> str:
    """Where the PTR record of an address is: `7.2.0.192.in-addr.arpa`."""
    return ip_address(address).reverse_pointer
