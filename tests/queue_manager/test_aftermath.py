"""What comes of a message when its recipients' fates are known: reports of what was done, or would be."""

import asyncio
import errno
import os
from pathlib import Path

import msgspec

from pillarbox.bounce.notification import Kind
from pillarbox.bounce.submission import Notice, Notifier
from pillarbox.config.parameters.queue_manager import QueueManager as QueueSettings
from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.request import Attempt, Outcome
from pillarbox.observability.events import Event
from pillarbox.queue.active_files import ActiveFiles, Finished, Opened
from pillarbox.queue.incoming import QueueFileFault
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_file import QueueMessage, QueueRecipient
from pillarbox.queue.recipient_log import LogEntry, append_entries, log_entries
from pillarbox.queue.records import ATTRIBUTE, KILLED, Source, encode_record
from pillarbox.queue_manager.active_message import ActiveMessage, ReadInParts
from pillarbox.queue_manager.aftermath import Aftermath
from pillarbox.routing.domain_lists import DomainList
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.envelope import Notify, Trace
from pillarbox.vocabulary.identifiers import QueueId

ID = QueueId("A1B2C3")
SENT = Outcome("sent", "2.0.0", "250 Ok", relay="mx.test[192.0.2.1]:25", action="relayed")
REFUSED = Outcome("bounced", "5.1.1", 'unknown user: "x"')
LATER = Outcome("deferred", "4.4.1", "connect to mx.test: Connection refused")


class Notices(Notifier):
    """Who would have been told what."""

    def __init__(self, *, broken: bool) -> None:
        self.told: list[tuple[Kind, list[tuple[bytes, str, str]]]] = []
        self.broken = broken

    async def report(
        self,
        kind: Kind,
        queue_id: QueueId,
        message: QueueMessage,
        entries: object,
        source: Source,
        *,
        verp: bytes = b"",
    ) -> list[Notice]:
        """Remember it, or fail as a full disk would make it."""
        if self.broken:
            raise QueueFileFault(OSError(errno.ENOSPC, "No space left on device"))
        assert isinstance(entries, list)
        self.told.append((kind, [(entry.recipient, entry.action, entry.reason) for entry in entries]))
        return [Notice(QueueId("N1"), "sender delivery status notification")]


class Bench:
    """One message after an attempt."""

    def __init__(self, root: Path, **settings: str) -> None:
        self.directories = QueueDirectories(str(root), hashed=(), depth=0)
        for name in ("active", "bounce", "defer", "trace"):
            (root / name).mkdir()
        self.file = root / "active" / ID
        self.file.write_bytes(encode_record(ATTRIBUTE, b"trace_flags=1024"))
        self.notices = Notices(broken=False)
        self.events: list[Event] = []
        self.probed: list[tuple[bytes, str]] = []
        self.clock = ManualClock()
        self.aftermath = Aftermath(
            directories=self.directories,
            settings=Snapshot.of(settings).group(QueueSettings),
            notifier=self.notices,
            queued=lambda _: None,
            probed=self._probed,
            flush_sites=DomainList(frozenset({"x.test"})),
            clock=self.clock,
            tell=self.events.append,
        )

    async def _probed(self, recipient: QueueRecipient, outcome: Outcome) -> None:
        self.probed.append((recipient.address, outcome.status))

    def decide(
        self,
        *outcomes: Outcome,
        trace: Trace = Trace.NONE,
        notify: Notify = Notify.DEFAULT,
        done: int = 0,
        warn_time: int = 0,
        early: int = 0,
        in_parts: bool = False,
    ) -> Finished:
        """What is to be done after these outcomes; `done` recipients had the message before.

        `early`: of so many the outcome was known while others waited; of a message that is read `in_parts` those are
        forgotten then.
        """
        recipients = [
            QueueRecipient(b"r%d@x.test" % at, b"r%d@x.test" % at, 100 + at, at < done, notify, b"")
            for at in range(done + len(outcomes))
        ]
        message = QueueMessage(
            sender=b"s@x.test",
            recipients=recipients,
            create_time=self.clock.now(),
            trace=Trace(trace),
            warn_time=warn_time,
            warn_offset=1 if warn_time else 0,
        )
        active = ActiveMessage(
            Opened(ID, os.open(self.file, os.O_RDWR), message), active_time=0.0, writer=None
        )
        for at, outcome in enumerate(outcomes, start=done):
            active.outcomes[100 + at] = ("smtp", outcome)
        if in_parts:
            active.parts = ReadInParts(0, flush=False)
        lasting = self.aftermath.settled(active, active.to_do[:early])
        if in_parts:
            assert active.forget(lasting) == len(lasting)
            assert active.in_memory == len(outcomes) - len(lasting)
        return asyncio.run(self.aftermath.decide(active))[0]


def entry(recipient: bytes, action: str) -> LogEntry:
    """An entry that is left from before."""
    return LogEntry(
        recipient=recipient, original_recipient=b"", offset=100, status="2.0.0", action=action, reason="left"
    )


def test_what_would_be_is_told_and_everybody_is_done(tmp_path: Path) -> None:
    """sendmail -bv: one report of all, no bounce, and nothing to be tried again."""
    bench = Bench(tmp_path)
    finished = bench.decide(SENT, REFUSED, LATER, trace=Trace.WHAT_IF, notify=Notify.NEVER)
    assert [one.offset for one in finished.done] == [100, 101, 102]
    assert not finished.deferred
    assert bench.notices.told == [
        (
            "verify",
            [
                (b"r0@x.test", "deliverable", "delivery via mx.test[192.0.2.1]:25: 250 Ok"),
                (b"r1@x.test", "undeliverable", 'unknown user: "x"'),
                (b"r2@x.test", "undeliverable", "connect to mx.test: Connection refused"),
            ],
        )
    ]


def test_a_probe_is_told_to_whoever_sent_it(tmp_path: Path) -> None:
    """verify(8) learns of every recipient, and nobody else of any."""
    bench = Bench(tmp_path)
    finished = bench.decide(SENT, REFUSED, LATER, trace=Trace.PROBE, notify=Notify.SUCCESS)
    assert [one.offset for one in finished.done] == [100, 101, 102]
    assert not finished.deferred
    assert bench.probed == [(b"r0@x.test", "sent"), (b"r1@x.test", "bounced"), (b"r2@x.test", "deferred")]
    assert not bench.notices.told


def test_the_first_attempt_is_recorded_once(tmp_path: Path) -> None:
    """sendmail -v: a report beside what happens anyway; then the queue file forgets that it was wanted."""
    bench = Bench(tmp_path)
    finished = bench.decide(SENT, LATER, trace=Trace.RECORD, notify=Notify.SUCCESS)
    assert [one.offset for one in finished.done] == [100]
    assert len(finished.deferred) == 1
    via = "delivery via mx.test[192.0.2.1]:25: 250 Ok"
    row = (b"r0@x.test", "relayed", via)
    late = (b"r1@x.test", "delayed", "connect to mx.test: Connection refused")
    assert bench.notices.told == [("verify", [row, row, late])]
    assert bench.file.read_bytes()[0] == KILLED


def test_an_alias_is_no_delivery(tmp_path: Path) -> None:
    """What only NOTIFY=SUCCESS wants to hear does not stand in sendmail -v's report."""
    expanded = Attempt(
        b"a@x.test", b"a@x.test", "sent", "2.0.0", "alias expanded", relay="local", only_success=True
    )
    outcome = Outcome("sent", "2.0.0", "", attempts=[expanded])
    bench = Bench(tmp_path)
    bench.decide(outcome, trace=Trace.RECORD)
    assert bench.notices.told == []
    bench.decide(outcome, notify=Notify.SUCCESS)
    assert bench.notices.told == [
        ("success", [(b"a@x.test", "delivered", "delivery via local: alias expanded")])
    ]


def test_a_delay_that_is_over(tmp_path: Path) -> None:
    """confirm_delay_cleared: told if a delay was, to whom delays matter."""
    for told, settings, arguments in (
        (True, {"confirm_delay_cleared": "yes"}, {"warn_time": -1}),
        (True, {"confirm_delay_cleared": "yes"}, {"warn_time": -1, "notify": Notify.DELAY}),
        (False, {"confirm_delay_cleared": "yes"}, {"warn_time": -1, "notify": Notify.FAILURE}),
        (False, {"confirm_delay_cleared": "yes"}, {"warn_time": 5}),
        (False, {"confirm_delay_cleared": "yes"}, {}),
        (False, {}, {"warn_time": -1}),
    ):
        directory = tmp_path / f"{told}{settings}{arguments}"
        directory.mkdir()
        bench = Bench(directory, **settings)
        passed_on = msgspec.structs.replace(
            SENT, tells_success=False
        )  # to a server with DSN: it knows of no delay
        bench.decide(passed_on, **arguments)  # type: ignore[arg-type]
        assert bool(bench.notices.told) is told, (settings, arguments)


def test_a_report_that_cannot_be_queued_waits(tmp_path: Path) -> None:
    """It stands in the trace log, and goes out with the next attempt, in which nobody gets the message."""
    bench = Bench(tmp_path)
    bench.notices.broken = True
    finished = bench.decide(SENT, trace=Trace.WHAT_IF)
    assert [one.offset for one in finished.done] == [100]
    assert finished.deferred
    assert [row.action for row in log_entries(bench.directories, "trace", ID)] == ["deliverable"]
    bench.notices.broken = False
    finished = bench.decide(done=1, trace=Trace.WHAT_IF)
    assert not finished.deferred
    (told,) = bench.notices.told
    assert told[1] == [(b"r0@x.test", "deliverable", "delivery via mx.test[192.0.2.1]:25: 250 Ok")]
    assert not list((tmp_path / "trace").iterdir())


def test_logs_of_another_system_are_reported(tmp_path: Path) -> None:
    """Everybody is done, but nobody was told: a bounce log and a trace log were left."""
    bench = Bench(tmp_path)
    append_entries(bench.directories, "bounce", ID, [entry(b"b@x.test", "failed")])
    append_entries(bench.directories, "trace", ID, [entry(b"t@x.test", "relayed")])
    finished = bench.decide(done=2)
    assert not finished.deferred
    assert bench.notices.told == [
        ("failure", [(b"b@x.test", "failed", "left")]),
        ("success", [(b"t@x.test", "relayed", "left")]),
    ]
    assert not list((tmp_path / "trace").iterdir())
    assert not list((tmp_path / "bounce").iterdir())


def test_sites_that_may_ask(tmp_path: Path) -> None:
    """Those of fast_flush_domains, of mail that waits; not of mail that has been delivered."""
    assert Bench(tmp_path).decide(SENT, LATER).sites == ["x.test"]


def test_no_site_may_ask_for_what_is_done(tmp_path: Path) -> None:
    """Nothing is noted of a message that is finished."""
    assert Bench(tmp_path).decide(SENT, REFUSED).sites == []


def test_what_is_known_early_lasts(tmp_path: Path) -> None:
    """Marks, and the logs that the sender is told from: whoever comes after a crash goes on from there."""
    bench = Bench(tmp_path)
    bench.file.write_bytes(b"." * 110)
    bench.notices.broken = True
    bench.decide(SENT, REFUSED, LATER, LATER, notify=Notify.SUCCESS | Notify.FAILURE, early=3)
    assert bench.file.read_bytes() == b"." * 100 + b"DD" + b"." * 8
    assert [row.action for row in log_entries(bench.directories, "bounce", ID)] == ["failed"]
    assert [row.action for row in log_entries(bench.directories, "trace", ID)] == ["relayed"]
    bench.notices.broken = False
    bench.decide(LATER, LATER, done=2)
    assert bench.notices.told == [
        ("failure", [(b"r1@x.test", "failed", 'unknown user: "x"')]),
        ("success", [(b"r0@x.test", "relayed", "delivery via mx.test[192.0.2.1]:25: 250 Ok")]),
    ]


def test_what_is_known_early_is_told_once(tmp_path: Path) -> None:
    """The notice has each recipient once, whether it was known early or not."""
    bench = Bench(tmp_path)
    bench.file.write_bytes(b"." * 110)
    finished = bench.decide(SENT, REFUSED, REFUSED, SENT, notify=Notify.SUCCESS | Notify.FAILURE, early=2)
    assert not finished.deferred
    assert [(kind, [row[0] for row in rows]) for kind, rows in bench.notices.told] == [
        ("failure", [b"r1@x.test", b"r2@x.test"]),
        ("success", [b"r0@x.test", b"r3@x.test"]),
    ]


def test_nothing_lasts_of_what_is_only_tried_out(tmp_path: Path) -> None:
    """sendmail -bv."""
    bench = Bench(tmp_path)
    bench.file.write_bytes(b"." * 110)
    bench.decide(SENT, REFUSED, trace=Trace.WHAT_IF, early=1)
    assert bench.file.read_bytes() == b"." * 110


def test_an_aliass_owner_hears_in_the_end(tmp_path: Path) -> None:
    """A log has no place for who is told instead of the sender."""
    bench = Bench(tmp_path)
    bench.file.write_bytes(b"." * 110)
    attempts = [
        Attempt(b"a@x.test", b"a@x.test", "sent", "2.0.0", "delivered"),
        Attempt(b"b@x.test", b"b@x.test", "bounced", "5.1.1", "unknown", report_to=b"owner@x.test"),
    ]
    bench.decide(Outcome("sent", "2.0.0", "", attempts=attempts), LATER, early=1)
    assert bench.file.read_bytes() == b"." * 110
    assert [kind for kind, _ in bench.notices.told] == ["failure"]


def test_why_somebody_waits_is_logged_once(tmp_path: Path) -> None:
    """While others of the message are tried, as mailq shows; and not again in the end."""
    bench = Bench(tmp_path)
    bench.file.write_bytes(b"." * 110)
    for name in ("deferred", "flush"):
        (tmp_path / name).mkdir()
    finished = bench.decide(LATER, SENT, LATER, early=2)
    assert [row.recipient for row in log_entries(bench.directories, "defer", ID)] == [b"r0@x.test"]
    assert [entry.recipient for entry in finished.deferred] == [b"r0@x.test", b"r2@x.test"]
    assert [None] == ActiveFiles(bench.directories).finish_batch([finished])
    rows = log_entries(bench.directories, "defer", ID)
    assert [row.recipient for row in rows] == [b"r0@x.test", b"r2@x.test"]
    assert (tmp_path / "deferred" / ID).exists()


def test_who_is_forgotten_waits_all_the_same(tmp_path: Path) -> None:
    """Of a message that is read in parts: marks, logs and the sites are as if all were in memory."""
    bench = Bench(tmp_path)
    bench.file.write_bytes(b"." * 110)
    for name in ("deferred", "flush"):
        (tmp_path / name).mkdir()
    finished = bench.decide(LATER, SENT, REFUSED, SENT, early=3, in_parts=True)
    assert not finished.deferred
    assert not finished.is_over
    assert ["x.test"] == finished.sites
    assert bench.notices.told == [("failure", [(b"r2@x.test", "failed", 'unknown user: "x"')])]
    assert [None] == ActiveFiles(bench.directories).finish_batch([finished])
    assert (tmp_path / "deferred" / ID).read_bytes() == b"." * 101 + b"DDD" + b"." * 6
    assert [row.recipient for row in log_entries(bench.directories, "defer", ID)] == [b"r0@x.test"]


def test_a_delay_is_told_of_those_who_are_forgotten(tmp_path: Path) -> None:
    """delay_warning_time is over."""
    bench = Bench(tmp_path)
    bench.file.write_bytes(b"." * 110)
    bench.decide(LATER, SENT, LATER, early=2, in_parts=True, warn_time=int(bench.clock.now()) - 1)
    assert [(kind, sorted(row[0] for row in rows)) for kind, rows in bench.notices.told] == [
        ("delay", [b"r0@x.test", b"r2@x.test"])
    ]


def test_the_time_of_those_who_are_forgotten_is_up(tmp_path: Path) -> None:
    """They are returned from the defer log, which is of no use then."""
    bench = Bench(tmp_path, maximal_queue_lifetime="0")
    bench.file.write_bytes(b"." * 110)
    finished = bench.decide(LATER, SENT, LATER, early=2, in_parts=True)
    assert finished.is_over
    assert [(kind, sorted(row[:2] for row in rows)) for kind, rows in bench.notices.told] == [
        ("failure", [(b"r0@x.test", "failed"), (b"r2@x.test", "failed")])
    ]
    assert not list((tmp_path / "defer").iterdir())
