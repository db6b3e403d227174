"""Parameters of smtp(8) and lmtp(8) one by one beside Debian's Postfix: each case is a service with values of its own.

Log lines, words on the wire and notices are compared; differences stand in client_parameter_differences.txt, each with
its reason.
"""

from pathlib import Path
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.outbound_cases import differences, play_all, services, transport_maps
from fakes.outbound_world import World
from system.client_parameter_cases import CONVERSATIONS

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

_LIST: Final = Path(__file__).with_name("client_parameter_differences.txt")
_MAIN_CF: Final = """\
notify_classes =
smtpd_reject_unlisted_recipient = no
smtp_connection_cache_on_demand = no
smtp_randomize_addresses = no
lmtp_connection_cache_on_demand = no
"""


def prepare(world: World) -> None:
    """A second address, and a name that is in /etc/hosts alone."""
    place = world.servers["heloname"][0].address
    for host, own in ((world.theirs, "10.53.1.2"), (world.ours, "10.53.1.3")):
        host.output(f"ip address add {own}/16 dev eth0")
        host.write("/etc/hosts", host.file("/etc/hosts").read_text() + f"{place} hosted.test\n")
        host.output(f"postconf -e own_address={own}; postfix reload")


def test_the_same_as_postfix(tmp_path: Path) -> None:
    """What each service logs, says to its servers and returns."""
    let_others_in(tmp_path)
    world = World(
        tmp_path,
        [case.scenario for case in CONVERSATIONS],
        _MAIN_CF + transport_maps(CONVERSATIONS),
        services=services(CONVERSATIONS),
    )
    try:
        prepare(world)
        theirs, ours = (play_all(world, host, CONVERSATIONS) for host in (world.theirs, world.ours))
    finally:
        world.end()
    reports = differences(theirs, ours, CONVERSATIONS, _LIST)
    assert not reports, "\n".join(reports)
