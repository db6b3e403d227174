"""What is known of an address, and the protocol by which it is asked for: verify(8)'s.

DESCRIPTION
    A `Verified` is one record of the cache: what the last probe said, when it came back, and when one that is still
    under way was sent.  On disk it is `status:probed:updated:text`.

    The server of the socket speaks first.  A request is a list of attributes, `query` for an address or `update`
    with what a probe was told; a query's answer has the address's status and a text.  A query may say how many
    milliseconds its sender has patience (`patience`, which Postfix does not send): then the answer waits for a
    probe that is under way.

FAULTS
    ValueError  a record or an answer that is none

STANDARDS
    Postfix verify(8), verify_clnt(3)
"""

import re
from enum import IntEnum
from typing import Final

import msgspec

from pillarbox.wire.attributes import END, Attribute, encode, greeting

PROTOCOL: Final = b"address_verification_prrotocol"
"""As Postfix 3.7 spells it."""
GREETING: Final = greeting(PROTOCOL)

_RECORD: Final = re.compile(rb"([0-9]{1,2}):([0-9]{1,15}):([0-9]{1,15}):(.*)", re.DOTALL)


class AddressStatus(IntEnum):
    """What a probe said: DEL_RCPT_STAT of Postfix."""

    OK = 0
    DEFER = 1
    BOUNCE = 2
    TODO = 3  # nothing yet


class Verified(msgspec.Struct, frozen=True):
    """A record."""

    status: AddressStatus
    probed: int  # when the probe that is under way was sent; 0: none is
    updated: int  # when the last one came back; 0: none has
    text: bytes

    def encode(self) -> bytes:
        """As it is stored."""
        return b"%d:%d:%d:%s" % (self.status, self.probed, self.updated, self.text)

    @classmethod
    def parse(cls, octets: bytes) -> "Verified":
        """ValueError for what is no record."""
        match = _RECORD.fullmatch(octets)
        if match is None:
            raise ValueError(f"bad address verify table entry: {octets[:100].decode('utf-8', 'replace')}")
        record = cls(AddressStatus(int(match[1])), int(match[2]), int(match[3]), match[4])
        if not record.probed and not record.updated:
            raise ValueError("a record without a time")
        return record


IN_PROGRESS: Final = Verified(AddressStatus.TODO, 0, 0, b"Address verification in progress")


class ServiceStatus(IntEnum):
    """What came of a request."""

    OK = 0
    FAIL = -1
    BAD = -2


def encode_query(address: bytes, *, patience: float = 0.0) -> bytes:
    """The request; `patience` in seconds."""
    attributes: list[Attribute] = [(b"request", b"query"), (b"address", address.replace(b"\0", b""))]
    if patience:
        attributes.append((b"patience", b"%d" % int(patience * 1000)))
    return encode(attributes) + END


def encode_status(status: ServiceStatus) -> bytes:
    """The answer to an update, or to nonsense."""
    return encode([(b"status", b"%d" % status)]) + END


def encode_answer(record: Verified) -> bytes:
    """The answer to a query."""
    return (
        encode(
            [
                (b"status", b"%d" % ServiceStatus.OK),
                (b"recipient_status", b"%d" % record.status),
                (b"reason", record.text.replace(b"\0", b"")),
            ]
        )
        + END
    )


def answer_from(attributes: dict[bytes, bytes]) -> tuple[AddressStatus, bytes]:
    """What a query was answered.  ValueError if the service did not do it."""
    if attributes.get(b"status") != b"%d" % ServiceStatus.OK:
        raise ValueError(f"unexpected answer {attributes}")
    return AddressStatus(int(attributes.get(b"recipient_status", b""))), attributes.get(b"reason", b"")
