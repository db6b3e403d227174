"""notify_classes beside Debian's Postfix: which sessions postmaster reads, and what the notice says."""

from collections.abc import Iterator
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.outbound_world import Scenario, Server, World

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

_MAIN_CF: Final = """\
notify_classes = protocol
error_notice_recipient = alice
smtp_line_length_limit = 998
smtp_connection_cache_on_demand = no
smtpd_reject_unlisted_recipient = no
"""
_LONG: Final = b" ".join([b"words"] * 30)
SCENARIOS: Final = (
    Scenario(name="syntax", servers=(Server({"RCPT": b"501 5.5.4 Syntax error"}),)),
    Scenario(name="unknowncommand", servers=(Server({"MAIL": b"500 5.5.2 " + _LONG}),)),
    Scenario(name="option", servers=(Server({"MAIL": b"555 5.5.4 Unsupported option"}),)),
    Scenario(name="usual", servers=(Server({"RCPT": b"550 5.1.1 Unknown"}),)),
    Scenario(name="greeting", servers=(Server({"greeting": b"504 5.5.4 What?"}),)),
    Scenario(name="helo", servers=(Server({"EHLO": b"502 5.5.1 No", "HELO": b"501 5.5.4 Never"}),)),
    Scenario(name="end", servers=(Server({".": b"500-5.5.2 Line too\\r\\n500 5.5.2 long"}),)),
    Scenario(name="two", servers=(Server({"RCPT": b"501 5.1.3 Bad"}),), recipients=("bob", "carol")),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The hosts, once for all scenarios."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    made = World(directory, SCENARIOS, _MAIN_CF)
    try:
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_same_as_postfix(world: World, scenario: Scenario) -> None:
    """The sender's notice, and postmaster's."""
    theirs, ours = world.play(scenario, settle=True)
    for one, other in zip(theirs, ours, strict=True):
        assert one == other, f"{one}\n--- and ours:\n{other}"
