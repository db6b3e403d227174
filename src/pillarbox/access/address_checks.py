"""Restrictions on senders and recipients: relaying, unknown users, domains, and whose address a login may use.

FAULTS
    LookupFault  a table cannot answer: the caller replies 451 4.3.0
"""

import re
from collections.abc import Sequence
from typing import Final

from pillarbox.access.access_tables import mapped_status
from pillarbox.access.question import PERMIT, Outcome, Question, Restriction, Subject, refusal, rejected
from pillarbox.net.dns.records import DnsFault, RecordType, host_name
from pillarbox.net.dns.records import Outcome as Found
from pillarbox.routing.address_lookup import find_first, text_of, virtual_patterns
from pillarbox.routing.resolution import AddressClass, Resolution
from pillarbox.tables.dns_filter import FilteredOut
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.paths import is_address_literal, is_host_name

_STATUS: Final = re.compile(r"([45]\.\d{1,3}\.\d{1,3})\s+(.*)", re.ASCII | re.DOTALL)


_FINAL: Final = (AddressClass.LOCAL, AddressClass.VIRTUAL_ALIAS, AddressClass.VIRTUAL_MAILBOX)


# -- relaying (RFC 5321 §3.6.2: no open relay) -----------------------------------------------------------


def permit_auth_destination(question: Question, subject: Subject) -> Outcome:
    return PERMIT if is_auth_destination(question) else None


def reject_unauth_destination(question: Question, subject: Subject) -> Outcome:
    if is_auth_destination(question):
        return None
    return _relay_denied(question, question.codes.relay_domains_reject_code)


def defer_unauth_destination(question: Question, subject: Subject) -> Outcome:
    if is_auth_destination(question):
        return None
    return _relay_denied(question, question.codes.relay_domains_reject_code - 100)


def _relay_denied(question: Question, code: int) -> Reply:
    text = b"<%s>: Relay access denied" % question.name_of(Subject.RECIPIENT)
    if code < 400:  # relay_domains_reject_code is 4xx, and is to be deferred
        said = f"{code} 4.7.1 {text.decode('utf-8', 'backslashreplace')}"
        question.tell_warning(f"SMTP reply code configuration error: {said}")
        return Reply(450, (b"4.7.1 Service unavailable",))
    return refusal(code, "5.7.1", text)


def is_auth_destination(question: Question) -> bool:
    """Whether we are a final or relay destination for the recipient."""
    resolution = question.resolved
    if resolution is None:
        return True
    if resolution.address_class is AddressClass.DEFAULT:
        return False
    return not question.has_untrusted_route


# -- unknown users ---------------------------------------------------------------------------------------


def reject_unlisted_recipient(question: Question, subject: Subject) -> Outcome:
    resolution, resolver = question.resolved, question.resolver
    if resolution is None or question.recipient is None:
        return None
    if resolver.is_mapped(resolution.recipient):
        return None
    return _unlisted(question, resolution, Subject.RECIPIENT, "5.1.1")


def reject_unlisted_sender(question: Question, subject: Subject) -> Outcome:
    sender, resolver = question.client.sender, question.resolver
    if sender is None or sender.is_null:
        return None
    try:
        resolution = resolver.resolve(sender, question.recipient)  # as mail of the recipient's goes there
        if resolver.is_mapped(resolution.recipient, as_sender=True):
            return None
        return _unlisted(question, resolution, Subject.SENDER, "5.1.0")
    except LookupFault as fault:
        fault.about = sender.internal
        raise


def _unlisted(question: Question, resolution: Resolution, subject: Subject, status: str) -> Outcome:
    is_refused = (
        resolution.transport in ("error", "retry")
        and resolution.nexthop != question.resolver.routes.unknown_alias
    )
    if not is_refused and question.resolver.is_known(resolution):
        return None
    if not question.only_warns:
        question.note_unlisted()
    name, codes = question.name_of(subject), question.codes
    is_alias = resolution.address_class is AddressClass.VIRTUAL_ALIAS
    if is_refused:
        match = _STATUS.match(resolution.nexthop)
        found, text = (match[1], match[2]) if match is not None else (status, resolution.nexthop)
        code = codes.unknown_virtual_alias_reject_code if is_alias else 550
        if resolution.transport == "retry":
            code = 450
        found = (
            f"{code // 100}{mapped_status(found, subject, question)[1:]}"  # a refusal is as final as its code
        )
        return rejected(code, found, name, subject, text.encode())
    if is_alias and subject is Subject.SENDER:
        status = mapped_status("5.1.1", subject, question)  # what the route of such a domain says
    code, table = {
        AddressClass.LOCAL: (codes.unknown_local_recipient_reject_code, "local recipient table"),
        AddressClass.VIRTUAL_ALIAS: (codes.unknown_virtual_alias_reject_code, "virtual alias table"),
        AddressClass.VIRTUAL_MAILBOX: (codes.unknown_virtual_mailbox_reject_code, "virtual mailbox table"),
        AddressClass.RELAY: (codes.unknown_relay_recipient_reject_code, "relay recipient table"),
        AddressClass.DEFAULT: (550, "table"),
    }[resolution.address_class]
    where = f" in {table}" if codes.show_user_unknown_table_name else ""
    return rejected(code, status, name, subject, b"User unknown" + where.encode())


# -- domains ---------------------------------------------------------------------------------------------


def reject_non_fqdn_sender(question: Question, subject: Subject) -> Outcome:
    sender = question.client.sender
    if sender is None or sender.is_null or _is_fqdn(sender):
        return None
    return _not_fqdn(question, Subject.SENDER)


def reject_non_fqdn_recipient(question: Question, subject: Subject) -> Outcome:
    recipient = question.recipient
    if recipient is None or _is_fqdn(recipient) or recipient.folded == b"postmaster":
        return None
    return _not_fqdn(question, Subject.RECIPIENT)


def _not_fqdn(question: Question, subject: Subject) -> Reply:
    code = question.codes.non_fqdn_reject_code
    return rejected(code, "5.5.2", question.name_of(subject), subject, b"need fully-qualified address")


def _is_fqdn(address: Address) -> bool:
    domain = address.domain
    if domain.startswith(b"["):
        return is_address_literal(domain)
    return b"." in domain.removesuffix(b".") and is_host_name(domain.removesuffix(b"."))


async def reject_unknown_sender_domain(question: Question, subject: Subject) -> Outcome:
    sender = question.client.sender
    if sender is None or sender.is_null:
        return None
    return await _unknown_domain(question, sender, Subject.SENDER, "4.1.8")


async def reject_unknown_recipient_domain(question: Question, subject: Subject) -> Outcome:
    if question.recipient is None:
        return None
    return await _unknown_domain(question, question.recipient, Subject.RECIPIENT, "4.1.2")


async def _unknown_domain(question: Question, address: Address, subject: Subject, status: str) -> Outcome:
    """No MX, A or AAAA record, or a null MX (RFC 7505).  Domains of ours are known whatever the DNS says."""
    domain = "" if address.is_null else text_of(question.resolver.destination(address).domain)
    if not domain or domain.startswith("[") or question.resolver.classify(domain) in _FINAL:
        return None
    name, code = question.name_of(subject), question.codes.unknown_address_reject_code
    unknown = rejected(code, status, name, subject, b"Domain not found")
    try:
        found = await question.dns.resolve(host_name(domain), RecordType.MX)
        if found.outcome is Found.FOUND:
            if [exchange.host for exchange in found.exchanges] != [""]:
                return None
            null_code, null_status = (550, "5.7.27") if subject is Subject.SENDER else (556, "5.1.10")
            text = b"Domain %s does not accept mail (nullMX)" % domain.encode("utf-8", "surrogateescape")
            return rejected(null_code, null_status, name, subject, text)
        if found.outcome is Found.NO_NAME:
            return unknown
        for kind in (RecordType.A, RecordType.AAAA):
            if (await question.dns.resolve(host_name(domain), kind)).outcome is Found.FOUND:
                return None
    except FilteredOut:
        return None  # there is something that is not to be seen
    except DnsFault:
        deferral = rejected(450, status, name, subject, b"Domain not found")
        return question.tempfail(deferral, question.codes.unknown_address_tempfail_action)
    except ValueError:
        return unknown
    return unknown


# -- whose address a login may use -----------------------------------------------------------------------


def reject_multi_recipient_bounce(question: Question, subject: Subject) -> Outcome:
    sender = question.client.sender
    if sender is None or not sender.is_null or question.recipient_count <= 1:
        return None
    code = question.codes.multi_recipient_bounce_reject_code
    return rejected(code, "5.5.3", question.name_of(subject), subject, b"Multi-recipient bounce")


def sender_login_checks(tables: Sequence[LookupTable], *, serves_logins: bool) -> dict[str, Restriction]:
    """The restrictions that ask smtpd_sender_login_maps, by name.

    Without smtpd_sasl_auth_enable they are ignored, with a warning: nobody could be logged in.
    """
    if not serves_logins:
        of_both = (ignored_without_logins(name) for name in _OF_LOGINS)
        return dict(zip(_OF_LOGINS, of_both, strict=True)) | {
            "reject_sender_login_mismatch": ignored_without_logins(*_OF_LOGINS[:2])
        }

    def owners(question: Question) -> list[str] | None:
        said, resolver = question.client.sender, question.resolver
        if said is None or said.is_null:
            return None
        sender = resolver.destination(said)
        delimiters = resolver.routes.recipient_delimiter

        def is_local() -> bool:
            return resolver.classify(text_of(sender.domain)) is AddressClass.LOCAL

        for pattern, _, whole in virtual_patterns(sender, delimiters=delimiters, is_local=is_local):
            try:
                value = find_first(tables, pattern, whole=whole)
            except LookupFault as fault:
                fault.about = said.internal
                raise
            if value is not None:
                return value.replace(",", " ").split()
        return None

    def refused(question: Question, text: str) -> Reply:
        name = question.name_of(Subject.SENDER)
        return rejected(553, "5.7.1", name, Subject.SENDER, text.encode("utf-8", "surrogateescape"))

    def authenticated(question: Question, subject: Subject, *, known_only: bool = False) -> Outcome:
        login = question.client.sasl_username
        if not login or question.client.sender is None or question.client.sender.is_null:
            return None
        allowed = owners(question)
        if allowed is None and known_only:
            return None
        if login.lower() in (owner.lower() for owner in allowed or ()):
            return None
        return refused(question, f"not owned by user {login}")

    def unauthenticated(question: Question, subject: Subject) -> Outcome:
        if question.client.sasl_username or owners(question) is None:
            return None
        return refused(question, "not logged in")

    def both(question: Question, subject: Subject) -> Outcome:
        return authenticated(question, subject) or unauthenticated(question, subject)

    def known(question: Question, subject: Subject) -> Outcome:
        if question.client.sasl_username:
            return authenticated(question, subject, known_only=True)
        return unauthenticated(question, subject)

    checks = dict(zip(_OF_LOGINS, (authenticated, unauthenticated, known), strict=True))
    return {"reject_sender_login_mismatch": both, **checks}


_OF_LOGINS: Final = (
    "reject_authenticated_sender_login_mismatch",
    "reject_unauthenticated_sender_login_mismatch",
    "reject_known_sender_login_mismatch",
)


def ignored_without_logins(*names: str) -> Restriction:
    """In the place of restrictions about logins, where smtpd_sasl_auth_enable is off."""

    def ignore(question: Question, subject: Subject) -> Outcome:
        for name in names:
            question.tell_warning(f"restriction `{name}' ignored: no SASL support")
        return None

    return ignore
