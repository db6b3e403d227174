"""qmgr_clog_warn_time: when a destination is told to be in the way, and what might help."""

import pytest

from pillarbox.config.parameters.queue_manager import QueueManager as QueueSettings
from pillarbox.config.snapshot import Snapshot
from pillarbox.observability.events import Event, Warned
from pillarbox.queue_manager.clogged import CloggedDestinations
from pillarbox.scheduling.transport_queue import Crowd
from pillarbox.vocabulary.clock import ManualClock


class Look:
    """An active queue of 20 messages at most."""

    def __init__(self, **settings: str) -> None:
        self.clock = ManualClock()
        self.told: list[Event] = []
        snapshot = Snapshot.of({"qmgr_message_active_limit": "20", **settings})
        group = snapshot.group(QueueSettings)
        self._clogged = CloggedDestinations(group, clock=self.clock, tell=self.told.append)

    def at(self, entries: int, *, added: int = 1, active: int = 10, busy: int = 0, **crowd: int) -> list[str]:
        """What is told of a destination with so many entries."""
        self.told.clear()
        found = Crowd(
            entries,
            busy,
            window=crowd.get("window", 2),
            limit=crowd.get("limit", 20),
            has_peers=bool(crowd.get("peers", 0)),
        )
        self._clogged.look("slow", "x.test", found, added=added, active=active)
        assert all(isinstance(event, Warned) for event in self.told)
        return [event.reason for event in self.told if isinstance(event, Warned)]


def test_more_than_a_fifth() -> None:
    """Once, then again after the time, or when all of it had gone."""
    look = Look()
    assert not look.at(4)
    assert look.at(5)
    assert not look.at(6)
    look.clock.advance(299)
    assert not look.at(7)
    look.clock.advance(1)
    assert look.at(8)
    assert look.at(5, added=5)
    assert not Look(qmgr_clog_warn_time="0").at(20)


def test_the_number_is_that_of_the_entry_that_was_too_much() -> None:
    """Entries of one message come together here, one after the other in Postfix."""
    assert Look().at(9, added=9)[0] == "mail for x.test is using up 5 of 10 active queue entries"
    assert Look().at(9, added=2)[0] == "mail for x.test is using up 8 of 10 active queue entries"


_SLOW = "this may slow down other mail deliveries"


@pytest.mark.parametrize(
    ("crowd", "advice"),
    [
        (
            {"limit": 2, "busy": 1},
            "you may need to increase the main.cf slow_destination_concurrency_limit from 2",
        ),
        ({"window": 11}, "you may need to increase the main.cf qmgr_message_active_limit from 20"),
        ({"peers": 1}, "you may need a separate master.cf transport for x.test"),
        ({}, "you may need to reduce slow connect and helo timeouts"),
    ],
)
def test_what_might_help(crowd: dict[str, int], advice: str) -> None:
    """By what holds the mail up."""
    lines = Look().at(5, **crowd)
    assert lines[1:3] == [_SLOW, advice]
    assert lines[-1] == "to turn off these warnings specify: qmgr_clog_warn_time = 0"
    assert _SLOW not in Look().at(5, active=5, **crowd)
