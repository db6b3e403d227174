"""What the log says of a certificate that will not do, in Postfix's words.

LIMITS
    The issuer's name, which Postfix adds for one that is not
    trusted, is not known here: the handshake ends before the certificate can be looked at.
"""

import ssl
from typing import Final

from pillarbox.net.chain_faults import EXPIRED, NO_ISSUER, SELF_SIGNED, chain_fault_line

NAME_MISMATCH: Final = "num=62:hostname mismatch"
FINGERPRINT_MISMATCH: Final = "num=65:no matching DANE TLSA records"
"""Fingerprints are compared as TLSA records are (Postfix says so, too)."""
UNUSABLE_FINGERPRINTS: Final = "num=1:unspecified certificate verification error"
"""No certificate could have any of them."""


def verification_failure(relay: str, error: ssl.SSLCertVerificationError) -> str:
    """The line for a chain that does not lead to somebody we trust."""
    return chain_fault_line(relay, "server", error.verify_code, error.verify_message)


def failure_kind(cause: BaseException | None) -> str:
    """The result type of RFC 8460 §4.3 for a handshake that failed."""
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return "validation-failure"
    if cause.verify_code == EXPIRED:
        return "certificate-expired"
    is_strange = cause.verify_code == SELF_SIGNED or cause.verify_code in NO_ISSUER
    return "certificate-not-trusted" if is_strange else "validation-failure"
