"""debug_peer_list: whose sessions are logged line by line."""

import pytest

from pillarbox.config.snapshot import Snapshot
from pillarbox.tables.debugged_peers import debugged_peers
from pillarbox.vocabulary.clock import ManualClock

PEERS = [
    ("mx.test", ("mx.test",), "192.0.2.1", True),
    ("mx.test", ("MX.Test",), "192.0.2.1", True),
    ("mx.test", ("a.mx.test",), "192.0.2.1", True),
    ("mx.test", ("amx.test",), "192.0.2.1", False),
    (".mx.test", ("a.mx.test",), "", True),
    ("unknown", ("unknown",), "192.0.2.1", False),
    ("192.0.2.1", ("unknown",), "192.0.2.1", True),
    ("192.0.2.0/24", (), "192.0.2.9", True),
    ("[2001:db8::]/32", (), "2001:db8::1", True),
    ("[2001:db8::]/32", (), "192.0.2.1", False),
    ("!192.0.2.9 192.0.2.0/24", (), "192.0.2.9", False),
    ("inline:{mx.test=x}", ("mx.test",), "", True),
    ("inline:{mx.test=x}", ("a.mx.test",), "", True),
    ("cidr:{{192.0.2.0/24 x}}", (), "192.0.2.7", True),
    ("fail:x", ("mx.test",), "192.0.2.1", False),
    ("dest.test", ("mx.test", "dest.test"), "192.0.2.1", True),
    ("", ("mx.test",), "192.0.2.1", False),
]


@pytest.mark.parametrize(("listed", "names", "address", "traced"), PEERS)
def test_who_is_among_them(listed: str, names: tuple[str, ...], address: str, traced: bool) -> None:
    """Names, domains above them, addresses, networks, tables, exceptions."""
    peers = debugged_peers(Snapshot.of({"debug_peer_list": listed}), clock=ManualClock())
    lines: list[str] = []
    trace = peers.trace("mx[192.0.2.1]:25", lines.append, names=names, address=address)
    assert (trace is not None) is traced
    if trace is not None:
        trace("<", b"250 2.1.5 \xc3\xa9 \xff")
        assert lines == ["< mx[192.0.2.1]:25: 250 2.1.5 \u00e9 \ufffd"]


def test_domains_do_not_stand_for_hosts_in_them() -> None:
    """Without the parameter in parent_domain_matches_subdomains."""
    settings = {"debug_peer_list": "mx.test", "parent_domain_matches_subdomains": ""}
    peers = debugged_peers(Snapshot.of(settings), clock=ManualClock())
    assert not peers.holds(names=("a.mx.test",), address="")
    assert peers.holds(names=("mx.test",), address="")
