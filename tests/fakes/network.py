"""An internet of a few hosts for one test: a bridge, hosts on it with addresses of their own, and a name server.

The bridge is in the test's own network namespace; nothing leads out of it.  bind9 answers on the bridge's address for
every zone of the test, and is each host's resolver.
"""

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fakes.host import Host
from fakes.mail_system import until

RESOLVER: Final = "10.53.0.1"
"""The bridge's own address, where the name server is."""

_NEIGHBOURS: Final = {"mcast_solicit": 3, "retrans_time_ms": 200}
"""That nobody has an address is known after 0.6 seconds instead of three (arp(7))."""
_NAMED_CONF: Final = """\
options {{
  directory "{directory}";
  pid-file "{directory}/named.pid";
  session-keyfile "{directory}/session.key";
  listen-on port 53 {{ 10.53.0.1; 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  recursion no;
  dnssec-validation no;
  empty-zones-enable no;
  rrset-order {{ order none; }};
}};
zone "." {{ type master; file "zone.root"; }};
"""
_START_OF_ZONE: Final = """\
$TTL 5
@ IN SOA ns.test. hostmaster.test. ( 1 3600 600 86400 1 )
@ IN NS ns.test.
"""


class Network:
    """`zones` are the records of each zone, as a zone file has them; None: somebody else is the name server."""

    def __init__(self, directory: Path, zones: Mapping[str, str] | None) -> None:
        self._directory = directory
        self._hosts: list[Host] = []
        # With an address of its own: else it takes the lowest of its ports', which changes with each host that comes,
        # and hosts that know the old one lose the resolver for half a minute.
        _ip("link add internet address 02:00:5e:00:53:01 type bridge")
        _ip(f"address add {RESOLVER}/16 dev internet")
        _ip("link set internet up")
        _ip("address add fd53::1/64 dev internet nodad")
        self._named: subprocess.Popen[bytes] | None = None
        if zones is None:
            return
        configuration = _NAMED_CONF.format(directory=directory)
        (directory / "zone.root").write_text(_START_OF_ZONE + f"ns.test. IN A {RESOLVER}\n")
        for name, records in zones.items():
            configuration += f'zone "{name}" {{ type master; file "zone.{name}"; }};\n'
            (directory / f"zone.{name}").write_text(_START_OF_ZONE + records)
        (directory / "named.conf").write_text(configuration)
        self._named = subprocess.Popen(
            ["/usr/sbin/named", "-f", "-c", str(directory / "named.conf")], stderr=subprocess.DEVNULL
        )
        until((directory / "named.pid").exists, what="named runs")

    def host(self, name: str, number: int, *, path: str) -> Host:
        """A host with the addresses 10.53.0.NUMBER and fd53::NUMBER."""
        host = Host(name, path=path)
        self._hosts.append(host)
        _ip(f"link add host{number} type veth peer name eth0 netns {host.first}")
        _ip(f"link set host{number} master internet")
        _ip(f"link set host{number} up")
        host.output(f"ip address add {address(number)}/16 dev eth0 && ip link set eth0 up")
        host.output(f"ip address add {address6(number)}/64 dev eth0 nodad")
        for name, value in _NEIGHBOURS.items():
            host.output(f"echo {value} | tee /proc/sys/net/ipv[46]/neigh/eth0/{name}")
        host.write("/etc/resolv.conf", f"nameserver {RESOLVER}\n")
        host.write("/etc/hosts", f"127.0.0.1 localhost\n{address(number)} {name}\n")
        return host

    def end(self) -> None:
        """Everything goes."""
        for host in self._hosts:
            host.end()
        if self._named is not None:
            self._named.terminate()
            self._named.wait()
        _ip("link delete internet")


def address(number: int) -> str:
    """The address of a host."""
    return f"10.53.0.{number}"


def address6(number: int) -> str:
    """The IPv6 address of a host (RFC 4193)."""
    return f"fd53::{number:x}"


def _ip(arguments: str) -> None:
    for attempt in range(20):
        done = subprocess.run(["/usr/bin/env", "ip", *arguments.split()], check=False, capture_output=True)
        if done.returncode == 0:
            return
        if attempt == 19:
            raise AssertionError(f"ip {arguments}: {done.stderr.decode()}")
        time.sleep(0.1)  # a link of a host that has just ended goes in its own time
