"""Network lists with tables: the first that has an address decides, and one that cannot answer trusts nobody."""

from ipaddress import ip_address

import pytest

from pillarbox.config.parameters.identity import Identity
from pillarbox.config.snapshot import Snapshot
from pillarbox.tables.networks import with_networks
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.faults import ConfigurationFault


@pytest.mark.parametrize(
    ("mynetworks", "address", "held"),
    [
        ("inline:{ 192.0.2.1=x }", "192.0.2.1", True),
        ("inline:{ 192.0.2.1=x }", "192.0.2.2", False),
        ("inline:{ 192.0.2.1=x }", "::ffff:192.0.2.1", True),
        ("cidr:{ { 192.0.2.0/28 x } }", "192.0.2.15", True),
        ("cidr:{ { 192.0.2.0/28 x } }", "192.0.2.16", False),
        ("cidr:{ { 2001:db8::/32 x } }", "2001:db8::1", True),
        ("!inline:{ 192.0.2.1=x }, 192.0.2.0/24", "192.0.2.1", False),
        ("!inline:{ 192.0.2.1=x }, 192.0.2.0/24", "192.0.2.2", True),
        ("192.0.2.0/24, !inline:{ 192.0.2.1=x }", "192.0.2.1", True),
        ("!192.0.2.1, static:x", "192.0.2.1", False),
        ("!192.0.2.1, static:x", "198.51.100.1", True),
        ("fail:x, 192.0.2.0/24", "192.0.2.1", False),
        ("!fail:x, 192.0.2.0/24", "192.0.2.1", False),
        ("192.0.2.0/24, fail:x", "192.0.2.1", True),
    ],
)
def test_networks(mynetworks: str, address: str, held: bool) -> None:
    """In order, with `!` for exceptions."""
    identity = with_networks(Identity, Snapshot.of({"mynetworks": mynetworks}), clock=ManualClock())
    assert identity.mynetworks.contains(ip_address(address)) is held


def test_a_table_that_is_not_there() -> None:
    """Is told at start, with the parameter."""
    with pytest.raises(ConfigurationFault, match="mynetworks"):
        with_networks(Identity, Snapshot.of({"mynetworks": "texthash:/nonexistent"}), clock=ManualClock())
