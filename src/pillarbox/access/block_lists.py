"""DNS block lists and allow lists: reject_rbl_client, the reject_rhsbl_ family, permit_dnswl_client.

DESCRIPTION
    `zone`, `zone=127.0.0.2` or `zone=127.0.0.[2..11;20]`: the address or domain is looked up below the zone, and
    is listed if there is an A record (that matches the pattern).  The zone's TXT record is told to the client.

FAULTS
    A zone that cannot be asked lists nobody (and a warning stands in the log); an allow list that cannot be
    asked makes refusals temporary.

STANDARDS
    RFC 5782 (how lists are asked)
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from pillarbox.access.question import PERMIT, Outcome, Question, Restriction, Subject, rejected
from pillarbox.access.rbl_replies import RblReplies
from pillarbox.net.dns.records import DnsFault, RecordType, host_name, reverse_name
from pillarbox.net.dns.records import Outcome as Found
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


class Zone(msgspec.Struct, frozen=True):
    """A list, and which of its answers count: four sets of octets, or all."""

    name: str
    octets: tuple[frozenset[int], ...] = ()
    text: str = ""  # as it was written

    def matches(self, address: str) -> bool:
        """Whether an answer counts."""
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


class _Listing(msgspec.Struct, frozen=True):
    listed: bool
    reason: str = ""


async def _ask(question: Question, name: str, zone: Zone) -> _Listing:
    """Whether `name` stands in the zone, and why.  DnsFault if the zone cannot be asked."""
    full = f"{name}.{zone.name}"
    answer = await question.dns.resolve(full, RecordType.A)
    if answer.outcome is not Found.FOUND or not any(map(zone.matches, answer.texts)):
        return _Listing(False)
    try:
        reasons = (await question.dns.resolve(full, RecordType.TXT)).records
    except DnsFault:
        reasons = ()
    text = next((record for record in reasons if isinstance(record, bytes)), b"")
    return _Listing(True, text.decode("utf-8", "replace"))


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
        name = _reversed(question) if what == "address" else _domain(question, what)[0]
        if not name:
            return None
        try:
            return PERMIT if (await _ask(question, name, zone)).listed else None
        except DnsFault as fault:
            question.tell_warning(f"{fault.reason}")
            question.defer_if_refused(
                rejected(450, "4.7.1", question.name_of(subject), subject, b"Service unavailable")
            )
            return None

    return check


async def _refused(
    question: Question, name: str, zone: Zone, replies: RblReplies, *, class_name: str, shown: str
) -> Outcome:
    try:
        listing = await _ask(question, name, zone)
    except DnsFault as fault:
        question.tell_warning(f"{name}.{zone.name}: RBL lookup error: {fault.public}")
        return None
    if not listing.listed:
        return None
    return replies.reply(question, zone.text, reason=listing.reason, class_name=class_name, what=shown)


def _reversed(question: Question) -> str:
    """`4.3.2.1` of 1.2.3.4; an IPv6 address by its digits (RFC 5782 §2.4)."""
    return reverse_name(question.client.address_text).rpartition(".")[0].rpartition(".")[0]


def _domain(question: Question, what: str) -> tuple[str, str]:
    """The domain that is asked for, and what the client is told of; empty if there is none."""
    client = question.client
    address = {"sender": client.sender, "recipient": question.recipient}.get(what)
    if what in ("sender", "recipient"):
        if address is None or not address.domain or address.domain.startswith(b"["):
            return "", ""
        return text_of(address.domain), address.internal.decode("utf-8", "replace")
    name = {"client": client.name, "reverse_client": client.reverse_name}.get(what, text_of(client.helo))
    if not name or name == "unknown" or name.startswith("["):
        return "", ""
    return name.lower().rstrip("."), name


BY_NAME: Final[dict[str, Callable[[Zone, RblReplies], Restriction]]] = {
    "reject_rbl_client": reject_rbl_client,
    "permit_dnswl_client": partial(permit_list, "address"),
    "permit_rhswl_client": partial(permit_list, "client"),
    **{f"reject_rhsbl_{what}": partial(reject_rhsbl, what) for what in _CLASSES},
}
"""Restrictions that take a zone."""
