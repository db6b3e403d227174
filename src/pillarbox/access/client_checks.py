"""Restrictions on clients, by network, name, login and HELO name."""

from collections.abc import Sequence

from pillarbox.access.question import PERMIT, Outcome, Question, Restriction, Subject, refusal, rejected
from pillarbox.net.client_certificates import ClientCertificate
from pillarbox.net.dns.records import DnsFault, RecordType, host_name
from pillarbox.net.dns.records import Outcome as Found
from pillarbox.routing.address_lookup import find_first
from pillarbox.tables.dns_filter import FilteredOut
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.paths import is_address, is_address_literal, is_host_name


def permit(question: Question, subject: Subject) -> Outcome:
    return PERMIT


def reject(question: Question, subject: Subject) -> Outcome:
    return rejected(question.codes.reject_code, "5.7.1", question.name_of(subject), subject, b"Access denied")


def defer(question: Question, subject: Subject) -> Outcome:
    return rejected(
        question.codes.defer_code, "4.3.2", question.name_of(subject), subject, b"Try again later"
    )


def defer_if_permit(question: Question, subject: Subject) -> Outcome:
    question.defer_if_permitted(
        rejected(450, "4.7.0", question.name_of(subject), subject, b"defer_if_permit requested")
    )
    return None


def defer_if_reject(question: Question, subject: Subject) -> Outcome:
    question.defer_if_refused(
        rejected(450, "4.7.0", question.name_of(subject), subject, b"defer_if_reject requested")
    )
    return None


def permit_mynetworks(question: Question, subject: Subject) -> Outcome:
    client = question.client
    if client.mynetworks_trouble:
        question.tell_warning(client.mynetworks_trouble)
        return Reply(451, (b"4.3.0 <%s>: Temporary lookup failure" % question.name_of(subject),))
    return PERMIT if client.is_mynetworks else None


def permit_inet_interfaces(question: Question, subject: Subject) -> Outcome:
    return PERMIT if question.client.address_text in question.resolver.routes.own_addresses else None


def permit_sasl_authenticated(question: Question, subject: Subject) -> Outcome:
    return PERMIT if question.client.sasl_username else None


def certificate_of(question: Question, word: str, *, asks: bool) -> ClientCertificate | None:
    """What a restriction that is about the client's certificate looks at."""
    if question.client.uses_tls and not asks:
        question.tell_warning(f'{word} is requested, but "smtpd_tls_ask_ccert = no"')
    return question.client.certificate


def certificate_checks(tables: Sequence[LookupTable], *, asks: bool) -> dict[str, Restriction]:
    """permit_tls_clientcerts by the fingerprints of relay_clientcerts, and permit_tls_all_clientcerts.

    Whoever has signed a certificate, it is known by its fingerprint.
    """

    def known(certificate: ClientCertificate) -> Outcome:
        fingerprints = (certificate.fingerprint, certificate.key_fingerprint)
        return PERMIT if any(find_first(tables, one) is not None for one in fingerprints) else None

    def listed(question: Question, subject: Subject) -> Outcome:
        certificate = certificate_of(question, "permit_tls_clientcerts", asks=asks)
        return known(certificate) if certificate is not None else None

    def every(question: Question, subject: Subject) -> Outcome:
        certificate = certificate_of(question, "permit_tls_all_clientcerts", asks=asks)
        if certificate is None:
            return None
        return PERMIT if certificate.is_trusted else known(certificate)

    return {"permit_tls_clientcerts": listed, "permit_tls_all_clientcerts": every}


def reject_plaintext_session(question: Question, subject: Subject) -> Outcome:
    if question.client.uses_tls:
        return None
    return refusal(question.codes.plaintext_reject_code, "4.7.1", b"Session encryption is required")


def reject_unauth_pipelining(question: Question, subject: Subject) -> Outcome:
    if not question.pipelined:
        return None
    text = b"Improper use of SMTP command pipelining"
    return rejected(503, "5.5.0", question.name_of(subject), subject, text)


def reject_unknown_client_hostname(question: Question, subject: Subject) -> Outcome:
    client = question.client
    if client.name != "unknown":
        return None
    text = b"Client host rejected: cannot find your hostname, [%s]" % client.address_text.encode()
    code = 450 if client.may_get_name else question.codes.unknown_client_reject_code
    return refusal(code, "4.7.25", text)


def reject_unknown_reverse_client_hostname(question: Question, subject: Subject) -> Outcome:
    client = question.client
    if client.reverse_name != "unknown":
        return None
    text = b"Client host rejected: cannot find your reverse hostname, [%s]" % client.address_text.encode()
    code = 450 if client.may_get_reverse_name else question.codes.unknown_client_reject_code
    return refusal(code, "4.7.1", text)


# -- the HELO name ---------------------------------------------------------------------------------------


def reject_invalid_helo_hostname(question: Question, subject: Subject) -> Outcome:
    helo = question.client.helo
    if helo.startswith(b"["):
        return _bad_literal(question)
    bare = helo.removesuffix(b".")
    if not helo or is_host_name(bare) or is_address(helo):
        return None
    return _helo_refused(question, question.codes.invalid_hostname_reject_code, b"Invalid name")


def reject_non_fqdn_helo_hostname(question: Question, subject: Subject) -> Outcome:
    helo = question.client.helo
    if helo.startswith(b"["):
        return _bad_literal(question)
    bare = helo.removesuffix(b".")
    if not helo or (is_host_name(bare) and b"." in bare):
        return None
    return _helo_refused(question, question.codes.non_fqdn_reject_code, b"need fully-qualified hostname")


async def reject_unknown_helo_hostname(question: Question, subject: Subject) -> Outcome:
    helo = question.client.helo
    if not helo:
        return None
    if helo.startswith(b"["):
        return _bad_literal(question)
    name = rejected(
        question.codes.unknown_hostname_reject_code, "4.7.1", helo, Subject.HELO, b"Host not found"
    )
    if helo.endswith(b".") or is_address(helo) or not helo.strip(b"0123456789."):
        return name  # Postfix looks for no name that has a final dot or no letter, nor for a bare address
    try:
        host = host_name(helo.decode("utf-8", "replace"))
        for kind in (RecordType.A, RecordType.AAAA, RecordType.MX):
            if (await question.dns.resolve(host, kind)).outcome is Found.FOUND:
                return None
    except FilteredOut:
        return None  # there is something that is not to be seen
    except DnsFault:
        unknown = rejected(450, "4.7.1", helo, Subject.HELO, b"Host not found")
        return question.tempfail(unknown, question.codes.unknown_helo_hostname_tempfail_action)
    except ValueError:
        return name
    return name


def _bad_literal(question: Question) -> Reply | None:
    return None if is_address_literal(question.client.helo) else bad_address(question)


def bad_address(question: Question) -> Reply:
    """The refusal of a HELO name that looks like an address and is none."""
    return _helo_refused(question, question.codes.invalid_hostname_reject_code, b"invalid ip address")


def _helo_refused(question: Question, code: int, text: bytes) -> Reply:
    return rejected(code, "5.5.2", question.client.helo, Subject.HELO, text)
