"""What the log says of a chain of certificates that is not trusted, in Postfix's words.

STANDARDS
    The numbers and the texts for them are X509_verify_cert_error_string(3)'s.
"""

from typing import Final, Literal

SELF_SIGNED, NOT_YET_VALID, EXPIRED = 18, 9, 10
NO_ISSUER: Final = (2, 19, 20)
_INVALID_PURPOSE: Final = 26


def chain_fault_line(
    peer: str, side: Literal["client", "server"], code: int, text: str, *, issuer: str = ""
) -> str:
    """The line for a chain of this peer's that does not lead to somebody we trust.

    `issuer` is who signed the certificate that nobody vouches for, as X509_NAME_oneline(3) has it; empty where that
    is not known.
    """
    failed = f"certificate verification failed for {peer}"
    if code == SELF_SIGNED:
        return f"{failed}: self-signed certificate"
    if code in NO_ISSUER:
        return f"{failed}: untrusted issuer {issuer}".rstrip()
    if code == NOT_YET_VALID:
        return f"{side} {failed}: certificate not yet valid"
    if code == EXPIRED:
        return f"{side} {failed}: certificate has expired"
    if code == _INVALID_PURPOSE:
        return f"{failed}: not designated for use as a {side} certificate"
    return f"{side} {failed}: num={code}:{text}"
