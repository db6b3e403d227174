"""Settings of dovecot.conf that depend on the connection: blocks `local`, `remote`, `protocol` and `local_name`.

DESCRIPTION
    A block's settings are for connections to an address, from a network, of a protocol, or to a name that the
    client gave in its TLS greeting (SNI).  Blocks within each other ask for all of it.  Where several set the
    same, the most special one counts: a name before addresses, a longer prefix before a shorter one, the local
    address before the remote one, a protocol before none; what stands later before what stands earlier.

STANDARDS
    Dovecot 2.3, ConfigFile (Filters); RFC 6066 §3 (SNI)
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final

import msgspec

SERVED: Final = (
    "disable_plaintext_auth",
    "login_greeting",
    "mail_max_userip_connections",
    "ssl",
    "ssl_cert",
    "ssl_key",
)
"""What may differ from connection to connection."""
SERVED_BY_NAME: Final = ("ssl_cert", "ssl_key")
"""What is known soon enough after the client said which host it wants."""


class ConnectionBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Settings for some connections; what is empty does not matter."""

    protocol: str = ""  # imap, pop3 or !imap
    local: str = ""  # address or network
    remote: str = ""
    local_names: tuple[str, ...] = ()  # in lower case, `*.` in front for all below
    values: dict[str, str]

    @property
    def speciality(self) -> tuple[bool, int, int, bool]:
        """Of two blocks, the one with more counts."""
        return bool(self.local_names), _bits(self.local), _bits(self.remote), bool(self.protocol)

    def fits(self, protocol: str, local: str, remote: str) -> bool:
        """Whether it is for this connection, whatever its client calls us."""
        is_not = self.protocol.startswith("!")
        if self.protocol and (self.protocol.removeprefix("!") == protocol) is is_not:
            return False
        return _within(local, self.local) and _within(remote, self.remote)


def _bits(network: str) -> int:
    return ip_network(network, strict=False).prefixlen + 1 if network else 0


def _within(address: str, network: str) -> bool:
    return not network or ip_address(address) in ip_network(network, strict=False)


class ConnectionRules:
    """The blocks, and what is set outside them."""

    def __init__(self, values: dict[str, str], blocks: Sequence[ConnectionBlock]) -> None:
        """`values`: each of SERVED, as text."""
        self._values = values
        ordered = sorted(blocks, key=lambda block: block.speciality)
        self._blocks = [block for block in ordered if not block.local_names]
        self._named = [block for block in ordered if block.local_names]
        self._resolve = lru_cache(maxsize=4096)(self._resolved)

    def value(self, name: str, *, protocol: str, local: str, remote: str) -> str:
        """A setting for a connection."""
        return self._resolve(protocol, local, remote)[name]

    def certificate(self, *, protocol: str, local: str, remote: str) -> tuple[str, str]:
        """Files of certificate and key for a client that names no host, or one that we do not know."""
        found = self._resolve(protocol, local, remote)
        return found["ssl_cert"], found["ssl_key"]

    def certificate_for(self, host: str) -> tuple[str, str] | None:
        """The same for a host that the client named; None if no block is for it."""
        host = host.lower() if host.isascii() else host
        found: dict[str, str] = {}
        for block in self._named:
            if any(_is_host(host, name) for name in block.local_names):
                found.update(block.values)
        if not found:
            return None
        return found.get("ssl_cert", self._values["ssl_cert"]), found.get("ssl_key", self._values["ssl_key"])

    def certificates(self) -> set[tuple[str, str]]:
        """Every pair that some connection may need."""
        pairs = {(self._values["ssl_cert"], self._values["ssl_key"])}
        for block in (*self._blocks, *self._named):
            if "ssl_cert" in block.values or "ssl_key" in block.values:
                known = {**self._values, **block.values}
                pairs.add((known["ssl_cert"], known["ssl_key"]))
        return {pair for pair in pairs if pair[0]}

    def _resolved(self, protocol: str, local: str, remote: str) -> dict[str, str]:
        found = dict(self._values)
        for block in self._blocks:
            if block.fits(protocol, local, remote):
                found.update(block.values)
        return found


def _is_host(host: str, name: str) -> bool:
    if name.startswith("*."):
        return host.endswith(name[1:]) and "." not in host[: -len(name) + 1]
    return host == name
