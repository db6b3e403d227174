"""Server TLS contexts: certificates, versions and ciphers.

FAULTS
    ConfigurationFault  a certificate or key that cannot be loaded, with the reason
    BadChain            the same of chains in memory

STANDARDS
    RFC 7435 §3 (old TLS is better than none); RFC 7468 (PEM); OpenSSL SSL_CTX_set_security_level(3)
"""

import os
import re
import ssl
from collections.abc import Sequence
from typing import Final

from pillarbox.net.tls_faults import library_error
from pillarbox.net.tls_versions import limit_versions
from pillarbox.vocabulary.faults import ConfigurationFault


def server_context(
    certificate: str, key: str, *, where: str, ciphers: str = "", prefers_own_order: bool = False
) -> ssl.SSLContext:
    """A context for accepting TLS 1.2 and later.

    `ciphers` in OpenSSL's language; empty for its own choice.  Of those that both have the client's first is taken,
    or ours with `prefers_own_order`.
    """
    context = bare_context(prefers_own_order=prefers_own_order)
    if ciphers:
        _choose_ciphers(context, ciphers, where=where)
    _load(context, certificate, key, where=where)
    return context


def bare_context(*, prefers_own_order: bool = False) -> ssl.SSLContext:
    """The same without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if not prefers_own_order:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE  # which Python sets
    return context


def smtp_server_context(
    chains: Sequence[tuple[str, str]], *, protocols: str, ciphers: str, prefers_own_order: bool, where: str
) -> ssl.SSLContext:
    """The same from several pairs of certificate and key file, for RSA and ECDSA side by side, or from none.

    `protocols` as smtpd_tls_protocols has them.
    """
    context = bare_context(prefers_own_order=prefers_own_order)
    if ciphers:
        _choose_ciphers(context, ciphers, where=where)
    for certificate, key in chains:
        _load(context, certificate, key, where=where)
    limit_versions(context, protocols)
    return context


def load_second(context: ssl.SSLContext, certificate: str, key: str, *, where: str) -> None:
    """A certificate of another kind besides, RSA or ECDSA: clients get that which they can check."""
    _load(context, certificate, key, where=where)


def _choose_ciphers(context: ssl.SSLContext, ciphers: str, *, where: str) -> None:
    """To be done before a certificate is loaded: @SECLEVEL among them says which keys are too short."""
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError as error:
        raise ConfigurationFault(where, f'no cipher is left by "{ciphers}"') from error


def _load(context: ssl.SSLContext, certificate: str, key: str, *, where: str) -> None:
    try:
        context.load_cert_chain(certificate, key or None)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or str(error)
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            reason = f"the private key in {key or certificate} is that of another certificate"
        raise ConfigurationFault(where, f"cannot load certificate {certificate}: {reason}") from error


class BadChain(Exception):
    """Chains that cannot be loaded: `warnings` say why, with `%s` for where they are from, in Postfix's words."""

    def __init__(self, *warnings: str) -> None:
        super().__init__(*warnings)
        self.warnings = warnings


_BLOCK: Final = re.compile(r"-----BEGIN ([^-\n]+)-----.*?-----END \1-----[^\n]*\n?", re.DOTALL)
_MISMATCHES: Final = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")


def load_chains(context: ssl.SSLContext, text: str) -> None:
    """Load private keys in PEM, each followed by its certificate and those above it.  BadChain."""
    blocks = list(_BLOCK.finditer(text))
    chains: list[tuple[int, list[str]]] = []  # the key's number among all blocks, and the texts
    for number, block in enumerate(blocks, start=1):
        if block[1].endswith("PRIVATE KEY"):
            chains.append((number, [block[0]]))
        elif not chains:
            raise BadChain("error loading chain from %s: key not first")
        else:
            chains[-1][1].append(block[0])
    if not chains and "-----BEGIN " not in text:
        raise BadChain("No PEM data in %s")
    for number, blocks_of_chain in chains:
        if len(blocks_of_chain) == 1:
            raise BadChain(f"No certs for key at index {number} in %s")
        if number > 1:  # beside a chain of the same kind of key a mismatch would go unnoticed
            _load_chain(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "".join(blocks_of_chain), number)
        _load_chain(context, "".join(blocks_of_chain), number)
    if not blocks or text.count("-----BEGIN ") > len(blocks):
        raise BadChain("TLS library problem: error:04800066:PEM routines::bad end line:")


def _load_chain(context: ssl.SSLContext, text: str, number: int) -> None:
    descriptor = os.memfd_create("chain")
    try:
        os.write(descriptor, text.encode("ascii", "replace"))
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    except ssl.SSLError as error:
        library = f"TLS library problem: {library_error(error)}:"
        if error.reason in _MISMATCHES:
            raise BadChain(f"key at index {number} in %s does not match next certificate", library) from error
        raise BadChain(library) from error
    except OSError as error:
        raise BadChain(f"error loading chain from %s: {error.strerror}") from error
    finally:
        os.close(descriptor)
