"""What is known of some recipients of a job, while others wait."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from pillarbox.delivery.request import Outcome
from pillarbox.delivery.smtp.progress import Progress
from pillarbox.delivery.smtp.request import DeliverBySmtp, SmtpProgress, SmtpRecipient
from pillarbox.observability.events import Event

SENT = Outcome("sent", "2.0.0", "250 Ok")
REFUSED = Outcome("bounced", "5.1.1", "550 Unknown")
LATER = Outcome("deferred", "4.2.0", "450 Later")


def job(traced: Sequence[bool], *, trace_only: bool = False) -> DeliverBySmtp:
    """Recipients at offsets 1, 2 … of the queue file."""
    return DeliverBySmtp(
        job=7,
        service="lmtp",
        nexthop="x.test",
        queue_id="A1",
        sender=b"s@x.test",
        recipients=[
            SmtpRecipient(b"r@x.test", b"r@x.test", offset=at, is_traced=is_traced)
            for at, is_traced in enumerate(traced, start=1)
        ],
        data_offset=0,
        size=10,
        arrival_time=0.0,
        active_time=0.0,
        trace_only=trace_only,
    )


def after(
    path: Path, request: DeliverBySmtp, turns: Sequence[Sequence[tuple[int, Outcome]]]
) -> tuple[bytes, list[SmtpProgress], list[Event]]:
    """Marks in the queue file and what the queue manager hears, when each turn of the loop makes outcomes known."""
    path.write_bytes(b"." * (len(request.recipients) + 1))
    descriptor = os.open(path, os.O_RDWR)
    heard: list[SmtpProgress] = []
    events: list[Event] = []

    async def run() -> None:
        progress = Progress(request, descriptor, send=heard.append, tell=events.append)
        for outcomes in turns:
            for at, outcome in outcomes:
                progress.settled(at, outcome)
            await asyncio.sleep(0)

    asyncio.run(run())
    os.close(descriptor)
    return path.read_bytes(), heard, events


def test_who_got_it_is_marked_at_once(tmp_path: Path) -> None:
    """Each as its outcome is known; the queue manager hears of that with the rest, and at once why another waits."""
    found = after(tmp_path / "A1", job([False, False, False]), [[(1, SENT)], [(0, LATER)]])
    assert found == (b"..D.", [SmtpProgress(7, [(0, LATER)])], [])
    assert after(tmp_path / "A1", job([False]), [[(0, SENT)]])[:2] == (b".D", [])


def test_what_the_sender_is_to_hear_goes_to_the_queue_manager(tmp_path: Path) -> None:
    """Those of one turn together; nothing of its own when all is known."""
    request = job([False, True, False, False])
    turns = [[(0, REFUSED), (1, SENT)], [(2, REFUSED), (3, SENT)]]
    marks, heard, _ = after(tmp_path / "A1", request, turns)
    assert marks == b"....D"
    assert heard == [SmtpProgress(7, [(0, REFUSED), (1, SENT)])]


def test_nothing_is_marked_that_is_only_tried_out(tmp_path: Path) -> None:
    """sendmail -bv."""
    found = after(tmp_path / "A1", job([False, False], trace_only=True), [[(0, SENT)]])
    assert found == (b"...", [], [])


def test_a_file_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning."""

    def broken(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pwrite", broken)
    _, _, events = after(tmp_path / "A1", job([False, False]), [[(0, SENT)]])
    assert "A1: queue file: [Errno 5] Input/output error" in str(events)


def test_what_is_known_is_not_forgotten_when_the_agent_fails(tmp_path: Path) -> None:
    """The others get the outcome of the failure."""
    path = tmp_path / "A1"
    path.write_bytes(b"....")
    descriptor = os.open(path, os.O_RDWR)

    async def run() -> None:
        progress = Progress(job([False, True]), descriptor, send=lambda _: None, tell=lambda _: None)
        progress.settled(1, SENT)
        assert path.read_bytes() == b"...."
        assert progress.rest(LATER) == [LATER, SENT]
        progress.mark_traced()
        assert path.read_bytes() == b"..D."

    asyncio.run(run())
    os.close(descriptor)
