"""Ask the operating system for this host's name and interface addresses.

DESCRIPTION
    The only place in the configuration that looks at anything but configuration files.  The supervisor and
    commands such as postconf call it; a role gets the answer inside its snapshot.

    Addresses come from the kernel by rtnetlink, in the kernel's order, IPv4 and IPv6 with prefix lengths.

FAULTS
    A kernel that refuses the question (some sandboxes do) leaves the loopback addresses.

STANDARDS
    rtnetlink(7), RTM_GETADDR
"""

import _socket
import contextlib
import struct
from collections.abc import Iterator
from typing import Final

from pillarbox.config.computed_defaults import HostFacts

_RTM_NEWADDR: Final = 20
_RTM_GETADDR: Final = 22
_NLMSG_ERROR: Final = 2
_NLMSG_DONE: Final = 3
_NLM_F_REQUEST_DUMP: Final = 0x301
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2
_HEADER: Final = struct.Struct("=IHHII")
_ADDRESS_MESSAGE: Final = struct.Struct("=BBBBI")
_ATTRIBUTE: Final = struct.Struct("=HH")


def host_facts() -> HostFacts:
    """This host's name and addresses, now."""
    hostname = _socket.gethostname()
    try:
        interfaces = tuple(_interfaces())
    except OSError:
        interfaces = ()
    return HostFacts(hostname, interfaces) if interfaces else HostFacts(hostname)


def _interfaces() -> Iterator[tuple[str, str]]:
    names = dict(_socket.if_nameindex())
    # The module `socket` takes longer to load than the kernel to answer, and commands need nothing else of it.
    with contextlib.closing(
        _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW, _socket.NETLINK_ROUTE)
    ) as netlink:
        netlink.settimeout(5.0)
        request = _ADDRESS_MESSAGE.pack(_socket.AF_UNSPEC, 0, 0, 0, 0)
        size = _HEADER.size + len(request)
        netlink.send(_HEADER.pack(size, _RTM_GETADDR, _NLM_F_REQUEST_DUMP, 1, 0) + request)
        while True:
            answer = netlink.recv(65536)
            for kind, message in _messages(answer):
                if kind in (_NLMSG_DONE, _NLMSG_ERROR):
                    return
                if kind == _RTM_NEWADDR:
                    family, prefix, _flags, _scope, index = _ADDRESS_MESSAGE.unpack_from(message)
                    address = _address(message[_ADDRESS_MESSAGE.size :])
                    if family in (_socket.AF_INET, _socket.AF_INET6) and address:
                        yield names.get(index, ""), f"{_socket.inet_ntop(family, address)}/{prefix}"


def _messages(answer: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + _HEADER.size <= len(answer):
        length, kind, _flags, _sequence, _port = _HEADER.unpack_from(answer, position)
        if length < _HEADER.size:
            return
        yield kind, answer[position + _HEADER.size : position + length]
        position += (length + 3) & ~3


def _address(attributes: bytes) -> bytes:
    """IFA_LOCAL if there is one (on point-to-point links IFA_ADDRESS is the peer's), else IFA_ADDRESS."""
    found: dict[int, bytes] = {}
    position = 0
    while position + _ATTRIBUTE.size <= len(attributes):
        length, kind = _ATTRIBUTE.unpack_from(attributes, position)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = attributes[position + _ATTRIBUTE.size : position + length]
        position += (length + 3) & ~3
    return found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS, b"")
