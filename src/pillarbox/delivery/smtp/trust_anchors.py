"""Authorities of one destination alone: smtp_tls_trust_anchor_file, and `tafile` in a policy.

DESCRIPTION
    A file holds certificates and public keys in PEM.  They are trusted in place of smtp_tls_CAfile and of all
    authorities of the system, and need not be at the top of anything: the certificate of an authority in the middle
    will do.  A key stands for whichever certificate the server shows that has it.

FAULTS
    ConfigurationFault  a file that cannot be read, or holds neither

STANDARDS
    RFC 7468 (PEM); postconf(5), smtp_tls_trust_anchor_file
"""

import binascii
import os
import re
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from pillarbox.delivery.smtp.dane import TRUST_ANCHOR, match
from pillarbox.delivery.smtp.mismatch import EXPIRED, NOT_SIGNED, NOT_YET_VALID, Mismatch
from pillarbox.net.dns.records import Tlsa
from pillarbox.vocabulary.faults import ConfigurationFault

_BLOCK: Final = re.compile(
    rb"-----BEGIN (CERTIFICATE|TRUSTED CERTIFICATE|X509 CERTIFICATE|PUBLIC KEY)-----\s"
    rb"([A-Za-z0-9+/=\s]*)-----END \1-----"
)
_LARGEST: Final = 1024 * 1024  # octets of a file


class Anchors(msgspec.Struct, frozen=True):
    """Whom a destination's certificate has to come from; DER."""

    certificates: tuple[bytes, ...] = ()
    keys: tuple[bytes, ...] = ()

    def mismatch(self, chain: Sequence[bytes]) -> str:
        """Why a chain leads to none of them, whatever its names are; empty if it does."""
        records = [Tlsa(TRUST_ANCHOR, 0, 0, certificate) for certificate in self.certificates]
        records += [Tlsa(TRUST_ANCHOR, 1, 0, key) for key in self.keys]
        try:
            match(chain, records, _names(chain))
        except Mismatch as mismatch:
            return str(mismatch) if str(mismatch) in (EXPIRED, NOT_YET_VALID) else NOT_SIGNED
        return ""


def read_anchors(files: Sequence[str]) -> Anchors:
    """What the files hold.  ConfigurationFault."""
    from pillarbox.delivery.smtp.certificates import is_certificate

    certificates: list[bytes] = []
    keys: list[bytes] = []
    for name in files:
        try:
            with Path(name).open("rb") as file:
                blocks = _BLOCK.findall(file.read(_LARGEST))
            found = [(kind, binascii.a2b_base64(b"".join(text.split()))) for kind, text in blocks]
            for kind, der in found:
                if kind == b"PUBLIC KEY":
                    keys.append(der)
                else:
                    if not is_certificate(der):
                        raise ValueError("not a certificate that can be read")
                    certificates.append(der)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise ConfigurationFault("", f"error opening trust anchor file: {name}: {reason}") from error
        except ValueError as error:
            raise ConfigurationFault("", f"error reading trust anchor file: {name}: {error}") from error
        if not found:
            raise ConfigurationFault(
                "", f"trust anchor file {name} holds neither certificates nor public keys"
            )
    return Anchors(tuple(certificates), tuple(keys))


def trust(context: ssl.SSLContext, anchors: Anchors) -> None:
    """Have OpenSSL believe these and nobody else; keys are left to `mismatch()`.

    As PEM: at the end of DER, Python takes what an earlier call left in OpenSSL's queue of errors for an error.
    """
    if anchors.certificates:
        context.load_verify_locations(cadata="".join(map(ssl.DER_cert_to_PEM_cert, anchors.certificates)))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


def _names(chain: Sequence[bytes]) -> list[str]:
    """A name of the server's own certificate: who it is has been asked elsewhere."""
    from pillarbox.delivery.smtp.certificates import alternative_names

    return [name.replace("*", "any", 1) for name in alternative_names(chain[0])[:1]] if chain else []
