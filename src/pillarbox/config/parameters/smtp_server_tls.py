"""TLS for clients that send mail to us."""

from typing import Literal

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import Seconds


@settings_group
class SmtpServerTls:
    """Certificates, protocol versions and when TLS is asked for."""

    smtpd_tls_security_level: Literal["", "none", "may", "encrypt", "fingerprint", "verify", "secure"] = (
        parameter(
            "",
            doc="none: no TLS. may: STARTTLS is offered. encrypt: nothing else is accepted before STARTTLS; "
            "not for a public port 25 (RFC 3207). Levels above are taken for encrypt, with a warning. "
            "Empty: what smtpd_use_tls and smtpd_enforce_tls say.",
        )
    )
    smtpd_use_tls: bool = parameter("no", doc="Old spelling of smtpd_tls_security_level=may.")
    smtpd_enforce_tls: bool = parameter("no", doc="Old spelling of smtpd_tls_security_level=encrypt.")
    smtpd_tls_wrappermode: bool = parameter(
        "no", doc="TLS from the first octet, without STARTTLS, as on port 465. Set with -o in master.cf."
    )
    smtpd_tls_auth_only: bool = parameter("no", doc="Offer AUTH only after STARTTLS.")
    smtpd_tls_chain_files: tuple[str, ...] = parameter(
        "",
        doc="PEM files: a private key, its certificate and the intermediate ones, in one file or in several; "
        "then the next key. Comes before the cert and key parameters.",
    )
    smtpd_tls_cert_file: str = parameter(
        "",
        doc="PEM file with the server's certificate, followed by the intermediate ones. Empty or none: no "
        "RSA certificate.",
    )
    smtpd_tls_key_file: str = parameter(
        "$smtpd_tls_cert_file",
        doc="PEM file with the private key of smtpd_tls_cert_file, without a passphrase.",
    )
    smtpd_tls_eccert_file: str = parameter(
        "", doc="PEM file with the server's ECDSA certificate, next to the RSA one."
    )
    smtpd_tls_eckey_file: str = parameter(
        "$smtpd_tls_eccert_file", doc="PEM file with the private key of smtpd_tls_eccert_file."
    )
    tls_server_sni_maps: tuple[str, ...] = parameter(
        "",
        doc="Tables from the name that a client asks for (SNI), or .domain above it, to the files of its chains, "
        "written as smtpd_tls_chain_files. Databases are made with postmap -F. Other names get the usual chain.",
    )
    smtpd_tls_ask_ccert: bool = parameter(
        "no",
        doc="Ask clients for a certificate, for permit_tls_clientcerts, check_ccert_access and Received: headers.",
    )
    smtpd_tls_req_ccert: bool = parameter(
        "no",
        doc="Send clients away that show no certificate which smtpd_tls_CAfile or smtpd_tls_CApath vouches for. "
        "Counts where TLS is mandatory.",
    )
    smtpd_tls_CAfile: str = parameter(
        "", doc="PEM file of the authorities whose client certificates are trusted, and are asked for."
    )
    smtpd_tls_CApath: str = parameter("", doc="Directory of such files, with hashed names (openssl rehash).")
    smtpd_tls_ccert_verifydepth: int = parameter(
        "9", minimum=0, doc="How many certificates may stand between a client's and that of an authority."
    )
    smtpd_tls_fingerprint_digest: str = parameter(
        "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}",
        doc="How fingerprints of client certificates are made, for relay_clientcerts and check_ccert_access.",
    )
    smtpd_tls_protocols: str = parameter(
        ">=TLSv1",
        doc="TLS versions for security level may: >=TLSv1.2, <=TLSv1.3, or names with ! before the "
        "excluded ones.",
    )
    smtpd_tls_mandatory_protocols: str = parameter(
        ">=TLSv1", doc="TLS versions for security level encrypt; written as smtpd_tls_protocols."
    )
    smtpd_tls_dh1024_param_file: str = parameter(
        "", doc="A group for ciphers with DHE, PEM; empty or auto: one that OpenSSL finds strong enough."
    )
    smtpd_tls_ciphers: str = parameter(
        "medium", doc="Least strength of ciphers for security level may: null, low, medium, high or export."
    )
    smtpd_tls_mandatory_ciphers: str = parameter("medium", doc="The same for security level encrypt.")
    smtpd_tls_exclude_ciphers: tuple[str, ...] = parameter(
        "", doc="Ciphers, or classes such as aNULL, that are never used."
    )
    smtpd_tls_mandatory_exclude_ciphers: tuple[str, ...] = parameter(
        "", doc="More ciphers that are not used for security level encrypt."
    )
    tls_medium_cipherlist: str = parameter(
        "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH", doc="What medium means, in OpenSSL's language."
    )
    tls_high_cipherlist: str = parameter(
        "aNULL:-aNULL:HIGH:@STRENGTH", doc="What high means, in OpenSSL's language."
    )
    tls_low_cipherlist: str = parameter(
        "aNULL:-aNULL:HIGH:MEDIUM:LOW:+RC4:@STRENGTH",
        doc="What low means. OpenSSL has no such ciphers any more: as it is, it means medium.",
    )
    tls_export_cipherlist: str = parameter(
        "aNULL:-aNULL:HIGH:MEDIUM:LOW:EXPORT:+RC4:@STRENGTH", doc="What export means; see tls_low_cipherlist."
    )
    tls_null_cipherlist: str = parameter(
        "eNULL:!aNULL",
        doc="What null means: certificates are shown, and nothing is encrypted, up to TLS 1.2.",
    )
    tls_preempt_cipherlist: bool = parameter("no", doc="Choose by our order of ciphers, not by the client's.")
    smtpd_tls_loglevel: int = parameter(
        "0",
        maximum=4,
        doc="0: no TLS log lines. 1: a line for each handshake. 2 and more: also the certificates of "
        "clients, and sessions that are resumed; the steps and octets of handshakes are not logged.",
    )
    smtpd_tls_received_header: bool = parameter(
        "no", doc="Show protocol, cipher and client certificate in the Received: header."
    )
    smtpd_starttls_timeout: Seconds = parameter(
        "${stress?{10}:{300}}s", minimum=1, doc="Time for each read and write of a TLS handshake."
    )
