"""A message of some thousand recipients is read in parts, and in the same as by Postfix's queue manager.

The recipients come in any order, and each part is delivered in the order of its addresses, one delivery after the
other: the order of the log tells which recipients were read together, and when more were.
"""

import random
import re
from collections.abc import Iterator
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.host import Host
from fakes.mail_system import until
from fakes.network import _ip, address
from fakes.outbound_world import Scenario, World, submit
from fakes.scripted_server import ScriptedServer

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "named", "unshare", "ip"),
]

_PLACE: Final = 20
_RECIPIENTS: Final = 3000
_MAIN_CF: Final = f"""\
notify_classes =
relay_domains = many.test
smtpd_reject_unlisted_recipient = no
smtpd_recipient_limit = {_RECIPIENTS}
transport_maps = inline:{{ many.test=smtp:[{address(_PLACE)}]:25 }}
smtp_destination_concurrency_limit = 1
initial_destination_concurrency = 1
"""
CASES: Final = {
    "parts": {
        "qmgr_message_active_limit": "100",
        "qmgr_message_recipient_limit": "300",
        "smtp_recipient_limit": "300",
        "smtp_recipient_refill_limit": "100",
        "smtp_recipient_refill_delay": "1h",
    },
    "few": {
        "qmgr_message_active_limit": "1",
        "qmgr_message_recipient_limit": "1",
        "qmgr_message_recipient_minimum": "25",
        "smtp_recipient_limit": "40",
        "smtp_recipient_refill_limit": "30",
        "smtp_recipient_refill_delay": "1h",
    },
    "by default": {
        "qmgr_message_active_limit": "500",
        "qmgr_message_recipient_limit": "100",
        "qmgr_message_recipient_minimum": "10",
        "default_recipient_limit": "700",
        "smtp_recipient_limit": "$default_recipient_limit",
        "smtp_recipient_refill_limit": "$default_recipient_refill_limit",
        "smtp_recipient_refill_delay": "$default_recipient_refill_delay",
        "default_recipient_refill_delay": "1h",
    },
}


def _names() -> tuple[str, ...]:
    names = [f"r{number:04}" for number in range(_RECIPIENTS)]
    random.Random(1).shuffle(names)
    return tuple(names)


_MESSAGE: Final = Scenario(name="many", recipients=_names())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both hosts, and a server that takes everything."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    made = World(directory, (), _MAIN_CF)
    try:
        _ip(f"address add {address(_PLACE)}/32 dev internet")
        server = ScriptedServer(address(_PLACE), 25, {})
        try:
            yield made
        finally:
            server.close()
    finally:
        made.end()


def order_of_deliveries(host: Host, parameters: dict[str, str]) -> list[str]:
    """The local parts as they were logged."""
    for name, value in parameters.items():
        host.output(f"postconf -e '{name} = {value}'")
    host.output("postfix stop")
    host.start_postfix()
    host.until_answers(25)
    logged = len(host.log())

    def log() -> str:
        return host.log()[logged:]

    queue_id = submit(host, _MESSAGE)
    until(lambda: f"{queue_id}: removed" in log(), seconds=240, what=lambda: f"the end:\n{log()[-3000:]}")
    (count,) = re.findall(rf"{queue_id}: from=<.*, nrcpt=(\d+) \(queue active\)", log())
    assert int(count) == _RECIPIENTS
    return re.findall(r" to=<(\w+)@many\.test>,.* status=sent ", log())


@pytest.mark.parametrize("case", CASES)
def test_the_same_parts_as_postfix(world: World, case: str) -> None:
    """Every recipient once, in the same order."""
    theirs = order_of_deliveries(world.theirs, CASES[case])
    ours = order_of_deliveries(world.ours, CASES[case])
    assert sorted(theirs) == sorted(_MESSAGE.recipients)
    assert theirs != sorted(theirs)
    assert ours == theirs, [
        (at, pair) for at, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]
    ][:5]
