"""TLSA records and certificates: which records can be used, and whether a server's chain matches them.

DESCRIPTION
    Usages 2 (DANE-TA: an authority that has to have signed) and 3 (DANE-EE: the server's own certificate or key)
    count; 0 and 1 mean nothing for SMTP.  Of records with the same usage and selector only those with the strongest
    digest count (RFC 7671 §9), beside those that hold all octets.

    A certificate that a DANE-EE record matches is right whatever its dates and names are (RFC 7672 §3.1.1).  That
    of a DANE-TA record has to lead to the authority: signatures, dates, basic constraints, and a name that belongs
    to the destination.  `cryptography` verifies that path with the authority as its only anchor (docs/adr/0017); so
    the server has to send the authority's certificate, unless the record holds it.  A record that holds only the
    authority's key (2 1 0), or a digest, finds it in what the server sends (RFC 7671 §5.2).

    Names are those of subjectAltName; there is no falling back to the common name, which RFC 7672 §3.2.3 leaves
    open.

FAULTS
    Mismatch  nothing matches, in the words of OpenSSL's verify errors

STANDARDS
    RFC 6698; RFC 7671; RFC 7672 §3
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

import msgspec

from pillarbox.delivery.smtp.mismatch import DEEPEST, NO_MATCH, Mismatch
from pillarbox.net.dns.records import Tlsa
from pillarbox.vocabulary.faults import ConfigurationFault

TRUST_ANCHOR: Final = 2
END_ENTITY: Final = 3
_CERTIFICATE, _KEY = 0, 1
_EXACT: Final = 0
_MATCHING: Final = {"sha256": 1, "sha512": 2}
_SIZES: Final = {"sha256": 32, "sha512": 64}


class Matched(msgspec.Struct, frozen=True):
    """What a record matched."""

    record: Tlsa
    depth: int  # of the certificate; 0: the server's own


def read_digests(words: Sequence[str]) -> tuple[str, ...]:
    """tls_dane_digests: `sha512 sha256`, the strongest first.  ConfigurationFault."""
    found: list[str] = []
    for word in words:
        name, _, number = word.lower().partition("=")
        if name not in _MATCHING or number not in ("", str(_MATCHING[name])):
            raise ConfigurationFault(
                "tls_dane_digests", f'"{word}" is no digest of TLSA records that is known'
            )
        if name not in found:
            found.append(name)
    return tuple(found)


def usable(records: Sequence[Tlsa], digests: Sequence[str]) -> tuple[Tlsa, ...]:
    """Records that say something that can be checked, without those that a stronger digest makes needless."""
    strength = {_MATCHING[name]: len(digests) - at for at, name in enumerate(digests)}
    sizes = {_MATCHING[name]: _SIZES[name] for name in digests}
    good = [
        record
        for record in records
        if record.usage in (TRUST_ANCHOR, END_ENTITY)
        and record.selector in (_CERTIFICATE, _KEY)
        and (
            _is_readable(record)
            if record.matching == _EXACT
            else len(record.data) == sizes.get(record.matching)
        )
    ]
    best: dict[tuple[int, int], int] = {}
    for record in good:
        if record.matching != _EXACT:
            kind = record.usage, record.selector
            best[kind] = max(best.get(kind, 0), strength[record.matching])
    return tuple(
        record
        for record in good
        if record.matching == _EXACT or strength[record.matching] == best[record.usage, record.selector]
    )


def match(chain: Sequence[bytes], records: Sequence[Tlsa], names: Sequence[str]) -> Matched:
    """What of a chain (DER, the server's own certificate first) matches.  Mismatch."""
    if not chain:
        raise Mismatch(NO_MATCH)
    for record in records:
        if record.usage == END_ENTITY and _matches(record, chain[0]):
            return Matched(record, 0)
    from pillarbox.delivery.smtp.certificates import verify

    fault = Mismatch(NO_MATCH)
    for record in records:
        if record.usage != TRUST_ANCHOR:
            continue
        for depth, anchor in _anchors(record, chain):
            try:
                verify(chain, anchor, names)
            except Mismatch as mismatch:
                fault = mismatch
            else:
                return Matched(record, depth)
    raise fault


def described(record: Tlsa) -> str:
    """As log lines have it: `3 1 1 ABCD…`, long data by its ends."""
    text = record.data.hex().upper()
    if len(record.data) > 64:
        text = f"{text[:64]}...{text[-64:]}"
    return f"{record.usage} {record.selector} {record.matching} {text or '...'}"


def _is_readable(record: Tlsa) -> bool:
    """Whether a whole certificate or key is one."""
    from pillarbox.delivery.smtp.certificates import is_certificate, is_public_key

    return (is_certificate if record.selector == _CERTIFICATE else is_public_key)(record.data)


def _matches(record: Tlsa, certificate: bytes) -> bool:
    from pillarbox.delivery.smtp.certificates import public_key

    data = public_key(certificate) if record.selector == _KEY else certificate
    if not data:
        return False
    if record.matching != _EXACT:
        name = next(name for name, number in _MATCHING.items() if number == record.matching)
        data = hashlib.new(name, data).digest()
    return hmac.compare_digest(data, record.data)


def _anchors(record: Tlsa, chain: Sequence[bytes]) -> list[tuple[int, bytes]]:
    """Authorities that a DANE-TA record names, with their depth: never the server's own certificate."""
    found = [(depth, issuer) for depth, issuer in enumerate(chain) if depth and _matches(record, issuer)]
    if not found and record.selector == _CERTIFICATE and record.matching == _EXACT:
        found.append((len(chain), record.data))  # RFC 7671 §5.2.2: the server need not send it
    return found[:DEEPEST]
