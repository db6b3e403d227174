"""The SASL mechanisms that a server of ours has."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from pillarbox.wire.sasl.apop import Apop
from pillarbox.wire.sasl.bearer_tokens import OAuthBearer, XOAuth2
from pillarbox.wire.sasl.cram_md5 import CramMd5
from pillarbox.wire.sasl.digest_md5 import DigestMd5
from pillarbox.wire.sasl.said_at_once import Anonymous, External, Login, Plain
from pillarbox.wire.sasl.scram import Scram
from pillarbox.wire.sasl.steps import Mechanism

MechanismProperties: TypeAlias = Mapping[bytes, tuple[bytes, ...]]
"""Mechanisms in the order in which they are offered, each with what the auth protocol says of its security."""

SECURITY: Final[MechanismProperties] = {
    b"PLAIN": (b"plaintext",),
    b"LOGIN": (b"plaintext",),
    b"DIGEST-MD5": (b"dictionary", b"active", b"mutual-auth"),
    b"CRAM-MD5": (b"dictionary", b"active"),
    b"SCRAM-SHA-1": (b"mutual-auth",),
    b"SCRAM-SHA-256": (b"mutual-auth",),
    b"ANONYMOUS": (b"anonymous",),
    b"APOP": (b"private", b"dictionary", b"active"),
    b"EXTERNAL": (),
    b"OAUTHBEARER": (b"plaintext",),
    b"XOAUTH2": (b"plaintext",),
}
"""What our server says of its own."""

MECHANISMS: Final = tuple(SECURITY)

USUAL_MECHANISMS: Final[MechanismProperties] = {name: SECURITY[name] for name in (b"PLAIN", b"LOGIN")}
"""What is offered while the authentication server cannot be asked."""


def start(
    name: bytes,
    *,
    nonce: bytes = b"nonce",
    host: bytes = b"localhost",
    realms: Sequence[bytes] = (b"",),
    service: bytes = b"",
    timestamp: bytes = b"",
) -> Mechanism:
    """A fresh exchange.  KeyError for a mechanism that is not served.

    `nonce` is printable, new each time; `realms` and `service` are for DIGEST-MD5, `timestamp` is how
    one of APOP has to begin.
    """
    match name:
        case b"PLAIN":
            return Plain()
        case b"LOGIN":
            return Login()
        case b"CRAM-MD5":
            return CramMd5(nonce, host)
        case b"DIGEST-MD5":
            return DigestMd5(nonce, realms, service)
        case b"SCRAM-SHA-1":
            return Scram("sha1", b"SCRAM-SHA-1", nonce)
        case b"SCRAM-SHA-256":
            return Scram("sha256", b"SCRAM-SHA-256", nonce)
        case b"EXTERNAL":
            return External()
        case b"ANONYMOUS":
            return Anonymous()
        case b"APOP":
            return Apop(timestamp)
        case b"OAUTHBEARER":
            return OAuthBearer()
        case b"XOAUTH2":
            return XOAuth2()
    raise KeyError(name)
