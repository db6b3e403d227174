"""Server TLS contexts: certificates, versions and ciphers.

FAULTS
    ConfigurationFault  a certificate or key that cannot be loaded, with the reason
    BadChain            the same of private keys with their chains

STANDARDS
    RFC 7435 §3 (old TLS is better than none); RFC 7468 (PEM); OpenSSL SSL_CTX_set_security_level(3)
"""

import os
import re
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from pillarbox.net.tls_faults import library_error
from pillarbox.net.tls_versions import limit_versions
from pillarbox.vocabulary.faults import ConfigurationFault


def server_context(
    certificate: str,
    key: str,
    *,
    where: str,
    password: str = "",
    ciphers: str = "",
    prefers_own_order: bool = False,
) -> ssl.SSLContext:
    """A context for accepting TLS 1.2 and later; `password` is for a key that is encrypted.

    `ciphers` in OpenSSL's language; empty for its own choice.  Of those that both have the client's first is taken,
    or ours with `prefers_own_order`.
    """
    context = bare_context(prefers_own_order=prefers_own_order)
    if ciphers:
        _choose_ciphers(context, ciphers, where=where)
    _load(context, certificate, key, where=where, password=password)
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
    chains: Sequence[tuple[str, str]],
    *,
    protocols: str,
    ciphers: str,
    prefers_own_order: bool,
    where: str,
    chain_files: Sequence[str] = (),
) -> ssl.SSLContext:
    """The same from several pairs of certificate and key file, for RSA and ECDSA side by side, or from none.

    `chain_files` hold private keys, each before its certificates; `protocols` is as smtpd_tls_protocols has them.
    """
    context = bare_context(prefers_own_order=prefers_own_order)
    if ciphers:
        _choose_ciphers(context, ciphers, where=where)
    for certificate, key in chains:
        _load(context, certificate, key, where=where)
    try:
        load_chain_files(context, chain_files)
    except BadChain as fault:
        raise ConfigurationFault(where, "; ".join(fault.warnings)) from fault
    except OSError as error:
        raise ConfigurationFault(
            where, f"error opening chain file: {error.filename}: {error.strerror}"
        ) from error
    limit_versions(context, protocols)
    return context


def load_second(
    context: ssl.SSLContext, certificate: str, key: str, *, where: str, password: str = ""
) -> None:
    """A certificate of another kind besides, RSA or ECDSA: clients get that which they can check."""
    _load(context, certificate, key, where=where, password=password)


def _choose_ciphers(context: ssl.SSLContext, ciphers: str, *, where: str) -> None:
    """To be done before a certificate is loaded: @SECLEVEL among them says which keys are too short."""
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError as error:
        raise ConfigurationFault(where, f'no cipher is left by "{ciphers}"') from error


def _load(context: ssl.SSLContext, certificate: str, key: str, *, where: str, password: str = "") -> None:
    """`password`: of a key that is encrypted; nobody is asked for another on a terminal."""
    is_encrypted = False

    def tell() -> str:
        nonlocal is_encrypted
        is_encrypted = True
        return password

    try:
        context.load_cert_chain(certificate, key or None, password=tell)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or str(error)
        if is_encrypted:
            reason = (
                f"the private key in {key or certificate} is encrypted, and the password for it is not right"
            )
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            reason = f"the private key in {key or certificate} is that of another certificate"
        raise ConfigurationFault(where, f"cannot load certificate {certificate}: {reason}") from error


class BadChain(Exception):
    """Chains that cannot be loaded: `warnings` say why, in Postfix's words."""

    def __init__(self, *warnings: str) -> None:
        super().__init__(*warnings)
        self.warnings = warnings


_BLOCK: Final = re.compile(r"-----BEGIN ([^-\n]+)-----.*?-----END \1-----[^\n]*\n?", re.DOTALL)
_MISMATCHES: Final = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")


class _Chain(msgspec.Struct):
    """A private key and what follows it up to the next one; `number` is its own among all blocks of its source."""

    source: str
    number: int
    blocks: list[str]

    @property
    def place(self) -> str:
        """Where the key stands, in Postfix's words."""
        return f"key at index {self.number} in {self.source}"


def load_chains(context: ssl.SSLContext, *sources: tuple[str, str]) -> None:
    """Load private keys in PEM, each before its certificate and those above it, from names and texts.  BadChain.

    A chain may begin in one text and go on in the next, as smtpd_tls_chain_files has it (postconf(5)).
    """
    chains: list[_Chain] = []
    for source, text in sources:
        for number, block in enumerate(_BLOCK.finditer(text), start=1):
            if block[1].endswith("PRIVATE KEY"):
                chains.append(_Chain(source, number, [block[0]]))
            elif not chains:
                raise BadChain(f"error loading chain from {source}: key not first")
            else:
                chains[-1].blocks.append(block[0])
    if sources and not chains and not any("-----BEGIN " in text for _, text in sources):
        raise BadChain(f"No PEM data in {', '.join(source for source, _ in sources)}")
    for chain in chains:
        if len(chain.blocks) == 1:
            raise BadChain(f"No certs for {chain.place}")
        if chain is not chains[0]:  # beside a chain of the same kind of key a mismatch would go unnoticed
            _load_chain(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), chain)
        _load_chain(context, chain)
    if any(text.count("-----BEGIN ") > len(_BLOCK.findall(text)) for _, text in sources):
        raise BadChain("TLS library problem: error:04800066:PEM routines::bad end line:")


def load_chain_files(context: ssl.SSLContext, paths: Sequence[str]) -> None:
    """The same from files.  BadChain, OSError of the first that cannot be read."""
    load_chains(context, *((path, Path(path).read_text("ascii", errors="replace")) for path in paths))


def _load_chain(context: ssl.SSLContext, chain: _Chain) -> None:
    descriptor = os.memfd_create("chain")
    try:
        os.write(descriptor, "".join(chain.blocks).encode("ascii", "replace"))
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    except ssl.SSLError as error:
        library = f"TLS library problem: {library_error(error)}:"
        if error.reason in _MISMATCHES:
            raise BadChain(f"{chain.place} does not match next certificate", library) from error
        raise BadChain(library) from error
    except OSError as error:
        raise BadChain(f"error loading chain from {chain.source}: {error.strerror}") from error
    finally:
        os.close(descriptor)
