"""Restrictions of old configurations, each with the warning that it has had for years.

DESCRIPTION
    check_relay_domains is reject_unauth_destination, and permits what that lets pass, and clients whose names are
    in the relay_domains of the server, whatever trivial-rewrite(8) has; reject_maps_rbl asks the zones of
    maps_rbl_domains; permit_naked_ip_address permits clients that say an IPv4 address without brackets with HELO,
    and refuses what looks like one and is none.

STANDARDS
    postconf(5) of Postfix 2.x; RFC 5321 §4.1.3 (an address literal has brackets)
"""

from collections.abc import Awaitable, Sequence
from typing import Final

from pillarbox.access.address_checks import permit_auth_destination
from pillarbox.access.client_checks import bad_address
from pillarbox.access.question import PERMIT, Outcome, Question, Restriction, Subject, rejected
from pillarbox.routing.domain_lists import DomainList
from pillarbox.wire.smtp.paths import is_address

_WILL_GO: Final = 'support for restriction "{}" will be removed from Postfix; use "{}" instead'


def old_restrictions(rbl_checks: Sequence[Restriction], relay_domains: DomainList) -> dict[str, Restriction]:
    """By name; `rbl_checks` are reject_rbl_client for each of maps_rbl_domains."""
    return {
        "check_relay_domains": _with_warning(
            _check_relay_domains(relay_domains),
            _WILL_GO.format("check_relay_domains", "reject_unauth_destination"),
        ),
        "permit_naked_ip_address": _with_warning(
            permit_naked_ip_address,
            "restriction permit_naked_ip_address is deprecated. "
            "Use permit_mynetworks or permit_sasl_authenticated instead",
            once=False,
        ),
        "reject_maps_rbl": _with_warning(
            _first_of(rbl_checks), _WILL_GO.format("reject_maps_rbl", "reject_rbl_client domain-name")
        ),
    }


def _check_relay_domains(domains: DomainList) -> Restriction:
    """By the recipient's domain and the client's name; elsewhere than at RCPT nothing is known of them."""

    def check(question: Question, subject: Subject) -> Outcome:
        if question.recipient is None:
            return None
        if domains.holds(question.client.name.lower()):
            return PERMIT
        if permit_auth_destination(question, subject) is PERMIT:
            return PERMIT
        code, name = question.codes.relay_domains_reject_code, question.name_of(Subject.RECIPIENT)
        return rejected(code, "5.7.1", name, Subject.RECIPIENT, b"Relay access denied")

    return check


def permit_naked_ip_address(question: Question, subject: Subject) -> Outcome:
    """By the HELO name, if it has nothing but digits, dots and colons."""
    helo = question.client.helo
    if not helo or helo.strip(b"0123456789.:"):
        return None
    return PERMIT if is_address(helo) and b":" not in helo else bad_address(question)


def _first_of(restrictions: Sequence[Restriction]) -> Restriction:
    async def check(question: Question, subject: Subject) -> Outcome:
        for restriction in restrictions:
            outcome = restriction(question, subject)
            if isinstance(outcome, Awaitable):
                outcome = await outcome
            if outcome is not None:
                return outcome
        return None

    return check


def _with_warning(restriction: Restriction, warning: str, *, once: bool = True) -> Restriction:
    """Warned of `once`, or each time that it is asked."""
    warned = False

    def check(question: Question, subject: Subject) -> Outcome | Awaitable[Outcome]:
        nonlocal warned
        if not warned:
            question.tell_warning(warning)
            warned = once
        return restriction(question, subject)

    return check
