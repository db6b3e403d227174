"""smtpd restriction lists: who may do what, decided word by word.

DESCRIPTION
    A list such as smtpd_relay_restrictions is read once, at start (`compile_list`), into functions; a word that
    is not served is refused there, with file and line, because to skip it could let somebody in.  `evaluate()`
    asks one after the other until one permits or refuses.

    Each list has a subject (client, helo, sender, recipient), which the generic words reject, defer and
    permit refer to.

FAULTS
    ConfigurationFault  at start: an unknown or unserved restriction
    LookupFault         a table cannot answer: the caller replies 451 4.3.0

STANDARDS
    SMTPD_ACCESS_README; postconf(5), smtpd_*_restrictions
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from pillarbox.access.client import ClientFacts
from pillarbox.routing.resolution import AddressClass, Resolution, Resolver
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.paths import is_address, is_address_literal, is_host_name


class Codes(msgspec.Struct, frozen=True, kw_only=True):
    """Reply codes that main.cf sets."""

    reject_code: int = 554
    defer_code: int = 450
    relay_domains_reject_code: int = 554
    non_fqdn_reject_code: int = 504
    invalid_hostname_reject_code: int = 501
    plaintext_reject_code: int = 450
    unknown_local_recipient_reject_code: int = 550
    unknown_relay_recipient_reject_code: int = 550
    unknown_virtual_alias_reject_code: int = 550
    unknown_virtual_mailbox_reject_code: int = 550
    show_user_unknown_table_name: bool = True


class Question(msgspec.Struct):
    """What is to be decided: the client, and the recipient if there is one yet."""

    client: ClientFacts
    resolver: Resolver
    codes: Codes
    recipient: Address | None = None
    resolution: Resolution | None = None  # of the recipient


PERMIT: Final = True
Outcome = Reply | bool | None
"""A refusal, PERMIT, or None: the next restriction decides."""

Restriction = Callable[[Question, str], Outcome]
"""Asked with the question and the list's subject."""


class RestrictionList(msgspec.Struct, frozen=True):
    """A compiled list."""

    subject: str  # client, helo, sender or recipient
    restrictions: tuple[Restriction, ...]

    def evaluate(self, question: Question) -> Outcome:
        """The first word that decides."""
        for restriction in self.restrictions:
            outcome = restriction(question, self.subject)
            if outcome is not None:
                return outcome
        return None


def compile_list(words: Sequence[str], *, subject: str, where: str) -> RestrictionList:
    """A restriction list from its words.  ConfigurationFault for one that is not served."""
    compiled: list[Restriction] = []
    for word in words:
        restriction = _SERVED.get(word.lower())
        if restriction is None:
            raise ConfigurationFault(
                where,
                f'restriction "{word}" is not served',
                mend="remove it; it cannot be skipped, since that could let mail in",
            )
        compiled.append(restriction)
    return RestrictionList(subject, tuple(compiled))


# -- the restrictions ---------------------------------------------------------------------------------


def _permit(question: Question, subject: str) -> Outcome:
    return PERMIT


def _reject(question: Question, subject: str) -> Outcome:
    return refusal(question, subject, code=question.codes.reject_code, status="7.1", text="Access denied")


def _defer(question: Question, subject: str) -> Outcome:
    return refusal(question, subject, code=question.codes.defer_code, status="7.1", text="Try again later")


def _permit_mynetworks(question: Question, subject: str) -> Outcome:
    return PERMIT if question.client.is_mynetworks else None


def _permit_sasl_authenticated(question: Question, subject: str) -> Outcome:
    return PERMIT if question.client.sasl_username else None


def _permit_auth_destination(question: Question, subject: str) -> Outcome:
    return PERMIT if _is_auth_destination(question) else None


def _reject_unauth_destination(question: Question, subject: str) -> Outcome:
    if _is_auth_destination(question):
        return None
    return _relay_denied(question, question.codes.relay_domains_reject_code)


def _defer_unauth_destination(question: Question, subject: str) -> Outcome:
    if _is_auth_destination(question):
        return None
    return _relay_denied(question, question.codes.relay_domains_reject_code - 100)


def _relay_denied(question: Question, code: int) -> Reply:
    recipient = question.recipient.internal if question.recipient is not None else b""
    return Reply(code, (b"%d.7.1 <%s>: Relay access denied" % (code // 100, recipient),))


def _is_auth_destination(question: Question) -> bool:
    """Whether we are a final or relay destination for the recipient (RFC 5321 §3.6.2: no open relay)."""
    resolution = question.resolution
    if resolution is None:
        return True
    if resolution.address_class is AddressClass.DEFAULT:
        return False
    # Sender-specified routing through us, `user%elsewhere@here` or `user@elsewhere@here`, is no way in.
    local_part = resolution.recipient.local_part
    return b"@" not in local_part and b"%" not in local_part and b"!" not in local_part


def _reject_unlisted_recipient(question: Question, subject: str) -> Outcome:
    resolution = question.resolution
    if resolution is None or question.recipient is None:
        return None
    if resolution.transport == "error" and resolution.address_class is AddressClass.DEFAULT:
        status, text = _split_status(resolution.nexthop, "5.0.0")
        return Reply(
            550 if status.startswith("5") else 450,
            (
                b"%s <%s>: Recipient address rejected: %s"
                % (status.encode(), question.recipient.internal, text.encode()),
            ),
        )
    if question.resolver.is_known(resolution):
        return None
    codes = question.codes
    code, table = {
        AddressClass.LOCAL: (codes.unknown_local_recipient_reject_code, "local recipient table"),
        AddressClass.VIRTUAL_ALIAS: (codes.unknown_virtual_alias_reject_code, "virtual alias table"),
        AddressClass.VIRTUAL_MAILBOX: (codes.unknown_virtual_mailbox_reject_code, "virtual mailbox table"),
        AddressClass.RELAY: (codes.unknown_relay_recipient_reject_code, "relay recipient table"),
        AddressClass.DEFAULT: (550, "table"),
    }[resolution.address_class]
    where = f" in {table}" if codes.show_user_unknown_table_name else ""
    return Reply(
        code,
        (
            b"%d.1.1 <%s>: Recipient address rejected: User unknown%s"
            % (code // 100, question.recipient.internal, where.encode()),
        ),
    )


def _reject_non_fqdn_helo(question: Question, subject: str) -> Outcome:
    helo = question.client.helo
    if not helo:
        return None
    if helo.startswith(b"["):
        return _reject_invalid_helo(question, subject)
    if is_host_name(helo.removesuffix(b".")) and b"." in helo.removesuffix(b"."):
        return None
    return _helo_refused(question, question.codes.non_fqdn_reject_code, b"need fully-qualified hostname")


def _reject_invalid_helo(question: Question, subject: str) -> Outcome:
    helo = question.client.helo
    code = question.codes.invalid_hostname_reject_code
    if helo.startswith(b"["):
        return None if is_address_literal(helo) else _helo_refused(question, code, b"invalid ip address")
    if not helo or is_host_name(helo.removesuffix(b".")) or is_address(helo):
        return None
    return _helo_refused(question, code, b"Invalid name")


def _helo_refused(question: Question, code: int, text: bytes) -> Reply:
    return Reply(
        code, (b"%d.5.2 <%s>: Helo command rejected: %s" % (code // 100, question.client.helo, text),)
    )


def _reject_non_fqdn_sender(question: Question, subject: str) -> Outcome:
    sender = question.client.sender
    if sender is None or sender.is_null or _is_fqdn(sender):
        return None
    code = question.codes.non_fqdn_reject_code
    return Reply(
        code,
        (
            b"%d.5.2 <%s>: Sender address rejected: need fully-qualified address"
            % (code // 100, sender.internal),
        ),
    )


def _reject_non_fqdn_recipient(question: Question, subject: str) -> Outcome:
    recipient = question.recipient
    if recipient is None or _is_fqdn(recipient) or recipient.folded == b"postmaster":
        return None
    code = question.codes.non_fqdn_reject_code
    return Reply(
        code,
        (
            b"%d.5.2 <%s>: Recipient address rejected: need fully-qualified address"
            % (code // 100, recipient.internal),
        ),
    )


def _is_fqdn(address: Address) -> bool:
    return address.domain.startswith(b"[") or b"." in address.domain.strip(b".")


def _reject_plaintext_session(question: Question, subject: str) -> Outcome:
    if question.client.uses_tls:
        return None
    code = question.codes.plaintext_reject_code
    return Reply(code, (b"%d.7.1 Session encryption is required" % (code // 100),))


def refusal(question: Question, subject: str, *, code: int, status: str, text: str) -> Reply:
    """A refusal that names the list's subject: `554 5.7.1 <x>: Sender address rejected: Access denied`."""
    client = question.client
    if subject == "recipient" and question.recipient is not None:
        what, value = "Recipient address rejected", question.recipient.internal
    elif subject == "sender" and client.sender is not None:
        what, value = "Sender address rejected", client.sender.internal
    elif subject == "helo" and client.helo:
        what, value = "Helo command rejected", client.helo
    else:
        what, value = "Client host rejected", client.label.encode()
    return Reply(
        code,
        (b"%d.%s <%s>: %s: %s" % (code // 100, status.encode(), value, what.encode(), text.encode()),),
    )


def _split_status(text: str, default: str) -> tuple[str, str]:
    """An enhanced status code at the beginning of an error transport's text."""
    match = _STATUS.match(text)
    return (match[1], match[2]) if match is not None else (default, text)


_STATUS: Final = re.compile(r"([45]\.\d{1,3}\.\d{1,3})\s+(.*)", re.ASCII | re.DOTALL)

_SERVED: Final[dict[str, Restriction]] = {
    "permit": _permit,
    "reject": _reject,
    "defer": _defer,
    "permit_mynetworks": _permit_mynetworks,
    "permit_sasl_authenticated": _permit_sasl_authenticated,
    "permit_auth_destination": _permit_auth_destination,
    "reject_unauth_destination": _reject_unauth_destination,
    "defer_unauth_destination": _defer_unauth_destination,
    "reject_unlisted_recipient": _reject_unlisted_recipient,
    "reject_non_fqdn_helo_hostname": _reject_non_fqdn_helo,
    "reject_non_fqdn_hostname": _reject_non_fqdn_helo,
    "reject_invalid_helo_hostname": _reject_invalid_helo,
    "reject_invalid_hostname": _reject_invalid_helo,
    "reject_non_fqdn_sender": _reject_non_fqdn_sender,
    "reject_non_fqdn_recipient": _reject_non_fqdn_recipient,
    "reject_plaintext_session": _reject_plaintext_session,
}

REJECT_UNLISTED_RECIPIENT: Final = RestrictionList("recipient", (_reject_unlisted_recipient,))
"""Applied after all others unless smtpd_reject_unlisted_recipient = no."""
