"""Keys of access tables: which parts of an address are asked for, in their order (access(5))."""

from ipaddress import ip_address

import pytest

from pillarbox.access.access_tables import AccessKeys

NETWORKS = [
    ("192.0.2.1", ["192.0.2.1", "192.0.2", "192.0", "192"]),
    ("2001:db8:1:2:3:4:5:6", ["2001:db8:1:2:3:4:5:6"[:end] for end in (20, 18, 16, 14, 12, 10, 8, 4)]),
    # Cut at the last colon: what a double one leaves ends in a colon, as smtpd(8) has it.
    ("2001:db8::1", ["2001:db8::1", "2001:db8:", "2001:db8", "2001"]),
    ("::1", ["::1", ":"]),
]


@pytest.mark.parametrize(("address", "keys"), NETWORKS)
def test_networks(address: str, keys: list[str]) -> None:
    """The whole address first; all others are parts."""
    found = AccessKeys(match_subdomains=True, null_sender="<>").of_network(ip_address(address))
    assert list(found) == [(key, key == address) for key in keys]
