"""tls_ssl_options, tls_disable_workarounds, tls_eecdh_auto_curves, smtpd_tls_dh1024_param_file, and Dovecot's
ssl_curve_list, ssl_cipher_suites and ssl_dh: how OpenSSL behaves.

FAULTS
    ConfigurationFault  a name that is no option

STANDARDS
    OpenSSL SSL_CTX_set_options(3), SSL_CTX_set1_groups_list(3), SSL_CTX_set_ciphersuites(3),
    SSL_CTX_set_dh_auto(3); postconf(5)
"""

import ctypes
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pillarbox.config.parameters.smtp_server_tls import SmtpServerTls
from pillarbox.config.parameters.tls_library import TlsLibrary
from pillarbox.net.openssl import context_address, open_library
from pillarbox.vocabulary.faults import ConfigurationFault

CIPHER_GRADES: Final = ("null", "low", "medium", "high", "export")

_OPTIONS: Final = {
    "enable_middlebox_compat": 1 << 20,
    "legacy_server_connect": 1 << 2,
    "no_ticket": 1 << 14,
    "no_compression": 1 << 17,
    "no_renegotiation": 1 << 30,
    "no_session_resumption_on_renegotiation": 1 << 16,
    "prioritize_chacha": 1 << 21,
}
_WORKAROUNDS: Final = {
    "cryptopro_tlsext_bug": 1 << 31,
    "dont_insert_empty_fragments": 1 << 11,
    "legacy_server_connect": 1 << 2,
    "tlsext_padding": 1 << 4,
    **dict.fromkeys(  # OpenSSL has none of these any more
        (
            "microsoft_big_sslv3_buffer",
            "microsoft_sess_id_bug",
            "msie_sslv2_rsa_padding",
            "cve-2005-2969",
            "netscape_challenge_bug",
            "netscape_reuse_cipher_change_bug",
            "cve-2010-4180",
            "ssleay_080_client_dh_bug",
            "sslref2_reuse_cert_type_bug",
            "tls_block_padding_bug",
            "tls_d5_bug",
            "tls_rollback_bug",
        ),
        0,
    ),
}
_USUAL_CURVES: Final = ("X25519", "X448", "prime256v1", "secp521r1", "secp384r1")
_SET_GROUPS_LIST: Final = 92  # SSL_CTRL_SET_GROUPS_LIST
_SET_DH_AUTO: Final = 118  # SSL_CTRL_SET_DH_AUTO
_SET_SESSION_CACHE_MODE: Final = 44  # SSL_CTRL_SET_SESS_CACHE_MODE
_CONTROL: Final = {
    "SSL_CTX_ctrl": (ctypes.c_long, (ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p)),
    "SSL_CTX_set_ciphersuites": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_char_p)),
    "ERR_clear_error": (None, ()),
}


def cipher_lists(settings: SmtpServerTls) -> dict[str, str]:
    """What each grade of ciphers means, in OpenSSL's language; clients have the same."""
    return {
        "high": settings.tls_high_cipherlist,
        "medium": settings.tls_medium_cipherlist,
        "low": settings.tls_low_cipherlist,
        "export": settings.tls_export_cipherlist,
        "null": settings.tls_null_cipherlist,
    }


def apply_options(context: ssl.SSLContext, settings: TlsLibrary) -> None:
    """Bring a context into line with main.cf."""
    context.options |= mask(settings.tls_ssl_options, _OPTIONS, "tls_ssl_options")
    context.options &= ~mask(settings.tls_disable_workarounds, _WORKAROUNDS, "tls_disable_workarounds")
    if settings.tls_eecdh_auto_curves and settings.tls_eecdh_auto_curves != _USUAL_CURVES:
        _choose_curves(context, settings.tls_eecdh_auto_curves)


def keep_no_sessions(context: ssl.SSLContext) -> None:
    """Resume sessions by what is in the tickets that clients hold, and by nothing in our memory (RFC 5077)."""
    library = open_library(_CONTROL)
    if library is not None:
        library.SSL_CTX_ctrl(context_address(context), _SET_SESSION_CACHE_MODE, 0, None)


def mask(words: Sequence[str], known: Mapping[str, int], parameter: str) -> int:
    """The bits of some options."""
    bits = 0
    for word in words:
        name = word.lower()
        if name.startswith("0x"):
            try:
                bits |= int(name[2:], 16)
            except ValueError:
                raise ConfigurationFault(f"parameter {parameter}", f'"{word}" is no bit mask') from None
        elif name in known:
            bits |= known[name]
        else:
            raise ConfigurationFault(
                f"parameter {parameter}", f'unknown option "{word}"', mend=f"known are {', '.join(known)}"
            )
    return bits


def set_curves(context: ssl.SSLContext, names: str, *, where: str) -> bool:
    """Offer these curves, names with colons between, and no others; False: OpenSSL does not know one of them."""
    library = _library(where)
    taken: bool = library.SSL_CTX_ctrl(context_address(context), _SET_GROUPS_LIST, 0, names.encode()) == 1
    library.ERR_clear_error()
    return taken


def set_cipher_suites(context: ssl.SSLContext, names: str, *, where: str) -> bool:
    """Offer these ciphers of TLS 1.3, names with colons between; False: OpenSSL does not know one of them."""
    library = _library(where)
    taken: bool = library.SSL_CTX_set_ciphersuites(context_address(context), names.encode()) == 1
    library.ERR_clear_error()
    return taken


def take_dh_parameters(context: ssl.SSLContext, path: str) -> None:
    """Offer DHE with the group of this file, PEM; empty: with one that OpenSSL finds strong enough.

    OSError, whose strerror is empty if the file can be read and has no group that can be used.
    """
    if path:
        try:
            context.load_dh_params(path)
        except ssl.SSLError as error:
            raise OSError(0, "", path) from error
    elif (library := open_library(_CONTROL)) is not None:
        library.SSL_CTX_ctrl(context_address(context), _SET_DH_AUTO, 1, None)


def _library(where: str) -> Any:  # noqa: ANN401 - ctypes gives libraries no better type
    library: Any = open_library(_CONTROL)
    if library is None:
        raise ConfigurationFault(where, "it cannot be chosen: this Python hides its OpenSSL")
    return library


def _choose_curves(context: ssl.SSLContext, names: Sequence[str]) -> None:
    where = "parameter tls_eecdh_auto_curves"
    usable = [name for name in names if set_curves(context, name, where=where)]
    if not usable or not set_curves(context, ":".join(usable), where=where):
        raise ConfigurationFault(where, "OpenSSL has none of these curves")
