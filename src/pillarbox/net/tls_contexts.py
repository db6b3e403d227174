"""Server TLS contexts: certificates, versions and ciphers.

FAULTS
    ConfigurationFault  a certificate or key that cannot be loaded, with the reason

STANDARDS
    RFC 8996 (TLS 1.0 and 1.1 deprecated)
"""

import ssl
from collections.abc import Sequence

from pillarbox.net.tls_versions import version_range
from pillarbox.vocabulary.faults import ConfigurationFault


def server_context(
    certificate: str, key: str, *, where: str, ciphers: str = "", prefers_own_order: bool = False
) -> ssl.SSLContext:
    """A context for accepting TLS 1.2 and later.

    `ciphers` in OpenSSL's language; empty for its own choice.  Of those that both have the client's first is taken,
    or ours with `prefers_own_order`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if not prefers_own_order:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE  # which Python sets
    _load(context, certificate, key, where=where)
    if ciphers:
        try:
            context.set_ciphers(ciphers)
        except ssl.SSLError as error:
            raise ConfigurationFault(where, f'no cipher is left by "{ciphers}"') from error
    return context


def smtp_server_context(
    chains: Sequence[tuple[str, str]], *, protocols: str, ciphers: str, prefers_own_order: bool, where: str
) -> ssl.SSLContext:
    """The same from several pairs of certificate and key file, for RSA and ECDSA side by side.

    `protocols` as smtpd_tls_protocols has them; what is older than TLS 1.2 is never offered (RFC 8996).
    """
    (certificate, key), *others = chains
    context = server_context(
        certificate, key, where=where, ciphers=ciphers, prefers_own_order=prefers_own_order
    )
    for certificate, key in others:
        _load(context, certificate, key, where=where)
    oldest, newest = version_range(protocols)
    if newest < ssl.TLSVersion.TLSv1_2:
        raise ConfigurationFault(
            where, f'"{protocols}" leaves no TLS version from 1.2 on', mend="write >=TLSv1.2"
        )
    context.minimum_version = max(oldest, ssl.TLSVersion.TLSv1_2)
    context.maximum_version = newest
    return context


def load_second(context: ssl.SSLContext, certificate: str, key: str, *, where: str) -> None:
    """A certificate of another kind besides, RSA or ECDSA: clients get that which they can check."""
    _load(context, certificate, key, where=where)


def _load(context: ssl.SSLContext, certificate: str, key: str, *, where: str) -> None:
    try:
        context.load_cert_chain(certificate, key or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationFault(
            where, f"cannot load certificate {certificate}: {error.strerror or error}"
        ) from error
