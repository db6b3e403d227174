"""An agent that is killed at any step: another delivers what is missing, and nothing twice that was noted."""

import errno
import os

import pytest

from fakes.crash_file_system import CrashFileSystem, Stopped
from fakes.crash_survivors import Survives
from pillarbox.delivery.mailbox_delivery import MailboxRules, deliver_jobs
from pillarbox.delivery.mbox import MboxLocks
from pillarbox.delivery.request import DeliverToMailboxes, MailboxTarget, Outcome
from pillarbox.files.write_order import Order
from pillarbox.queue.new_queue_file import encode_end
from pillarbox.queue.records import ContentEncoder

MAILBOXES = ("/mail/a/M/", "/mail/b/M/", "/mail/a/M/", "/mail/a/box")
MAILDIRS = MAILBOXES[:3]
MARK = b"This is the message.\n"
RULES = MailboxRules(locks=MboxLocks(styles=frozenset()), strict_ownership=False)
RUN, NEXT_RUN = b"this run", b"next run"


def fresh(order: Order) -> CrashFileSystem:
    """A message in the queue, and places for mailboxes."""
    files = CrashFileSystem(order=order)
    for directory in ("/mail/a", "/mail/b", "/q"):
        files.make_directories(directory)
    encoder = ContentEncoder()
    text = b"Subject: x\r\n\r\n" + MARK.replace(b"\n", b"\r\n")
    files.make_file("/q/message", encoder.feed(text) + encoder.finish() + encode_end())
    return files


def deliver(
    files: CrashFileSystem, run: bytes, *, again: bool, mailboxes: tuple[str, ...] = MAILBOXES
) -> list[Outcome]:
    """An agent takes the job."""
    descriptor = files.open("/q/message", os.O_RDWR)
    targets = [
        MailboxTarget(b"r%d@x.test" % number, b"r@x.test", mailbox, 100 + number)
        for number, mailbox in enumerate(mailboxes)
    ]
    job = DeliverToMailboxes(1, 0, b"s@x.test", targets, is_noted=again)
    return deliver_jobs([(job, descriptor)], rules=RULES, files=files, run=run)[1]


def copies(files: CrashFileSystem, mailboxes: tuple[str, ...] = MAILBOXES) -> list[int]:
    """How often each recipient has the message."""
    stored = b"".join(
        content
        for path, content in files.files().items()
        if path.startswith("/mail/") and "/tmp/" not in path
    )
    return [
        stored.count(b"Delivered-To: r%d@x.test\n\nSubject: x\n\n" % number)
        + stored.count(b"Delivered-To: r%d@x.test\nSubject: x\n\n%s" % (number, MARK))
        for number in range(len(mailboxes))
    ]


def steps_of_a_delivery(order: Order, mailboxes: tuple[str, ...] = MAILBOXES) -> list[tuple[str, str]]:
    """All that may be the last."""
    files = fresh(order)
    deliver(files, RUN, again=False, mailboxes=mailboxes)
    return files.steps


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("mailboxes", [MAILBOXES, MAILDIRS], ids=["all", "Maildirs"])
def test_who_is_killed_has_delivered_once(order: Order, mailboxes: tuple[str, ...]) -> None:
    """But for the one whose message had its name, and not yet its note; as with Postfix's agents."""
    for at, (step, path) in enumerate(steps_of_a_delivery(order, mailboxes)):
        files = fresh(order)
        files.stop_at = at
        with pytest.raises(Stopped):
            deliver(files, RUN, again=False, mailboxes=mailboxes)
        files.stop_at = None  # the kernel lives on, and has written nothing that it was not told to
        again = deliver(files, RUN, again=True, mailboxes=mailboxes)
        assert {"sent"} == {outcome.status for outcome in again}
        not_yet_noted = (step, path) == ("write", "/q/message")
        found = copies(files, mailboxes)
        assert all(found), (at, step)
        assert sum(found) <= len(mailboxes) + not_yet_noted, (at, step, path, found)
        # And now it survives what comes, as if it had been delivered by one.
        assert all(copies(files.crash(Survives.SYNCED), mailboxes)), (at, step, path)


@pytest.mark.parametrize("order", Order)
def test_a_crash_of_the_machine_loses_nothing(order: Order) -> None:
    """Whatever of notes and messages is found then: no note of the time before counts."""
    for at in range(len(steps_of_a_delivery(order))):
        files = fresh(order)
        files.stop_at = at
        with pytest.raises(Stopped):
            deliver(files, RUN, again=False)
        for after in [files.crash(survives) for survives in Survives]:
            assert {"sent"} == {outcome.status for outcome in deliver(after, NEXT_RUN, again=True)}
            assert all(copies(after)), at
            assert all(copies(after.crash(Survives.SYNCED))), at


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("operation", ["fsync", "sync_directory"])
def test_what_the_disk_has_not_taken_is_delivered_again(order: Order, operation: str) -> None:
    """Its note is withdrawn: it may be there twice, but is there."""
    files = fresh(order)
    deliver(files, RUN, again=False)  # makes the Maildirs
    noted = files.files()["/q/message"]
    files.make_file("/q/message", noted[: len(noted) - 20 * len(MAILBOXES)])
    before = copies(files)
    files.fail = lambda step, path: errno.EIO if step == operation else None
    outcomes = deliver(files, RUN, again=False)
    files.fail = None
    again = deliver(files, RUN, again=True)
    for number, outcome in enumerate(outcomes):
        if outcome.status != "sent":
            assert "sent" == again[number].status
            kept = copies(files)[number] - before[number]
            assert kept >= 1
    after = copies(files.crash(Survives.SYNCED))
    assert all(now > then for now, then in zip(after, before, strict=True))
    assert {"sent"} != {outcome.status for outcome in outcomes} or order is not Order.NONE


def test_a_disk_that_does_not_answer_for_an_earlier_delivery() -> None:
    """The recipient waits: nobody knows whether the message survives."""
    files = fresh(Order.BY_DIRECTORY)
    deliver(files, RUN, again=False)
    files.fail = lambda step, path: errno.EIO if step == "sync_file_system" else None
    outcomes = deliver(files, RUN, again=True)
    assert {"deferred"} == {outcome.status for outcome in outcomes}
    files.fail = None
    assert {"sent"} == {outcome.status for outcome in deliver(files, RUN, again=True)}
    assert [1, 1, 1, 1] == copies(files)
