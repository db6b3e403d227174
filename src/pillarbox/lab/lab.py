"""The lab: an internet, a Pillarbox inside, and a clock that skips what is only waiting.

DESCRIPTION
    `Lab` starts both, submits what the scenarios send, and lets time go by until nothing is left in the queue:

        with Lab(scenarios, seed=1, directory=path) as lab:
            lab.submit_all()
            lab.run(watch=print_line)

    Time is skipped only while the queue manager says that all it has waits for a time to come, and never past the
    moment at which it would look again, or at which the next message is to be submitted: retries come when they
    would have come.

FAULTS
    StartFault   Pillarbox could not start
    Overdue      it takes longer than it may, in real time
"""

import os
import random
import smtplib
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

import msgspec

from pillarbox.lab.inside import Inside
from pillarbox.lab.internet import Internet
from pillarbox.lab.notices import Notice, read_notices
from pillarbox.lab.places import Places, on_loopback
from pillarbox.lab.scenario import Scenario
from pillarbox.lab.timeline import Attempt, Line, read_attempt, read_line, year_of
from pillarbox.net.shared_clock import LabClock, new_clock_memory
from pillarbox.supervisor.listeners import StartFault

FIVE_DAYS: Final = 432_000.0
_AHEAD_SECONDS: Final = 3.0
"""The clock begins later than the machine's: files that the kernel dates never lie in the lab's future."""
_LOOKS_SECONDS: Final = 0.001
_PATIENCE_SECONDS: Final = 5.0
_NEW: Final = ("incoming", "maildrop")
"""Where messages are that the queue manager may not know of."""


class Overdue(Exception):
    """The lab does not come to its end."""


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was, or is to be, submitted."""

    scenario: Scenario
    number: int
    at: float  # seconds of the lab's time since its beginning


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """What the system inside said to it."""

    submission: Submission
    queue_id: str = ""  # "": not taken
    refusals: dict[str, str] = {}  # recipient → reply
    at: float = 0.0  # the lab's time, seconds since 1970


class Lab:
    """Runs between `with` and its end."""

    def __init__(
        self,
        scenarios: Iterable[Scenario],
        *,
        seed: int,
        directory: Path,
        places: Places | None = None,
        settings: str = "",
        lifetime: float = FIVE_DAYS,
    ) -> None:
        """Everything is below `directory`; `settings` are more lines of main.cf.

        `lifetime` is maximal_queue_lifetime, in seconds.
        """
        self.lifetime = lifetime
        self.scenarios = {scenario.name: scenario for scenario in scenarios}
        self._memory = new_clock_memory()
        self.clock = LabClock(self._memory)
        self.clock.skip(_AHEAD_SECONDS)
        certificates = directory / "certificates"
        certificates.mkdir(mode=0o755, parents=True)
        directory.chmod(0o755)  # roles that are not root's have to get in
        self.internet = Internet(
            self.scenarios.values(),
            places=places or on_loopback(),
            seed=seed,
            directory=certificates,
            clock=self.clock,
        )
        self.inside = Inside(
            self.internet,
            root=directory / "inside",
            clock=self._memory,
            settings=f"maximal_queue_lifetime = {lifetime:.0f}s\n{settings}",
        )
        self.began = 0.0
        self.submitted: list[Submitted] = []
        self.attempts: list[Attempt] = []
        self.lines: list[Line] = []
        self._random = random.Random(seed)  # noqa: S311 - the order of messages is no secret
        self._waiting: list[Submission] = []
        self._unread = b""
        self._log = -1

    def __enter__(self) -> "Lab":
        self.internet.start()
        try:
            self.inside.start()
            self._log = os.open(self.inside.home.log, os.O_RDONLY | os.O_CLOEXEC)
        except BaseException:
            self._end()
            raise
        self.began = self.clock.now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self.inside.stop()
        self.internet.stop()
        if self._log >= 0:
            os.close(self._log)
        os.close(self._memory)

    # -- mail ------------------------------------------------------------------------------------------

    def submit_all(self) -> None:
        """All messages of all scenarios, in an order that the seed chooses, each at its time."""
        planned = [
            Submission(scenario=scenario, number=number, at=scenario.at)
            for scenario in self.scenarios.values()
            for number in range(scenario.messages)
        ]
        self._random.shuffle(planned)
        self._waiting = sorted(planned, key=lambda one: -one.at)  # the next one is the last

    def submit(self, submission: Submission) -> Submitted:
        """Give a message to the system inside by SMTP."""
        scenario = submission.scenario
        refusals: dict[str, str] = {}
        queue_id = ""
        source = self.internet.address(scenario.name) if scenario.client else self.internet.places.own
        at = self.clock.now()
        with smtplib.SMTP(
            self.internet.places.own, self.inside.port, timeout=30, source_address=(source, 0)
        ) as client:
            name = scenario.client or "client.pillarbox.test"
            client.ehlo(name)
            if "REQUIRETLS" in scenario.parameters:  # is offered under TLS only
                context = ssl.create_default_context(cafile=self.internet.authority.path)
                context.check_hostname = False  # the connection is by address
                client.starttls(context=context)
                client.ehlo(name)
            client.command_encoding = "utf-8"
            client.mail(scenario.sender, scenario.parameters)
            for recipient in recipients(scenario):
                code, text = client.rcpt(recipient)
                if code != 250:
                    refusals[recipient] = f"{code} {text.decode('utf-8', 'replace')}"
            if len(refusals) < len(scenario.expected):
                code, text = client.data(content(submission))
                if code == 250:
                    queue_id = text.decode().split()[-1]
                else:
                    refusals |= dict.fromkeys(
                        recipients(scenario), f"{code} {text.decode('utf-8', 'replace')}"
                    )
        done = Submitted(submission=submission, queue_id=queue_id, refusals=refusals, at=at)
        self.submitted.append(done)
        return done

    # -- time ------------------------------------------------------------------------------------------

    def run(
        self,
        *,
        watch: Callable[[Line], None] = lambda _: None,
        told: Callable[[Submitted], None] = lambda _: None,
        seconds: float = 300.0,
        until: Callable[[], bool] = lambda: False,
    ) -> None:
        """Until all is submitted and the queue is empty, or `until`; at most so many real seconds.  Overdue.

        `watch` gets each line of the log, `told` what was said to each submission.
        """
        deadline = time.monotonic() + seconds
        while not until():
            for line in self._new_lines():
                watch(line)
            while self._waiting and self._waiting[-1].at <= self.clock.now() - self.began:
                told(self.submit(self._waiting.pop()))
            if not self._step():
                break
            if time.monotonic() > deadline:
                raise Overdue(f"after {seconds:g} seconds still in the queue: {', '.join(self.left())}")
            time.sleep(_LOOKS_SECONDS)
        for line in self._new_lines():
            watch(line)

    def _step(self) -> bool:
        """Skip what there is to skip; False at the end."""
        if not self.inside.is_running:
            raise StartFault(f"it ended; {self.inside.home.log} says why")
        wakes = self._nothing_to_do_for()
        if wakes is None:
            return True
        if not self._waiting and not self.left() and not self._holds("active"):
            return False
        if self._waiting:
            wakes = min(wakes, max(0.0, self._waiting[-1].at - (self.clock.now() - self.began)))
        self.clock.skip(wakes)
        return True

    def _nothing_to_do_for(self) -> float | None:
        """Seconds until the queue manager has something to do; None if it has something now.

        A message that it has just taken is in no queue for new mail any more, and not yet in what the queue
        manager says of itself: after the look into the queues it has to say once more that it has nothing to do.
        """
        if any(self._holds(queue) for queue in _NEW):
            return None
        looks, deadline = self.clock.looks, time.monotonic() + _PATIENCE_SECONDS
        while self.clock.looks < looks + 2:  # one look may have begun before
            if self.clock.until_sleeper_wakes is None or time.monotonic() > deadline:
                return None
            time.sleep(_LOOKS_SECONDS)
        return None if any(self._holds(queue) for queue in _NEW) else self.clock.until_sleeper_wakes

    def _holds(self, queue: str) -> bool:
        if queue == "maildrop":
            with os.scandir(f"{self.inside.queue.root}/maildrop") as entries:
                return next(entries, None) is not None
        return next(iter(self.inside.queue.scan(queue)), None) is not None

    def left(self) -> list[str]:
        """Ids that wait in the deferred queue."""
        return list(self.inside.queue.scan("deferred"))

    # -- what happened ---------------------------------------------------------------------------------

    def _new_lines(self) -> Iterator[Line]:
        data = self._unread + os.read(self._log, 1 << 20)
        *lines, self._unread = data.split(b"\n")
        for text in lines:
            line = read_line(text.decode("utf-8", "replace"), year=year_of(self.clock.now()))
            if line is None:
                continue
            self.lines.append(line)
            if (attempt := read_attempt(line)) is not None:
                self.attempts.append(attempt)
            yield line

    def notices(self, user: str = "alice") -> list[Notice]:
        """What came back to a user."""
        return [notice for message in self.inside.mail(user) for notice in read_notices(message)]


def recipients(scenario: Scenario) -> list[str]:
    """Addresses of the scenario's mail."""
    return [name if "@" in name else f"{name}@{scenario.domain}" for name in scenario.expected]


def content(submission: Submission) -> bytes:
    """The message, always the same."""
    scenario = submission.scenario
    return (
        f"From: {scenario.sender or 'mailer-daemon@pillarbox.test'}\r\n"
        f"To: {', '.join(recipients(scenario))}\r\n"
        f"Subject: {scenario.name} {submission.number}\r\n"
        f"Message-Id: <{scenario.name}.{submission.number}@lab.test>\r\n"
        "Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n"
        + f"{scenario.header}\n{scenario.body}".replace("\n", "\r\n")
    ).encode()
