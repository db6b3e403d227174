"""How transports are scheduled, by their parameters."""

import pytest

from pillarbox.config.snapshot import Snapshot
from pillarbox.net.startup import AgentService
from pillarbox.queue_manager.transport_rules import transport_settings
from pillarbox.scheduling.concurrency import Feedback

SOFT = [("", False, False), ("", True, True), ("yes", False, True), ("no", True, False)]


@pytest.mark.parametrize(("own", "general", "expected"), SOFT)
def test_a_service_may_bounce_softly_alone(own: str, general: bool, expected: bool) -> None:
    """`-o soft_bounce=yes` of one service, or of all but one."""
    snapshot = Snapshot.of({"soft_bounce": "yes" if general else "no"})
    options = snapshot.with_overrides({"soft_bounce": own} if own else {})
    service = AgentService(name="slow", program="local", snapshot=options.encode())
    assert expected is transport_settings(service, snapshot, warn=pytest.fail).soft_bounce


_FEEDBACK = "destination_concurrency_negative_feedback"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({f"slow_{_FEEDBACK}": "2"}, [f"slow_{_FEEDBACK}: ignoring malformed or unreasonable feedback: 2"]),
        (
            {f"default_{_FEEDBACK}": "x"},
            [f"default_{_FEEDBACK}: ignoring malformed or unreasonable feedback: x"],
        ),
        ({f"slow_{_FEEDBACK}": "1/1"}, []),
    ],
)
def test_bad_feedback_counts_as_one(settings: dict[str, str], told: list[str]) -> None:
    """With the warning of qmgr(8), under the name of the parameter that is wrong."""
    heard: list[str] = []
    service = AgentService(name="slow", program="smtp")
    found = transport_settings(service, Snapshot.of(settings), warn=heard.append)
    assert Feedback(1) == found.rules.concurrency.negative
    assert told == heard
