"""Why TLS could not be begun, or broke, in the words that OpenSSL, Postfix and Dovecot have for it.

DESCRIPTION
    A handshake fails either because the connection does, or because the peer sends what the library refuses.
    `TlsFault` keeps both apart: its text is the cause in the system's words (`lost connection`, `Connection reset
    by peer`), and `openssl` is OpenSSL's error, when there was one, as its error strings read:
    `error:0A000418:SSL routines::tlsv1 alert unknown ca: SSL alert number 48`.
"""

import _ssl
import ssl
from functools import cache
from typing import Final

LOST_CONNECTION: Final = "lost connection"

_SSL_ROUTINES: Final = 20
"""ERR_LIB_SSL."""
_LIBRARY_SHIFT: Final = 23
"""Where the number of the library stands in an error code of OpenSSL 3."""
_ALERTS: Final = range(1000, 1256)
"""Reason codes of alerts that came: SSL_AD_REASON_OFFSET and the number of RFC 8446 §6."""


class TlsFault(Exception):
    """TLS could not be begun, or broke."""

    def __init__(self, reason: str, openssl: str = "") -> None:
        super().__init__(reason)
        self.openssl = openssl

    @property
    def is_end(self) -> bool:
        """Whether the peer has just closed the connection."""
        return str(self) == LOST_CONNECTION


def library_error(error: ssl.SSLError) -> str:
    """The error as ERR_error_string() gives it, without the function and the place in OpenSSL's source."""
    name = error.reason or ""
    text = name.replace("_", " ").lower() or str(error)
    of_ssl = getattr(error, "library", "") == "SSL"  # other parts of OpenSSL number theirs anew
    code = _reason_codes().get(name, 0) if of_ssl else 0
    if not code:
        return text
    alert = f": SSL alert number {code - _ALERTS.start}" if code in _ALERTS else ""
    return f"error:{_SSL_ROUTINES << _LIBRARY_SHIFT | code:08X}:SSL routines::{text}{alert}"


@cache
def _reason_codes() -> dict[str, int]:
    """Name → number of the reasons of SSL routines; empty where Python does not tell them."""
    names: dict[tuple[int, int], str] = getattr(_ssl, "err_codes_to_names", {})
    return {name: code for (library, code), name in names.items() if library == _SSL_ROUTINES}
