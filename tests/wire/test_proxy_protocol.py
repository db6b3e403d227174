"""Headers of proxies: what they say, in any chunks, and what is wrong with others."""

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire.proxy_protocol import ProxyFault, ProxyHeader, Trouble, read_header

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
IPV4 = socket.inet_aton("198.51.100.7") + socket.inet_aton("192.0.2.10") + struct.pack("!HH", 4321, 25)
IPV6 = bytes(15) + b"\1" + bytes(15) + b"\2" + struct.pack("!HH", 4321, 25)
ADDRESSES = ("198.51.100.7", 4321), ("192.0.2.10", 25)


def binary(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(body)) + body


HEADERS = [
    (b"PROXY TCP4 198.51.100.7 192.0.2.10 4321 25\r\n", *ADDRESSES, False, False),
    (b"PROXY TCP6 ::1 ::2 4321 25\r\n", ("::1", 4321), ("::2", 25), False, False),
    (b"PROXY UNKNOWN\r\n", None, None, False, False),
    (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None, None, False, False),
    (binary(1, 0x11, IPV4), *ADDRESSES, False, False),
    (binary(1, 0x21, IPV6), ("::1", 4321), ("::2", 25), False, False),
    (binary(1, 0x11, IPV4 + b"\x02\0\1h\x20\0\5\1\0\0\0\0"), *ADDRESSES, False, True),
    (binary(1, 0x11, IPV4 + b"\x20\0\5\2\0\0\0\0"), *ADDRESSES, False, False),
    (binary(1, 0, b""), None, None, False, False),
    (binary(0, 0, b""), None, None, True, False),
    (binary(0, 0x11, IPV4), None, None, True, False),
]


@pytest.mark.parametrize(("header", "client", "server", "is_local", "has_tls"), HEADERS)
@given(behind=st.binary(max_size=8))
def test_headers(
    header: bytes,
    client: tuple[str, int] | None,
    server: tuple[str, int] | None,
    is_local: bool,
    has_tls: bool,
    behind: bytes,
) -> None:
    """Not before the last octet, and whatever stands behind it."""
    assert all(read_header(header[:end]) is None for end in range(1, len(header)))
    expected = ProxyHeader(len(header), client, server, is_local, has_tls)
    assert read_header(header + behind) == expected


FAULTS = [
    (b"EHLO x\r\n", Trouble.HEADER, ""),
    (b"PROXY\r\n", Trouble.HEADER, ""),
    (b"PROXY TCP4 198.51.100.7 192.0.2.10 4321 25\n", Trouble.UNFINISHED, ""),
    (b"PROXY UNKNOWN \n \r\n", Trouble.UNFINISHED, ""),
    (b"PROXY TCP4 " + b"1" * 100, Trouble.UNFINISHED, ""),
    (b"PROXY TCP5 a b 1 2\r\n", Trouble.PROTOCOL, "TCP5"),
    (b"PROXY  TCP4 198.51.100.7 192.0.2.10 4321 25\r\n", Trouble.PROTOCOL, ""),
    (b"PROXY TCP4 298.51.100.7 192.0.2.10 4321 25\r\n", Trouble.CLIENT_ADDRESS, "298.51.100.7"),
    (b"PROXY TCP4 198.51.100.7\r\n", Trouble.SERVER_ADDRESS, ""),
    (b"PROXY TCP4 198.51.100.7 ::1 4321 25\r\n", Trouble.SERVER_ADDRESS, "::1"),
    (b"PROXY TCP4 198.51.100.7 192.0.2.10 65536 25\r\n", Trouble.CLIENT_PORT, "65536"),
    (b"PROXY TCP4 198.51.100.7 192.0.2.10 -1 25\r\n", Trouble.CLIENT_PORT, "-1"),
    (b"PROXY TCP4 198.51.100.7 192.0.2.10 4321\r\n", Trouble.SERVER_PORT, ""),
    (b"PROXY TCP4 198.51.100.7 192.0.2.10 4321 25 x\r\n", Trouble.EXTRA, "x"),
    (SIGNATURE + b"\x11\x11\0\0", Trouble.VERSION, "01"),
    (SIGNATURE + b"\x25\x11\0\0", Trouble.COMMAND, "05"),
    (SIGNATURE + b"\x21\x11\xff\xff", Trouble.UNFINISHED, ""),
    (binary(1, 0x12, IPV4), Trouble.TRANSPORT, "02"),
    (binary(1, 0x31, b"a" * 216), Trouble.FAMILY, "03"),
    (binary(1, 0x11, IPV4[:5]), Trouble.SHORT, "IPv4"),
    (binary(1, 0x21, IPV4), Trouble.SHORT, "IPv6"),
    (binary(1, 0x11, IPV4 + b"\x02\0\4ho"), Trouble.EXTENSION, ""),
    (binary(1, 0x11, IPV4 + b"\x02"), Trouble.EXTENSION, ""),
]


@pytest.mark.parametrize(("data", "trouble", "shown"), FAULTS)
def test_faults(data: bytes, trouble: Trouble, shown: str) -> None:
    """What is wrong, and where."""
    with pytest.raises(ProxyFault) as fault:
        read_header(data)
    assert (fault.value.trouble, fault.value.shown) == (trouble, shown)
