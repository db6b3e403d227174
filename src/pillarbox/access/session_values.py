"""What `$name` stands for in texts that clients are told: reject footers and replies of block lists.

Nothing of main.cf but the host's name: a reply must not tell how a system is set up.
"""

import time

from pillarbox.access.client import ClientFacts
from pillarbox.vocabulary.address import Address


def session_values(
    client: ClientFacts, recipient: Address | None, *, host: str, now: float, sender: Address | None = None
) -> dict[str, str | None]:
    """By name; what is not known yet is empty.  `sender` is the one of a message that is over."""
    return {
        "client": client.label,
        "client_address": client.address_text,
        "client_name": client.name,
        "client_port": str(client.port),
        "helo_name": client.helo.decode("utf-8", "surrogateescape"),
        "localtime": time.strftime("%b %d %H:%M:%S", time.localtime(now)),
        "reverse_client_name": client.reverse_name,
        "server_name": host,
        **_address_values("sender", client.sender if sender is None else sender),
        **_address_values("recipient", recipient),
    }


def _address_values(name: str, address: Address | None) -> dict[str, str | None]:
    if address is None:
        return {name: "", f"{name}_name": "", f"{name}_domain": ""}
    if address.is_null:
        return {name: "<>", f"{name}_name": "<>", f"{name}_domain": ""}
    local_part = address.local_part.decode("utf-8", "surrogateescape")
    return {
        name: address.internal.decode("utf-8", "surrogateescape"),
        f"{name}_name": local_part,
        f"{name}_domain": address.domain.decode("utf-8", "surrogateescape"),
    }
