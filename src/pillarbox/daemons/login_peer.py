"""Who a client before login is: as the connection shows it, or as a trusted proxy tells."""

import base64
from ipaddress import ip_address

import msgspec

from pillarbox.daemons.login_facts import LoginFacts
from pillarbox.net.handover import Peer
from pillarbox.sessions.forwarded_client import ForwardedClient

_TIME_OCTETS = 6
"""Of the time in microseconds: it begins anew after nearly nine years."""


class LoginPeer:
    """One client; `peer` is who it is by now."""

    def __init__(self, peer: Peer, facts: LoginFacts) -> None:
        self.peer = peer
        self.is_forwarded = False
        """Whether it has another address than who connected: what that one may do, it may not for that."""
        self._facts = facts

    def believe(self, told: ForwardedClient) -> None:
        """What a trusted proxy says of its client."""
        self.is_forwarded |= told.remote not in ("", self.peer.remote)
        self.peer = msgspec.structs.replace(
            self.peer,
            remote=told.remote or self.peer.remote,
            local=told.local or self.peer.local,
            session=told.session or self.peer.session,
        )
        self._facts.be_told_ports(local=told.local_port, remote=told.remote_port)


def session_id(now: float, port: int, address: str) -> str:
    """Of when (seconds since 1970) and from where: 16 characters of base64 for IPv4, 32 for IPv6, as Dovecot's."""
    time = int(now * 1_000_000) % (1 << 8 * _TIME_OCTETS)
    octets = time.to_bytes(_TIME_OCTETS, "little") + port.to_bytes(2, "little") + ip_address(address).packed
    return base64.b64encode(octets).decode("ascii")
