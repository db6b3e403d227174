"""in_flow_delay: while nothing more can become active, clients are taken no faster than that."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.host import Host
from fakes.mail_system import until
from fakes.outbound_world import Scenario, Server, World, submit
from fakes.scripted_server import SILENCE

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

_SECONDS: Final = 3
_MAIN_CF: Final = f"""\
default_process_limit = 2
qmgr_message_active_limit = 1
in_flow_delay = {_SECONDS}s
smtpd_reject_unlisted_recipient = no
"""
_SILENT: Final = Scenario(name="silent", servers=(Server({"greeting": SILENCE}),))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A server that says nothing, so that one message fills the active queue."""
    let_others_in(tmp_path)
    made = World(tmp_path, (_SILENT,), _MAIN_CF)
    try:
        yield made
    finally:
        made.end()


def test_clients_wait_while_the_active_queue_is_full(world: World) -> None:
    """Not the first ones, which may wait in incoming."""
    host = world.ours
    submit(host, _SILENT)
    until(lambda: bool(host.listing("/var/spool/postfix/active")), what="the first message is active")
    assert any(_pause(host) >= _SECONDS for _ in range(200))


def _pause(host: Host) -> float:
    """The seconds that a message takes to come in; what the queue manager says of the last one comes later."""
    began = time.monotonic()
    submit(host, _SILENT)
    return time.monotonic() - began
