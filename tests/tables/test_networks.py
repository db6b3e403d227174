"""Network lists with tables: the first that has an address decides, and one that cannot answer trusts nobody."""

from ipaddress import ip_address

import pytest

from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.smtp_server import SmtpServer
from pillarbox.config.snapshot import Snapshot
from pillarbox.tables.networks import with_networks
from pillarbox.tables.table import LookupFault
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


@pytest.mark.parametrize(
    ("parameter", "value", "name", "held"),
    [
        ("mynetworks", "inline:{ example.org=x }", "a.example.org", True),
        ("mynetworks", "inline:{ .example.org=x }", "a.example.org", False),
        ("mynetworks", "regexp:{ { /^example.org$$/ x } }", "a.example.org", False),
        ("smtpd_authorized_verp_clients", "inline:{ example.org=x }", "a.example.org", False),
        ("smtpd_authorized_verp_clients", "inline:{ .example.org=x }", "a.b.example.org", True),
        ("smtpd_authorized_verp_clients", "inline:{ 192.0.2.1=x }", "a.example.org", True),
        ("smtpd_forbid_bare_newline_exclusions", "example.org", "a.example.org", True),
    ],
)
def test_hosts(parameter: str, value: str, name: str, held: bool) -> None:
    """Domains are asked as parent_domain_matches_subdomains says; regular expressions see whole names."""
    group = Identity if parameter == "mynetworks" else SmtpServer
    settings = with_networks(group, Snapshot.of({parameter: value}), clock=ManualClock())
    assert getattr(settings, parameter).contains(ip_address("192.0.2.1"), name) is held


def test_a_table_that_cannot_answer() -> None:
    """Who asks for more than yes or no hears of it."""
    identity = with_networks(Identity, Snapshot.of({"mynetworks": "fail:x"}), clock=ManualClock())
    with pytest.raises(LookupFault) as raised:
        identity.mynetworks.holds(ip_address("192.0.2.1"))
    assert raised.value.reason == "mynetworks: fail:x: table lookup problem"


def test_a_table_that_is_not_there() -> None:
    """Is told at start, with the parameter."""
    with pytest.raises(ConfigurationFault, match="mynetworks"):
        with_networks(Identity, Snapshot.of({"mynetworks": "texthash:/nonexistent"}), clock=ManualClock())
