"""smtpd(8) and clients with IPv6 addresses, beside Debian's: replies and log lines.

DESCRIPTION
    Both ask the same name server on loopback.  What differs stands in ipv6_server_differences.txt.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.name_server import NameServer, serving
from fakes.smtp_server_pair import EVERY_LINE, both_servers, check_differences, listed_differences, play
from system.ipv6_server_cases import EXCHANGES, FAILING, HOSTS, LISTENERS, SERVICES, SETTINGS, ZONES

_LIST: Final = Path(__file__).with_name("ipv6_server_differences.txt")
_RESOLV_CONF: Final = "/etc/resolv.conf"

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "ip"),
    pytest.mark.skipif(os.getuid() != 0, reason="a second Postfix is started by root only"),
]


@pytest.fixture
def network(tmp_path: Path) -> Iterator[None]:
    """Addresses of clients on lo; whatever is asked of the system's resolver is asked of the zones."""
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    for host in HOSTS[1:]:
        subprocess.run(["ip", "address", "add", f"{host}/128", "dev", "lo", "nodad"], check=True)
    with serving(NameServer(ZONES, failing=FAILING), 53):
        subprocess.run(["mount", "--bind", str(tmp_path / "resolv.conf"), _RESOLV_CONF], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", _RESOLV_CONF], check=True)
            for host in HOSTS[1:]:
                subprocess.run(["ip", "address", "delete", f"{host}/128", "dev", "lo"], check=True)


@pytest.mark.usefixtures("network")
def test_the_same_as_postfix() -> None:
    """Reply by reply and line by line, but for what is on the list."""
    listed = listed_differences(_LIST)
    with both_servers(SETTINGS, SERVICES, hosts=LISTENERS, compared=EVERY_LINE) as (theirs, ours):
        found = play(EXCHANGES, theirs, ours, listed)
    check_differences(found, listed)
