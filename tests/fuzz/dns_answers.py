"""DNS responses: any octets are an answer, or refused in one of the documented ways."""

import msgspec

from pillarbox.net.dns.messages import NotOurs, Truncated, new_query, read_response
from pillarbox.net.dns.records import DnsFault, RecordType

_QUERY = new_query("example.test", RecordType.MX)
_WIRE = _QUERY.wire[2:]
_ANSWER = b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x07example\x04test\x00\x00\x0f\x00\x01"

SEEDS = [
    _ANSWER + b"\xc0\x0c\x00\x0f\x00\x01\x00\x00\x01\x2c\x00\x06\x00\x0a\x01a\xc0\x0c",
    _ANSWER + b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x01\x2c\x00\x04\x01b\xc0\x0c",
    _ANSWER + b"\xc0\x0c\x00\x34\x00\x01\x00\x00\x01\x2c\x00\x07\x03\x01\x01abcd",
    _WIRE,
]
DICTIONARY = [b"\xc0\x0c", b"\x00\x0f\x00\x01", b"\x00\x05\x00\x01", b"\x00\x06\x00\x01"]


def fuzz_one(data: bytes) -> None:
    """Each kind of question is answered by the same octets."""
    for kind in RecordType:
        query = msgspec.structs.replace(_QUERY, kind=kind)
        try:
            answer = read_response(query, _QUERY.wire[:2] + data)
        except (NotOurs, Truncated, DnsFault):
            continue
        assert answer.ttl >= 0
        assert answer.name == answer.name.lower()
