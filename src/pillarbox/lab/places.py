"""Where the lab's hosts and its name server are: addresses and ports.

DESCRIPTION
    `on_loopback()` takes addresses of 127.0.0.0/8, which anybody may use on Linux, and a port that is free on all
    of them: nothing of it can be seen from, or leaves for, another machine.
"""

import socket
from typing import Final

import msgspec

_ATTEMPTS: Final = 50


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses by number."""

    prefix: str = "127.77."  # of the hosts', two octets
    own: str = "127.0.0.1"  # of the Pillarbox inside
    port: int = 25
    name_server: str = "127.77.0.53"
    name_server_port: int = 53
    ipv6: str = ""  # of those that have one; "" if there are none

    def host(self, number: int) -> str:
        """The address of a host."""
        return f"{self.prefix}{1 + number // 250}.{1 + number % 250}"


def on_loopback() -> Places:
    """Places that are free now.  OSError if there are none."""
    for _ in range(_ATTEMPTS):
        with socket.create_server(("127.77.1.1", 0)) as probe:
            port = int(probe.getsockname()[1])
        places = Places(port=port, name_server_port=port, ipv6="::1")
        try:
            with (
                socket.create_server((places.name_server, port)),
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
            ):
                datagrams.bind((places.name_server, port))
        except OSError:
            continue
        try:
            with socket.create_server(("::1", port), family=socket.AF_INET6):
                return places
        except OSError:
            return msgspec.structs.replace(places, ipv6="")
    raise OSError("no port is free on 127.77.0.0/16")
