"""TLS of an smtpd service: its certificates, protocols and ciphers, whom it asks for a certificate, names by SNI.

FAULTS
    ConfigurationFault   a certificate, table or digest that TLS cannot do without
"""

import ssl

from pillarbox.config.parameter import declarations
from pillarbox.config.parameters.smtp_server_tls import SmtpServerTls
from pillarbox.config.parameters.tls_library import TlsLibrary
from pillarbox.config.snapshot import Snapshot
from pillarbox.net.client_certificates import ask_for_certificates, known_digest, load_reader
from pillarbox.net.tls_contexts import bare_context, smtp_server_context
from pillarbox.net.tls_options import (
    CIPHER_GRADES,
    apply_options,
    cipher_lists,
    keep_no_sessions,
    take_dh_parameters,
)
from pillarbox.net.tls_versions import version_range
from pillarbox.sessions.smtp.policy import UNSERVED_LEVELS, SmtpPolicy
from pillarbox.sessions.smtp.server_names import ServerNames
from pillarbox.tables.opening import open_tables
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.faults import ConfigurationFault


def server_context(
    snapshot: Snapshot, policy: SmtpPolicy, warnings: list[str], clock: Clock
) -> ssl.SSLContext | None:
    """The service's TLS; None where it has none.  ConfigurationFault where it cannot have what it is to have."""
    tls = policy.tls
    if not policy.may_use_tls:
        return None
    if policy.asks_for_certificates and not known_digest(tls.smtpd_tls_fingerprint_digest):
        digest = "smtpd_tls_fingerprint_digest"
        raise ConfigurationFault(
            snapshot.where(digest), f"parameter {digest}: unknown digest {tls.smtpd_tls_fingerprint_digest}"
        )
    if tls.smtpd_tls_security_level in UNSERVED_LEVELS:
        warnings.append(
            f'smtpd_tls_security_level: unsupported TLS level "{tls.smtpd_tls_security_level}", using "encrypt"'
        )
    if tls.smtpd_tls_req_ccert and not policy.needs_certificate:
        warnings.append("Can't require client certs unless TLS is required")
    chains = _chains(tls, warnings)
    if chains is None:
        return None
    parameter = "smtpd_tls_chain_files" if tls.smtpd_tls_chain_files else "smtpd_tls_cert_file"
    is_must = policy.needs_tls
    versions = "smtpd_tls_mandatory_protocols" if is_must else "smtpd_tls_protocols"
    protocols = getattr(tls, versions)
    try:
        version_range(protocols)
    except ConfigurationFault as fault:
        raise ConfigurationFault(snapshot.place_of(versions), fault.what, mend=fault.mend) from fault
    context = smtp_server_context(
        chains,
        protocols=protocols,
        ciphers=_ciphers(snapshot, tls, is_must=is_must),
        prefers_own_order=tls.tls_preempt_cipherlist,
        where=snapshot.place_of(parameter),
        chain_files=tls.smtpd_tls_chain_files,
    )
    apply_options(context, snapshot.group(TlsLibrary))
    keep_no_sessions(context)
    _take_dh_parameters(context, tls.smtpd_tls_dh1024_param_file, warnings)
    _ask_for_certificates(context, snapshot, policy)
    if tls.tls_server_sni_maps:
        ciphers = _ciphers(snapshot, tls, is_must=is_must)
        context.sni_callback = _server_names(snapshot, policy, clock, ciphers=ciphers)
    return context


def has_same_context(one: Snapshot, other: Snapshot) -> bool:
    """Whether one context does for both: how long a handshake may take is no part of it."""
    return all(
        one.value(declared.name) == other.value(declared.name)
        for group in (SmtpServerTls, TlsLibrary)
        for declared in declarations(group)
        if declared.name != "smtpd_starttls_timeout"
    )


def _chains(tls: SmtpServerTls, warnings: list[str]) -> list[tuple[str, str]] | None:
    """Pairs of certificate and key file, none needed beside chain files or `none`; None: there is no TLS."""
    pairs = [
        (certificate, key)
        for certificate, key in (
            ("" if _is_none(tls.smtpd_tls_cert_file) else tls.smtpd_tls_cert_file, tls.smtpd_tls_key_file),
            (tls.smtpd_tls_eccert_file, tls.smtpd_tls_eckey_file),
        )
        if certificate
    ]
    asks = tls.smtpd_tls_ask_ccert or tls.smtpd_tls_req_ccert
    if tls.smtpd_tls_chain_files:
        if pairs:
            warnings.append(
                "Both smtpd_tls_chain_files and one or more of smtpd_tls_cert_file and smtpd_tls_eccert_file are "
                "non-empty; the latter are ignored"
            )
        return []
    if not pairs and asks:
        warnings.append("Need a server cert to request client certs")
    if pairs or (_is_none(tls.smtpd_tls_cert_file) and not asks):
        return pairs
    warnings.append("No server certs available. TLS won't be enabled")
    return None


def _is_none(file: str) -> bool:
    return file.lower() == "none"


def _take_dh_parameters(context: ssl.SSLContext, path: str, warnings: list[str]) -> None:
    try:
        take_dh_parameters(context, "" if path == "auto" else path)
    except OSError as error:
        trouble = f'opening DH parameter file "{path}": {error.strerror}'
        if not error.strerror:
            trouble = f'decoding DH parameters from file "{path}"'
        warnings.append(f"error {trouble} -- using compiled-in defaults")
        take_dh_parameters(context, "")


def _ask_for_certificates(context: ssl.SSLContext, snapshot: Snapshot, policy: SmtpPolicy) -> None:
    tls = policy.tls
    if policy.asks_for_certificates:
        name = "smtpd_tls_req_ccert" if tls.smtpd_tls_req_ccert else "smtpd_tls_ask_ccert"
        load_reader()
        ask_for_certificates(
            context,
            ca_file=tls.smtpd_tls_CAfile,
            ca_path=tls.smtpd_tls_CApath,
            depth=tls.smtpd_tls_ccert_verifydepth,
            may_resume=True,
            where=snapshot.place_of(name),
        )


def _server_names(snapshot: Snapshot, policy: SmtpPolicy, clock: Clock, *, ciphers: str) -> ServerNames:
    """What chooses a chain, with the ciphers and the trust of the service's own."""
    name = "tls_server_sni_maps"
    tables = open_tables(
        policy.tls.tls_server_sni_maps,
        where=snapshot.place_of(name),
        clock=clock,
        files=True,
    )

    def make_context() -> ssl.SSLContext:
        context = bare_context(prefers_own_order=policy.tls.tls_preempt_cipherlist)
        context.set_ciphers(ciphers)  # a session has those of the context that it has at last
        _ask_for_certificates(context, snapshot, policy)
        return context

    return ServerNames(tables, make_context)


def _ciphers(snapshot: Snapshot, tls: SmtpServerTls, *, is_must: bool) -> str:
    """The grade's list without what is excluded; who asks for a certificate has no anonymous ciphers."""
    parameter = "smtpd_tls_mandatory_ciphers" if is_must else "smtpd_tls_ciphers"
    grade = str(getattr(tls, parameter)).lower()
    if grade not in CIPHER_GRADES:
        raise ConfigurationFault(
            snapshot.place_of(parameter),
            f'invalid TLS cipher grade: "{grade}"',
            mend=f"it is one of {', '.join(CIPHER_GRADES)}",
        )
    excluded = tls.smtpd_tls_exclude_ciphers
    if is_must:
        excluded += tls.smtpd_tls_mandatory_exclude_ciphers
    if tls.smtpd_tls_ask_ccert or tls.smtpd_tls_req_ccert:
        excluded = ("aNULL", *excluded)
    if grade != "null":
        excluded = ("eNULL", *excluded)
    # As Postfix: smtpd_tls_…protocols and …ciphers say what is too old, not how OpenSSL was built.
    return ":".join([cipher_lists(tls)[grade], *(f"!{name}" for name in excluded), "@SECLEVEL=0"])
