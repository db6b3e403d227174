"""Headers of proxies: any octets are one, the beginning of one, or refused."""

from pillarbox.wire.proxy_protocol import ProxyFault, read_header

_BINARY = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14\xc6\x33\x64\7\xc0\0\2\n\x10\xe1\0\x19"

SEEDS = [
    b"PROXY TCP4 198.51.100.7 192.0.2.10 4321 25\r\n",
    b"PROXY TCP6 2001:db8::7 2001:db8::1 4321 25\r\n",
    b"PROXY UNKNOWN\r\n",
    _BINARY + b"\x20\0\5\1\0\0\0\0",
]
DICTIONARY = [b"PROXY ", b"TCP4 ", b"TCP6 ", b"UNKNOWN", b"\r\n", _BINARY[:12], b"\x21\x21", b"\x20\x00"]


def fuzz_one(data: bytes) -> None:
    """What is one stays one, whatever stands behind it, and is none without its last octet."""
    try:
        header = read_header(data) if data else None
    except ProxyFault:
        return
    if header is None:
        return
    assert 0 < header.octets <= len(data)
    assert read_header(data[: header.octets]) == read_header(data + b"x") == header
    assert header.octets == 1 or read_header(data[: header.octets - 1]) is None
