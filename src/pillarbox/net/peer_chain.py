"""The certificates that a TLS server has shown, before anybody has verified them.

DESCRIPTION
    Python 3.13 has SSLObject.get_unverified_chain(); before, the same function is there, one object further inside.
    The length of the chain is bounded by OpenSSL (100 KiB of certificates, SSL_CTX_set_max_cert_list(3)).
"""

import ssl
from typing import Any, Final, cast

_DER: Final = 2
"""_ssl.ENCODING_DER"""


def peer_chain(tls: ssl.SSLObject) -> list[bytes]:
    """DER, the server's own certificate first; empty if it has shown none."""
    public = getattr(tls, "get_unverified_chain", None)
    if public is not None:
        return [bytes(certificate) for certificate in public() or ()]
    inner = cast(Any, tls)._sslobj
    return [certificate.public_bytes(_DER) for certificate in inner.get_unverified_chain() or ()]
