"""What access rules are asked, and what they may answer.

DESCRIPTION
    A `Question` is one decision to be made at one stage of the conversation.  A restriction answers with a
    refusal, with PERMIT, or with None: the next one decides.  What is to be remembered until the end of the
    decision (defer_if_permit, defer_if_reject) and what is to be done with the message (hold, redirect …)
    is noted in the question.
"""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Final, Literal

import msgspec

from pillarbox.access.client import ClientFacts
from pillarbox.net.dns.host_lookup import HostLookup
from pillarbox.net.dns.records import DnsFault
from pillarbox.net.dns.records import Resolver as DnsResolver
from pillarbox.routing.resolution import Resolution, Resolver
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.reply import Reply

TempfailAction = Literal["defer", "defer_if_permit"]
"""What is done when nobody knows whether to refuse: the client is told to come again, now or if nothing refuses."""


class Codes(msgspec.Struct, frozen=True, kw_only=True):
    """Reply codes that main.cf sets, by the parameter's name."""

    reject_code: int = 554
    defer_code: int = 450
    access_map_reject_code: int = 554
    access_map_defer_code: int = 450
    maps_rbl_reject_code: int = 554
    relay_domains_reject_code: int = 554
    non_fqdn_reject_code: int = 504
    invalid_hostname_reject_code: int = 501
    plaintext_reject_code: int = 450
    unknown_address_reject_code: int = 450
    unknown_client_reject_code: int = 450
    unknown_hostname_reject_code: int = 450
    multi_recipient_bounce_reject_code: int = 550
    unknown_local_recipient_reject_code: int = 550
    unknown_relay_recipient_reject_code: int = 550
    unknown_virtual_alias_reject_code: int = 550
    unknown_virtual_mailbox_reject_code: int = 550
    show_user_unknown_table_name: bool = True
    unknown_address_tempfail_action: TempfailAction = "defer_if_permit"
    unknown_helo_hostname_tempfail_action: TempfailAction = "defer_if_permit"


class Subject(Enum):
    """What a restriction list or a table lookup is about, in the words of replies."""

    CLIENT = "Client host"
    REVERSE_CLIENT = "Unverified Client host"
    HELO = "Helo command"
    SENDER = "Sender address"
    RECIPIENT = "Recipient address"
    DATA = "Data command"
    END_OF_DATA = "End-of-data"
    ETRN = "Etrn command"
    LOGIN = "SASL login name"
    CERTIFICATE = "Client certificate"


class Actions(msgspec.Struct):
    """What access tables and policy services have decreed for a message."""

    hold: bool = False
    discard: bool = False
    redirect: bytes = b""
    filter: bytes = b""  # transport:destination
    prepend: list[bytes] = []
    bcc: list[bytes] = []


Tell = Callable[[str, bytes], None]
"""Writes `verb: RCPT from …: text; …` to the log: reject_warning, hold, warn …"""


class Listing(msgspec.Struct, frozen=True):
    """What a DNS list says of a name (RFC 5782)."""

    addresses: tuple[str, ...] = ()  # none: it is not listed
    reason: str = ""
    fault: DnsFault | None = None  # why the list did not answer


class Question(msgspec.Struct, kw_only=True):
    """One decision."""

    client: ClientFacts
    resolver: Resolver
    dns: DnsResolver
    hosts: HostLookup  # as the C library finds their addresses, which knows no smtpd_dns_reply_filter
    codes: Codes
    tell: Tell
    tell_warning: Callable[[str], None]
    tell_note: Callable[[str], None]
    note_unlisted: Callable[[], None]  # hears that an address is refused that nobody has
    actions: Actions
    stage: str = "RCPT"
    recipient: Address | None = None
    resolution: Resolution | None = None  # of the recipient
    unresolved: LookupFault | None = None  # why there is none
    recipient_count: int = 0
    etrn_domain: bytes = b""
    queue_id: str = ""
    size: int = 0
    pipelined: bool = False  # the client sent commands ahead where it may not
    goes_through_filter: bool = False  # smtpd_proxy_filter: nothing can be done with the message here
    only_warns: bool = False  # inside warn_if_reject
    depth: int = 0  # of access table results that name restrictions
    if_permitted: Reply | None = None  # defer_if_permit
    if_refused: Reply | None = None  # defer_if_reject
    remarks: list[str] = []  # warnings that the log has behind the refusal
    listings: dict[str, Listing] = {}  # by name below the list, as they were found in this session

    @property
    def resolved(self) -> Resolution | None:
        """The resolution of the recipient, if there is one.  LookupFault if it cannot be had now."""
        if self.unresolved is not None:
            raise self.unresolved
        return self.resolution

    @property
    def has_untrusted_route(self) -> bool:
        """Whether the sender has routed the mail on (`user%elsewhere@here`): that is no way in.  LookupFault."""
        resolution = self.resolved
        if resolution is None or self.resolver.routes.relays_routes:
            return False
        local_part = resolution.recipient.local_part
        return b"@" in local_part or b"%" in local_part or b"!" in local_part

    def defer_if_permitted(self, reply: Reply) -> None:
        """Nothing may be permitted any more: at the end the client is told to come again."""
        if not self.only_warns and self.if_permitted is None:
            self.if_permitted = reply

    def tempfail(self, reply: Reply, action: TempfailAction) -> Reply | None:
        """Defer at once, or if nothing else refuses; the outcome of a restriction."""
        if action == "defer":
            return reply
        self.defer_if_permitted(reply)
        return None

    def softened(self, refusal: Reply) -> Reply:
        """What the client is told: a deferral instead of a refusal, if defer_if_reject has been asked for."""
        return self.if_refused if self.if_refused is not None and refusal.code >= 500 else refusal

    def defer_if_refused(self, reply: Reply) -> None:
        """A refusal becomes a deferral."""
        if not self.only_warns and self.if_refused is None:
            self.if_refused = reply

    def name_of(self, subject: Subject) -> bytes:
        """What stands in angle brackets."""
        client = self.client
        if subject is Subject.RECIPIENT and self.recipient is not None:
            return self.recipient.internal
        if subject is Subject.SENDER and client.sender is not None:
            return client.sender.internal
        if subject is Subject.HELO and client.helo:
            return client.helo
        if subject is Subject.REVERSE_CLIENT:
            return client.reverse_name.encode("utf-8", "surrogateescape")
        if subject is Subject.LOGIN:
            return client.sasl_username.encode("utf-8", "surrogateescape")
        if subject is Subject.CERTIFICATE and client.certificate is not None:
            return client.certificate.subject.encode()
        if subject is Subject.DATA:
            return b"DATA"
        if subject is Subject.END_OF_DATA:
            return b"END-OF-MESSAGE"
        if subject is Subject.ETRN:
            return self.etrn_domain
        return client.label.encode()


PERMIT: Final = True
Outcome = Reply | bool | None
Restriction = Callable[[Question, Subject], Outcome | Awaitable[Outcome]]
"""Asked with the question and the subject of the list it stands in."""


def refusal(code: int, status: str, text: bytes) -> Reply:
    """A reply whose enhanced code has the class of its code: `554 5.7.1 text`."""
    return Reply(code, (b"%d%s %s" % (code // 100, status[1:].encode(), text),))


def rejected(code: int, status: str, name: bytes, subject: Subject, text: bytes) -> Reply:
    """`554 5.7.1 <x>: Sender address rejected: Access denied`"""
    return refusal(code, status, b"<%s>: %s rejected: %s" % (name, subject.value.encode(), text))
