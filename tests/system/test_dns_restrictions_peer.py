"""Restrictions that ask the DNS beside Debian's: the same answers of a name server, the same replies and log lines.

DESCRIPTION
    Both servers ask the same name server on loopback, to which a resolv.conf of this test leads.  What differs stands
    in `dns_restriction_differences.txt`.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.name_server import NameServer, serving
from fakes.smtp_server_pair import both_servers, check_differences, listed_differences, play
from system.dns_restriction_cases import EXCHANGES, FAILING, SERVICES, SETTINGS, ZONES

_LIST: Final = Path(__file__).with_name("dns_restriction_differences.txt")
_RESOLV_CONF: Final = "/etc/resolv.conf"

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix"),
    pytest.mark.skipif(os.getuid() != 0, reason="a second Postfix is started by root only"),
]


@pytest.fixture
def name_server(tmp_path: Path) -> Iterator[None]:
    """Whatever is asked of the system's resolver is asked of the zones."""
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    with serving(NameServer(ZONES, failing=FAILING), 53):
        subprocess.run(["mount", "--bind", str(tmp_path / "resolv.conf"), _RESOLV_CONF], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", _RESOLV_CONF], check=True)


@pytest.mark.usefixtures("name_server")
def test_what_the_dns_says_has_the_same_effect() -> None:
    """Reply by reply and line by line, but for what is on the list."""
    listed = listed_differences(_LIST)
    with both_servers(SETTINGS, SERVICES) as (theirs, ours):
        found = play(EXCHANGES, theirs, ours, listed)
    check_differences(found, listed)
