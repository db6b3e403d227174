"""Rows of the way of a message: SMTP in, queue, mailbox or SMTP out.

Debian's Postfix and Pillarbox read the same main.cf and master.cf.  Postfix's smtp-source is the client and its
smtp-sink the destination of both.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.isolation import LOCAL_DOMAIN, LOCAL_USER
from bench.measure import Costs, Row, interleave, is_wanted
from bench.sinks import DEAD_PORT, SINK_PORT, SLOW_PORT, DeadHost, Sink
from bench.systems import DOMAIN, RECIPIENTS, USER, PillarboxMta, Postfix, mailboxes

KIB = 1024
MIB = 1024 * KIB
_PATIENCE = 180.0


@dataclass
class Load:
    """What smtp-source sends."""

    recipient: str
    sessions: int
    messages: int
    size: int = 4 * KIB
    recipients: int = 1
    reuse: bool = True  # one connection for all messages of a session

    def start(self, port: int) -> "subprocess.Popen[bytes]":
        """Begin sending."""
        command = ["smtp-source", "-s", str(self.sessions), "-m", str(self.messages), "-l", str(self.size)]
        command += ["-d"] if self.reuse else []
        command += ["-r", str(self.recipients)] if self.recipients > 1 else []
        command += ["-f", "bench@example.org", "-t", self.recipient, f"inet:127.0.0.1:{port}"]
        return subprocess.Popen(command)


@dataclass
class Work:
    """A load for one system, until the last message has arrived: messages per second, and what they cost."""

    system: Postfix
    load: Load
    prepare: Callable[[], None]
    arrived: Callable[[], int]  # deliveries since `prepare`
    beside: tuple[Load, ...] = ()  # whose arrival is not waited for
    costs: list[dict[str, float]] = field(default_factory=list)

    def __call__(self) -> float:
        self.prepare()
        load = self.load
        expected = load.messages * load.recipients
        before = self.system.processor_time()
        start = time.perf_counter()
        sources = [one.start(self.system.port) for one in (load, *self.beside)]
        if sources[0].wait() != 0:
            raise RuntimeError("smtp-source failed")
        deadline = time.monotonic() + _PATIENCE
        while self.arrived() < expected:
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"{self.arrived()} of {expected} messages arrived at {self.system.command}"
                )
            time.sleep(0.005)
        elapsed = time.perf_counter() - start
        for source in sources[1:]:
            source.wait()
        after = self.system.processor_time()
        self.costs.append(
            {name: (used - before.get(name, 0.0)) / load.messages for name, used in after.items()}
        )
        return load.messages / elapsed


def mail_rows(root: Path, home: Path, runs: int, only: str, costs: list[Costs]) -> Iterator[Row]:
    """All of them whose names hold `only`."""
    wanted = [row for row in _rows(home) if is_wanted(row[0], only)]
    if not wanted:
        return
    with (
        Postfix(root / "postfix", 4125) as postfix,
        PillarboxMta(root / "pillarbox", 4126) as pillarbox,
        Sink(SINK_PORT) as sink,
        Sink(SLOW_PORT, "-w", "1"),
        DeadHost(DEAD_PORT),
    ):
        for name, make in wanted:
            works = [make(system, sink) for system in (postfix, pillarbox)]
            row = Row(name, "msg/s", more_is_better=True, original="Postfix")
            yield interleave(row, works[0], works[1], runs=runs)
            costs.append(Costs(name, works[0].costs[1:], works[1].costs[1:]))


Make = Callable[[Postfix, Sink], Work]


def _rows(home: Path) -> Iterator[tuple[str, Make]]:
    for sessions, messages in ((1, 500), (20, 2000), (100, 2000)):
        name = f"SMTP to virtual Maildir, {_sessions(sessions)}, 4 KiB"
        yield name, _to_mailbox(Load(USER, sessions, messages))
    yield "SMTP to local(8) Maildir, 20 sessions, 4 KiB", _to_system_user(home)
    for sessions, messages in ((1, 500), (20, 2000), (100, 2000)):
        name = f"SMTP in, queue, SMTP out, {_sessions(sessions)}, 4 KiB"
        yield name, _to_sink(Load("bench@sink.test", sessions, messages))
    name = "SMTP to virtual Maildir, a connection for each message, 20 at once, 4 KiB"
    yield name, _to_mailbox(Load(USER, 20, 2000, reuse=False))
    name = f"SMTP to virtual Maildir, {RECIPIENTS} recipients a message, 5 sessions, 4 KiB"
    yield name, _to_mailboxes(Load(USER, 5, 60, recipients=RECIPIENTS))
    name = f"SMTP in, queue, SMTP out, {RECIPIENTS} recipients a message, 20 sessions, 4 KiB"
    yield name, _to_sink(Load("bench@sink.test", 20, 500, recipients=RECIPIENTS), recipients=1)
    yield "SMTP to virtual Maildir, 5 sessions, 1 MiB", _to_mailbox(Load(USER, 5, 100, MIB))
    yield "SMTP in, queue, SMTP out, 5 sessions, 1 MiB", _to_sink(Load("bench@sink.test", 5, 100, MIB))
    yield "SMTP to virtual Maildir, 2 sessions, 10 MiB", _to_mailbox(Load(USER, 2, 12, 10 * MIB))
    yield "SMTP in, queue, SMTP out, 2 sessions, 10 MiB", _to_sink(Load("bench@sink.test", 2, 12, 10 * MIB))
    name = "SMTP in, queue, SMTP out, 20 sessions, 4 KiB, beside a dead and a slow destination"
    beside = tuple(Load(f"bench@{domain}.test", 2, 100) for domain in ("dead", "slow"))
    yield name, _to_sink(Load("bench@sink.test", 20, 2000), beside=beside)


def _sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count} sessions"


def _to_mailbox(load: Load) -> Make:
    def make(system: Postfix, _: Sink) -> Work:
        return Work(system, load, system.clear_mailbox, system.delivered)

    return make


def _to_mailboxes(load: Load) -> Make:
    def make(system: Postfix, _: Sink) -> Work:
        mail = system.root / "mail" / DOMAIN
        names = [name.partition("@")[0] for name in mailboxes()]

        def prepare() -> None:
            system.clear_mailbox()
            for name in names:
                system.set_aside(mail / name)

        return Work(system, load, prepare, lambda: sum(_count(mail / name) for name in names))

    return make


def _to_system_user(home: Path) -> Make:
    """passwd, .forward and all."""

    def make(system: Postfix, _: Sink) -> Work:
        load = Load(f"{LOCAL_USER}@{LOCAL_DOMAIN}", 20, 2000)
        return Work(system, load, lambda: system.set_aside(home / "Maildir"), lambda: _count(home))

    return make


def _to_sink(load: Load, *, recipients: int | None = None, beside: tuple[Load, ...] = ()) -> Make:
    """The sink counts transactions, of which a message with many recipients is one."""

    def make(system: Postfix, sink: Sink) -> Work:
        per_message = load.recipients if recipients is None else recipients
        return Work(system, load, sink.reset, lambda: sink.received * load.recipients // per_message, beside)

    return make


def _count(account: Path) -> int:
    new = account / "Maildir" / "new"
    return len(os.listdir(new)) if new.exists() else 0
