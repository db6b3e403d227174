"""smtp_sasl_password_maps: which user and password a server gets.

FAULTS
    LookupFault  a table cannot answer: mail waits
"""

import msgspec

from pillarbox.delivery.smtp.destination import Destination
from pillarbox.routing.address_lookup import find_first
from pillarbox.routing.address_maps import AddressMaps, MapFault
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.secret import Secret


class Login(msgspec.Struct, frozen=True):
    """User and password."""

    user: bytes
    password: Secret


def find_login(
    maps: AddressMaps, *, destination: Destination, host: str, sender: bytes, by_sender: bool
) -> Login | None:
    """By the sender's address if `by_sender`, then by the server's name, then by the nexthop as written.

    MapFault.
    """
    value = maps.find(Address.parse(sender)) if by_sender and sender else None
    for key in (host, destination.text.lower()):
        if value is None:
            try:
                value = find_first(maps.tables, key)
            except LookupFault as fault:
                raise MapFault(maps.title, "", fault) from fault
    if value is None:
        return None
    user, _, password = value.partition(":")
    return Login(user.encode(), Secret(password.encode()))
