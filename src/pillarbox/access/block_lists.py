"""DNS block lists and allow lists: reject_rbl_client, the reject_rhsbl_ family, permit_dnswl_client.

DESCRIPTION
    `zone`, `zone=127.0.0.2` or `zone=127.0.0.[2..11;20]`: the address or domain is looked up below the zone, and
    is listed if there is an A record (that matches the pattern).  The zone's TXT records are told to the client.

    A domain whose last label is a number, as the HELO name 192.0.2.1, is not looked up: lists of domains answer
    such questions as if it were listed, to tell that they were asked in a wrong way.

    For safety an allow list counts for no recipient that we do not receive mail for: it cannot open a relay.

FAULTS
    A zone that cannot be asked lists nobody (and a warning stands in the log); an allow list that cannot be
    asked makes refusals temporary.

STANDARDS
    RFC 5782 (how lists are asked)
"""

import itertools
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import msgspec

from pillarbox.access.address_checks import is_auth_destination
from pillarbox.access.question import PERMIT, Listing, Outcome, Question, Restriction, Subject, rejected
from pillarbox.access.rbl_replies import RblReplies
from pillarbox.net.dns.records import DnsFault, RecordType, host_name, reverse_name
from pillarbox.net.dns.records import Outcome as Found
from pillarbox.net.dns.records import Resolver as DnsResolver
from pillarbox.routing.address_lookup import text_of
from pillarbox.vocabulary.digits import decimal

_RANGE: Final = re.compile(r"(\d{1,3})(?:\.\.(\d{1,3}))?", re.ASCII)
_CLASSES: Final = {
    "client": "Client host",
    "reverse_client": "Unverified Client host",
    "helo": "Helo command",
    "sender": "Sender address",
    "recipient": "Recipient address",
}
"""What reject_rhsbl_ takes the domain from, in the words of replies."""


_MOST_TEXTS: Final = 100
_MOST_LISTINGS: Final = 100
"""That a session remembers."""
_LONGEST_TEXT: Final = 500
"""Octets of a reason that are told."""


class Zone(msgspec.Struct, frozen=True):
    """A list, and which of its answers count: four sets of octets, or all."""

    name: str
    octets: tuple[frozenset[int], ...] = ()
    text: str = ""  # as it was written

    def lists(self, listing: Listing) -> bool:
        """Whether one of the answers counts."""
        return any(map(self._matches, listing.addresses))

    def _matches(self, address: str) -> bool:
        if not self.octets:
            return True
        return all(int(part) in wanted for part, wanted in zip(address.split("."), self.octets, strict=True))


def parse_zone(text: str) -> Zone:
    """`zone[=d.d.d.d]`.  ValueError if the pattern is none."""
    name, equals, pattern = text.partition("=")
    zone = host_name(name)
    if not equals:
        return Zone(zone, text=text)
    parts = re.findall(r"\[[^\]]*\]|[^.\[\]]+", pattern)
    if len(parts) != 4 or ".".join(parts) != pattern:
        raise ValueError(f'"{pattern}" is not a pattern of four octets such as 127.0.0.[2..4;9]')
    return Zone(zone, tuple(_octets(part) for part in parts), text)


def _octets(part: str) -> frozenset[int]:
    found: set[int] = set()
    for word in part.removeprefix("[").removesuffix("]").split(";"):
        match = _RANGE.fullmatch(word)
        if match is None:
            raise ValueError(f'"{part}" is not an octet or a list of them')
        first = decimal(match[1].encode())
        last = decimal(match[2].encode()) if match[2] else first
        if first > last or last > 255:
            raise ValueError(f'"{part}" is not a range of octets')
        found.update(range(first, last + 1))
    return frozenset(found)


async def _ask(question: Question, name: str, zone: Zone) -> Listing:
    """What the zone says of `name`; it is asked once in a session, and what goes wrong then is logged once."""
    full = f"{name}.{zone.name}"
    listing = question.listings.get(full)
    if listing is None:
        try:
            listing = await _look_up(question.dns, full)
        except DnsFault as fault:
            question.tell_warning(f"{full}: RBL lookup error: {fault.public}")
            listing = Listing(fault=fault)
        if len(question.listings) >= _MOST_LISTINGS:
            question.listings.clear()
        question.listings[full] = listing
    return listing


async def _look_up(dns: DnsResolver, full: str) -> Listing:
    """DnsFault if the zone cannot be asked."""
    answer = await dns.resolve(full, RecordType.A)
    if answer.outcome is not Found.FOUND:
        return Listing()
    try:
        reasons = (await dns.resolve(full, RecordType.TXT)).records
    except DnsFault:
        reasons = ()
    return Listing(tuple(answer.texts), _joined(record for record in reasons if isinstance(record, bytes)))


def _joined(texts: Iterable[bytes]) -> str:
    """What a list says of an entry, printable and not too long."""
    said = b" / ".join(itertools.islice(texts, _MOST_TEXTS))[:_LONGEST_TEXT]
    return re.sub(rb"[^ -~]", b" ", said).decode("ascii")


def reject_rbl_client(zone: Zone, replies: RblReplies) -> Restriction:
    """The client's address."""

    async def check(question: Question, subject: Subject) -> Outcome:
        address = question.client.address_text
        return await _refused(
            question, _reversed(question), zone, replies, class_name="Client host", shown=address
        )

    return check


def reject_rhsbl(what: str, zone: Zone, replies: RblReplies) -> Restriction:
    """A domain: of the client's name, the HELO name, the sender or the recipient."""

    async def check(question: Question, subject: Subject) -> Outcome:
        domain, shown = _domain(question, what)
        if not domain:
            return None
        return await _refused(question, domain, zone, replies, class_name=_CLASSES[what], shown=shown)

    return check


def permit_list(what: str, zone: Zone, _replies: RblReplies) -> Restriction:
    """permit_dnswl_client (`address`) and permit_rhswl_client (`client`)."""

    async def check(question: Question, subject: Subject) -> Outcome:
        if not is_auth_destination(question):
            return None
        if what == "address":
            name, shown = _reversed(question), question.client.address_text
        else:
            name, shown = _domain(question, what)
        if not name:
            return None
        listing = await _ask(question, name, zone)
        if listing.fault is not None:
            about = shown.encode("utf-8", "surrogateescape")
            question.defer_if_refused(rejected(450, "4.7.1", about, Subject.CLIENT, b"Service unavailable"))
        return PERMIT if zone.lists(listing) else None

    return check


async def _refused(
    question: Question, name: str, zone: Zone, replies: RblReplies, *, class_name: str, shown: str
) -> Outcome:
    listing = await _ask(question, name, zone)
    if not zone.lists(listing):
        return None
    return replies.reply(question, zone.text, reason=listing.reason, class_name=class_name, what=shown)


def _reversed(question: Question) -> str:
    """`4.3.2.1` of 1.2.3.4; an IPv6 address by its digits (RFC 5782 §2.4)."""
    return reverse_name(question.client.address_text).rpartition(".")[0].rpartition(".")[0]


def _domain(question: Question, what: str) -> tuple[str, str]:
    """The domain that is asked for, and what the client is told of; empty if there is none."""
    client = question.client
    if what in ("sender", "recipient"):
        address = client.sender if what == "sender" else question.recipient
        if address is None:
            return "", ""
        name, shown = text_of(address.domain), address.internal.decode("utf-8", "replace")
    else:
        of_client = {"client": client.name, "reverse_client": client.reverse_name}
        name = shown = of_client.get(what, client.helo.decode("utf-8", "surrogateescape"))
    domain = name.lower().rstrip(".")
    if not domain or domain == "unknown" or domain.startswith("[") or _ends_in_number(domain):
        return "", ""
    return domain, shown


def _ends_in_number(domain: str) -> bool:
    label = domain.rpartition(".")[2]
    return label.isascii() and label.isdigit()


BY_NAME: Final[dict[str, Callable[[Zone, RblReplies], Restriction]]] = {
    "reject_rbl_client": reject_rbl_client,
    "permit_dnswl_client": partial(permit_list, "address"),
    "permit_rhswl_client": partial(permit_list, "client"),
    **{f"reject_rhsbl_{what}": partial(reject_rhsbl, what) for what in _CLASSES},
}
"""Restrictions that take a zone."""
