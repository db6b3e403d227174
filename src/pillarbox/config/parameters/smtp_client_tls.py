"""TLS for connections to other servers."""

from typing import Literal

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import Seconds


@settings_group
class SmtpClientTls:
    """Levels, certificates and protocol versions."""

    smtp_tls_security_level: Literal[
        "", "none", "may", "encrypt", "dane", "dane-only", "fingerprint", "verify", "secure"
    ] = parameter(
        "${{$compatibility_level} <level {3.11} ? {} : {may}}",
        doc="none: clear text. may: TLS if the server offers it. encrypt: TLS or no delivery. verify and secure: "
        "and the certificate must be that of the mail exchanger or the destination. fingerprint: and it must be "
        "a known one. dane: what TLSA records in the signed DNS say, without any as may. dane-only: no delivery "
        "without such records. Empty: what smtp_use_tls and smtp_enforce_tls say.",
    )
    smtp_use_tls: bool = parameter("no", doc="Old spelling of smtp_tls_security_level=may.")
    smtp_enforce_tls: bool = parameter("no", doc="Old spelling of smtp_tls_security_level=encrypt or verify.")
    smtp_tls_enforce_peername: bool = parameter(
        "yes", doc="With smtp_enforce_tls: the certificate must match the server's name."
    )
    smtp_requiretls_policy: tuple[str, ...] = parameter(
        "inline:{{$mydomain=opportunistic}, {.$mydomain=opportunistic}, {localhost=opportunistic}}, "
        "cidr:{{0.0.0.0/0 opportunistic}, {::/0 opportunistic}}, enforce",
        doc="How much a message with REQUIRETLS (RFC 8689) asks of a nexthop: words, and tables of words by name "
        "or address. enforce: a verified certificate, and a server that offers REQUIRETLS; else it is returned. "
        "opportunistic+starttls: TLS. opportunistic: REQUIRETLS where it can be had. disable: nothing.",
    )
    smtp_tls_policy_maps: tuple[str, ...] = parameter(
        "",
        doc="Tables of levels by nexthop, as written or by its domain: `example.org secure match=.example.org`.",
    )
    smtp_tls_per_site: tuple[str, ...] = parameter(
        "",
        doc="Old tables of NONE, MAY, MUST_NOPEERMATCH or MUST by nexthop and by the server's name. They count "
        "where smtp_tls_policy_maps is empty.",
    )
    smtp_tls_enforce_sts_mx_patterns: bool = parameter(
        "yes",
        doc="Where a policy table tells of an MTA-STS policy (policy_type=sts): use only servers whose names fit "
        "its mx_host_pattern attributes, with certificates of these names. no: the policy's match counts as it is.",
    )
    smtp_tls_force_insecure_host_tlsa_lookup: bool = parameter(
        "no", doc="Look for TLSA records of hosts, too, whose addresses are not signed."
    )
    smtp_tls_wrappermode: bool = parameter(
        "no", doc="TLS from the first octet, without STARTTLS, as servers on port 465 want it."
    )
    smtp_tls_CAfile: str = parameter("", doc="PEM file of the authorities that are trusted.")
    smtp_tls_CApath: str = parameter("", doc="Directory of such files, with hashed names (openssl rehash).")
    smtp_tls_trust_anchor_file: tuple[str, ...] = parameter(
        "",
        doc="PEM files of certificates and public keys of authorities, for levels verify and secure. They alone "
        "are trusted then, and need not be at the top of a chain.",
    )
    smtp_tls_scert_verifydepth: int = parameter(
        "9", minimum=0, doc="Most authorities between a server's certificate and one that is trusted."
    )
    smtp_tls_chain_files: tuple[str, ...] = parameter(
        "", doc="PEM files with our own key and certificate, for servers that ask."
    )
    smtp_tls_cert_file: str = parameter("", doc="PEM file with our own certificate, for servers that ask.")
    smtp_tls_key_file: str = parameter("$smtp_tls_cert_file", doc="PEM file with its key.")
    smtp_tls_eccert_file: str = parameter(
        "", doc="PEM file with our own ECDSA certificate, next to the RSA one."
    )
    smtp_tls_eckey_file: str = parameter("$smtp_tls_eccert_file", doc="PEM file with its key.")
    smtp_tls_protocols: str = parameter(
        ">=TLSv1", doc="TLS versions for level may: >=TLSv1.2, or names with ! before the excluded ones."
    )
    smtp_tls_mandatory_protocols: str = parameter(
        ">=TLSv1", doc="TLS versions for encrypt and above; written as smtp_tls_protocols."
    )
    smtp_tls_ciphers: str = parameter(
        "medium", doc="Least strength of ciphers for level may: null, low, medium, high or export."
    )
    smtp_tls_mandatory_ciphers: str = parameter("medium", doc="The same for encrypt and above.")
    smtp_tls_exclude_ciphers: tuple[str, ...] = parameter(
        "", doc="Ciphers, or classes such as aNULL, that are never used."
    )
    smtp_tls_mandatory_exclude_ciphers: tuple[str, ...] = parameter(
        "", doc="More ciphers that are not used for encrypt and above."
    )
    smtp_tls_verify_cert_match: tuple[str, ...] = parameter(
        "hostname",
        doc="Whose name a certificate must have at level verify: hostname, nexthop, dot-nexthop, or names.",
    )
    smtp_tls_secure_cert_match: tuple[str, ...] = parameter(
        "nexthop, dot-nexthop", doc="The same at level secure."
    )
    smtp_tls_fingerprint_cert_match: tuple[str, ...] = parameter(
        "", doc="Fingerprints of certificates or public keys for level fingerprint."
    )
    smtp_tls_fingerprint_digest: str = parameter(
        "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}", doc="How fingerprints are made."
    )
    smtp_tls_servername: str = parameter(
        "", doc="Name that is asked for in the handshake (SNI): a name, hostname or nexthop. Empty: none."
    )
    smtp_tls_loglevel: int = parameter(
        "0", maximum=4, doc="0: no lines. 1: one for each handshake. 2 and more: details."
    )
    smtp_tls_note_starttls_offer: bool = parameter(
        "no", doc="Log servers that offer STARTTLS where it is not used."
    )
    smtp_starttls_timeout: Seconds = parameter("300s", minimum=1, doc="Time for the TLS handshake.")
    smtp_tls_connection_reuse: bool = parameter(
        "no", doc="Keep connections under TLS, too, as smtp_connection_cache_on_demand says."
    )
