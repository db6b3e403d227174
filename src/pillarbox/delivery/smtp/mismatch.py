"""How far a server's chain of certificates is looked at, and why one is not right, as OpenSSL says it."""

from typing import Final

DEEPEST: Final = 10
"""Certificates of a chain that are looked at."""

NO_MATCH: Final = "num=65:no matching DANE TLSA records"
WRONG_NAME: Final = "num=62:hostname mismatch"
EXPIRED: Final = "certificate has expired"
NOT_YET_VALID: Final = "certificate not yet valid"
NOT_SIGNED: Final = "untrusted issuer"


class Mismatch(Exception):
    """A chain that is not the one that the DNS or a policy tells of; `str()` says why."""
