"""Where connections come from, by the protocol of the server's address.

DESCRIPTION
    smtp_bind_address and smtp_bind_address6; without them the address of inet_interfaces, if there is just one of
    the protocol, so that mail comes from the host for which Postfix runs.  The kernel chooses otherwise.

SOURCE
    postconf(5): smtp_bind_address, smtp_bind_address6, inet_interfaces
"""

from ipaddress import ip_address

import msgspec

from pillarbox.config.parameters.smtp_client import SmtpClient
from pillarbox.config.snapshot import Snapshot
from pillarbox.routing.own_addresses import interface_addresses


class Source(msgspec.Struct, frozen=True):
    """An address, and whether smtp_bind_address_enforce means it."""

    address: str
    is_set: bool = True


Sources = dict[int, Source]
"""By version of the protocol."""


def source_addresses(client: SmtpClient, snapshot: Snapshot) -> Sources:
    """Of the protocols for which there is one."""
    found: Sources = {}
    by_version: dict[int, set[str]] = {}
    for text in interface_addresses(snapshot):
        by_version.setdefault(ip_address(text).version, set()).add(text)
    for version, texts in by_version.items():
        only = min(texts)
        if len(texts) == 1 and not ip_address(only).is_loopback:
            found[version] = Source(only, is_set=False)
    for version, text in ((4, client.smtp_bind_address), (6, client.smtp_bind_address6)):
        if text:
            found[version] = Source(text.strip("[]"))
    return found
