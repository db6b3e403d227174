"""What the log says of a TLS 1.3 session besides its cipher: how keys were exchanged, and who signed with what.

DESCRIPTION
    `tls_figures()` asks OpenSSL after the handshake.  The texts are Postfix's:

        key-exchange X25519
        server-signature RSA-PSS (2048 bits) server-digest SHA256
        client-signature ECDSA (prime256v1) client-digest SHA256

    In older versions of TLS the cipher's name says most of it, and nothing is added.

STANDARDS
    RFC 8446 §4.2.3 (signatures: RSA always as PSS), §4.2.7 (groups); OpenSSL SSL_get_peer_tmp_key(3)
"""

import ctypes
import ssl
from functools import cache
from typing import Any, Final

import msgspec

from pillarbox.net.openssl import open_library, session_address

_POINTER: Final = ctypes.c_void_p
_FUNCTIONS: Final = {
    "SSL_ctrl": (ctypes.c_long, (_POINTER, ctypes.c_int, ctypes.c_long, _POINTER)),
    "SSL_get_certificate": (_POINTER, (_POINTER,)),
    "SSL_get1_peer_certificate": (_POINTER, (_POINTER,)),
    "X509_get0_pubkey": (_POINTER, (_POINTER,)),
    "X509_free": (None, (_POINTER,)),
    "EVP_PKEY_free": (None, (_POINTER,)),
    "EVP_PKEY_get_id": (ctypes.c_int, (_POINTER,)),
    "EVP_PKEY_get_bits": (ctypes.c_int, (_POINTER,)),
    "EVP_PKEY_get0_type_name": (ctypes.c_char_p, (_POINTER,)),
    "EVP_PKEY_get_group_name": (
        ctypes.c_int,
        (_POINTER, ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(ctypes.c_size_t)),
    ),
    "OBJ_nid2sn": (ctypes.c_char_p, (ctypes.c_int,)),
}

# Of <openssl/ssl.h>, where they stand behind macros.
_PEER_SIGNATURE, _PEER_TMP_KEY, _OWN_SIGNATURE = 108, 109, 132
_RSA, _DH, _EC, _RSA_PSS = 6, 28, 408, 912  # NID_…
_NAME_OCTETS: Final = 80


class TlsFigures(msgspec.Struct, frozen=True):
    """Texts for the log and for Received:; empty where there is nothing to say."""

    key_exchange: str = ""
    server_signature: str = ""
    client_signature: str = ""

    @property
    def text(self) -> str:
        """For one line, with a blank in front; empty if nothing is known."""
        known = (self.key_exchange, self.server_signature, self.client_signature)
        return "".join(f" {part}" for part in known if part)

    @property
    def folded(self) -> str:
        """For a header, what the server did on a line of its own, and what the client did."""
        server = " ".join(filter(None, (self.key_exchange, self.server_signature)))
        return "".join(f"\n\t {part}" for part in (server, self.client_signature) if part)


def tls_figures(tls: ssl.SSLObject) -> TlsFigures:
    """The figures of a session whose handshake is over; none of a TLS before 1.3, or if OpenSSL cannot be asked."""
    library = _library()
    session = session_address(tls) if library is not None and tls.version() == "TLSv1.3" else None
    if session is None:
        return TlsFigures()
    own = _own_signature(library, session, is_server=tls.server_side)
    peer = _peer_signature(library, session)
    server, client = (own, peer) if tls.server_side else (peer, own)
    return TlsFigures(
        _key_exchange(library, session),
        _signature("server", *server),
        _signature("client", *client),
    )


@cache
def _library() -> Any:  # noqa: ANN401 - ctypes gives libraries no better type
    return open_library(_FUNCTIONS)


def _key_exchange(library: Any, session: int) -> str:  # noqa: ANN401
    key = _POINTER()
    if not library.SSL_ctrl(session, _PEER_TMP_KEY, 0, ctypes.byref(key)) or not key.value:
        return ""
    try:
        kind = library.EVP_PKEY_get_id(key)
        name = {_DH: "DHE", _EC: "ECDHE"}.get(kind) or _type_name(library, key, kind)
        return f"key-exchange {name}{_size(library, key, kind)}"
    finally:
        library.EVP_PKEY_free(key)


def _own_signature(library: Any, session: int, *, is_server: bool) -> tuple[str, str]:  # noqa: ANN401
    """Key and digest, the latter empty in a session that is resumed.

    A client may have a certificate that it was not asked for: then it has signed nothing.
    """
    digest = _digest(library, session, _OWN_SIGNATURE)
    has_signed = is_server or digest is not None
    certificate = library.SSL_get_certificate(session) if has_signed else None
    return (_signer(library, certificate), digest or "") if certificate else ("", "")


def _peer_signature(library: Any, session: int) -> tuple[str, str]:  # noqa: ANN401
    certificate = library.SSL_get1_peer_certificate(session)
    if not certificate:
        return "", ""
    try:
        return _signer(library, certificate), _digest(library, session, _PEER_SIGNATURE) or ""
    finally:
        library.X509_free(certificate)


def _signature(side: str, signer: str, digest: str) -> str:
    if not signer:
        return ""
    return f"{side}-signature {signer}" + (f" {side}-digest {digest}" if digest else "")


def _signer(library: Any, certificate: int) -> str:  # noqa: ANN401
    key = library.X509_get0_pubkey(certificate)
    if not key:
        return ""
    kind = library.EVP_PKEY_get_id(key)
    name = {_RSA: "RSA-PSS", _RSA_PSS: "RSA-PSS", _EC: "ECDSA"}.get(kind) or _type_name(library, key, kind)
    return name + _size(library, key, kind)


def _digest(library: Any, session: int, which: int) -> str | None:  # noqa: ANN401
    """The name of a signature's digest, empty if its algorithm has its own; None if nothing was signed."""
    number = ctypes.c_int()
    if not library.SSL_ctrl(session, which, 0, ctypes.byref(number)):
        return None
    return (library.OBJ_nid2sn(number) or b"").decode("ascii", "replace") if number.value else ""


def _type_name(library: Any, key: Any, kind: int) -> str:  # noqa: ANN401
    name = library.OBJ_nid2sn(kind) if kind > 0 else library.EVP_PKEY_get0_type_name(key)
    return (name or b"?").decode("ascii", "replace")


def _size(library: Any, key: Any, kind: int) -> str:  # noqa: ANN401
    """The curve, or the bits where there are choices."""
    if kind == _EC:
        curve = ctypes.create_string_buffer(_NAME_OCTETS)
        if not library.EVP_PKEY_get_group_name(key, curve, _NAME_OCTETS, None):
            return ""
        return f" ({curve.value.decode('ascii', 'replace')})"
    return f" ({library.EVP_PKEY_get_bits(key)} bits)" if kind in (_RSA, _DH, _RSA_PSS) else ""
