"""TLS and AUTH of smtp(8) beside Debian's Postfix: each case is a service with values of its own.

Differences stand in client_tls_parameter_differences.txt, each with its reason.
"""

from pathlib import Path
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.outbound_cases import differences, play_all, services, transport_maps
from fakes.outbound_world import World
from system.client_tls_parameter_cases import tls_cases

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

_MAIN_CF: Final = """\
notify_classes =
smtpd_reject_unlisted_recipient = no
smtp_connection_cache_on_demand = no
smtp_tls_CAfile = /etc/postfix/top.crt
"""


def test_the_same_as_postfix(tmp_path: Path) -> None:
    """What each service logs, says to its server, agrees on with it and returns."""
    let_others_in(tmp_path)
    cases, files = tls_cases(tmp_path)
    world = World(
        tmp_path,
        [case.scenario for case in cases],
        _MAIN_CF + transport_maps(cases),
        files=files,
        services=services(cases),
    )
    try:
        theirs, ours = (play_all(world, host, cases) for host in (world.theirs, world.ours))
    finally:
        world.end()
    known = Path(__file__).with_name("client_tls_parameter_differences.txt")
    reports = differences(theirs, ours, cases, known)
    assert not reports, "\n".join(reports)
