"""smtp(8) among hosts with addresses of IPv4 and IPv6, beside Debian's Postfix: what is tried, in which order.

Log lines, words on the wire, clients' addresses and notices are compared; differences stand in
ipv6_client_differences.txt, each with its reason.
"""

import subprocess
from pathlib import Path
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.host import Host
from fakes.outbound_cases import differences, play_all, services, transport_maps
from fakes.outbound_world import World
from system.ipv6_client_cases import CASES, REFUSES

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

_LIST: Final = Path(__file__).with_name("ipv6_client_differences.txt")
_MAIN_CF: Final = """\
inet_protocols = all
notify_classes =
smtpd_reject_unlisted_recipient = no
smtp_randomize_addresses = no
smtp_connection_cache_on_demand = no
"""


def prepare(host: Host, number: int) -> None:
    """More addresses of a host, routes to nowhere, names in /etc/hosts, and a domain to search."""
    for own in (f"10.53.1.{number}/16", f"fd53::a:{number}/64 nodad"):
        host.output(f"ip address add {own} dev eth0")
    host.output("ip route add 10.54.0.0/16 via 10.53.0.1; ip route add fd54::/64 via fd53::1")
    hosts = host.file("/etc/hosts").read_text()
    more = f"::1 localhost\nfd53::{number} named.hosts\nfd53::b:1 six.hosts\nfd53::b:2 both.hosts\n10.53.2.2 both.hosts\n"
    host.write("/etc/hosts", hosts + more)
    resolver = host.file("/etc/resolv.conf").read_text()
    host.write("/etc/resolv.conf", resolver + "search defnames.test dnsrch.test\n")
    host.output(
        f"postconf -e own_address=10.53.1.{number} own_address6=fd53::a:{number} host_address6=fd53::{number}"
    )


def make_places(world: World) -> None:
    """Hosts where nobody listens, and one that says nothing."""
    for place in REFUSES:
        world.add(place)
    subprocess.run(["ip", "route", "add", "blackhole", "fd54::/64"], check=True)


def test_the_same_as_postfix(tmp_path: Path) -> None:
    """What each service logs, says to its servers and returns."""
    let_others_in(tmp_path)
    world = World(
        tmp_path,
        [case.scenario for case in CASES],
        _MAIN_CF + transport_maps(CASES),
        services=services(CASES),
        prepare=prepare,
    )
    try:
        make_places(world)
        theirs, ours = (play_all(world, host, CASES) for host in (world.theirs, world.ours))
    finally:
        world.end()
    reports = differences(theirs, ours, CASES, _LIST)
    assert not reports, "\n".join(reports)
