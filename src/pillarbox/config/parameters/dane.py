"""TLSA records in the DNS: what is made of them."""

from typing import Literal

from pillarbox.config.parameter import parameter, settings_group


@settings_group
class Dane:
    """DANE for SMTP (RFC 7672), which needs smtp_dns_support_level = dnssec and a resolver that validates."""

    smtp_tls_dane_insecure_mx_policy: Literal["may", "encrypt", "dane"] = parameter(
        "${{$smtp_tls_security_level} == {dane} ? {dane} : {may}}",
        doc="What TLSA records of a mail exchanger count for whose MX record is not signed, at level dane. may: "
        "nothing. encrypt: TLS is needed. dane: the certificate has to match, too.",
    )
    tls_dane_digests: tuple[str, ...] = parameter(
        "sha512 sha256",
        doc="Digests that TLSA records may have, the strongest first: where a server has records with several, "
        "only those of the strongest count.",
    )
