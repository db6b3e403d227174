"""What the log says of a certificate that will not do, in Postfix's words.

STANDARDS
    The numbers are X509_verify_cert_error_string(3)'s.  The issuer's name, which Postfix adds for one that is not
    trusted, is not known here: the handshake ends before the certificate can be looked at.
"""

import ssl
from typing import Final

NAME_MISMATCH: Final = "num=62:hostname mismatch"
FINGERPRINT_MISMATCH: Final = "num=65:no matching DANE TLSA records"
"""Fingerprints are compared as TLSA records are (Postfix says so, too)."""

_SELF_SIGNED, _NOT_YET_VALID, _EXPIRED = 18, 9, 10
_NO_ISSUER: Final = (2, 19, 20)


def verification_failure(relay: str, error: ssl.SSLCertVerificationError) -> str:
    """The line for a chain that does not lead to somebody we trust."""
    code = error.verify_code
    if code == _SELF_SIGNED:
        return f"certificate verification failed for {relay}: self-signed certificate"
    if code in _NO_ISSUER:
        return f"certificate verification failed for {relay}: untrusted issuer"
    if code == _NOT_YET_VALID:
        return f"server certificate verification failed for {relay}: certificate not yet valid"
    if code == _EXPIRED:
        return f"server certificate verification failed for {relay}: certificate has expired"
    return f"server certificate verification failed for {relay}: num={code}:{error.verify_message}"


def failure_kind(cause: BaseException | None) -> str:
    """The result type of RFC 8460 §4.3 for a handshake that failed."""
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return "validation-failure"
    if cause.verify_code == _EXPIRED:
        return "certificate-expired"
    is_strange = cause.verify_code == _SELF_SIGNED or cause.verify_code in _NO_ISSUER
    return "certificate-not-trusted" if is_strange else "validation-failure"
