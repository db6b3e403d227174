"""local(8)'s deliveries: who was killed after one has noted it, and nobody makes it again."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from fakes.mail_system import until
from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.local.agent_loop import Worker
from pillarbox.delivery.local.agent_settings import agent_settings
from pillarbox.delivery.local.frames import (
    Account,
    CommandMail,
    DeliverLocally,
    FileMail,
    LocalJobDone,
    PipeContent,
    PipeMail,
    Recipient,
    UserMail,
    Work,
)
from pillarbox.delivery.local.spool_rights import SpoolRights
from pillarbox.net.startup import AgentService
from pillarbox.queue.new_queue_file import encode_end
from pillarbox.queue.records import ContentEncoder
from pillarbox.vocabulary.clock import ManualClock

TEXT = b"Subject: x\r\n\r\nThis is the message.\r\n"


class Bench:
    """A home, and the queue file of a message."""

    def __init__(self, home: Path) -> None:
        self.home = home
        settings = agent_settings(
            Snapshot.of({"home_mailbox": "Maildir/"}), AgentService(name="local", program="local")
        )
        self._worker = Worker(settings, clock=ManualClock(), spool=SpoolRights(0, None))
        encoder = ContentEncoder()
        self.message = home / "message"
        self.message.write_bytes(encoder.feed(TEXT) + encoder.finish() + encode_end())
        self._account = Account(
            os.getuid() or 65534, os.getgid() or 65534, b"me", os.fsencode(home), b"/bin/sh"
        )

    def run(self, work: Work, *, offset: int, user: bytes = b"me") -> LocalJobDone:
        """A job to its end, by somebody who has heard of nothing that was done before."""
        address = user + b"@here.test"
        who = Recipient(address, address, address, b"you@there.test", user, user, b"here.test")
        job = DeliverLocally(1, 0, who, self._account, work, offset=offset, is_noted=True)
        done: list[LocalJobDone] = []
        self._worker.take([(job, os.open(self.message, os.O_RDWR))])

        def is_done() -> bool:
            self._worker.look()
            done.extend(self._worker.results())
            return bool(done)

        until(is_done, what="the end of the job")
        return done[0]

    def count(self) -> int:
        """Copies of the message in all places."""
        places = [*self.home.glob("*/new/*"), *self.home.glob("box"), *self.home.glob("copies")]
        return sum(path.read_bytes().count(b"This is the message.") for path in places)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A new one."""
    return Bench(tmp_path)


WORKS: dict[str, Callable[[Path], Work]] = {
    "mailbox": lambda home: UserMail(forward=True, mailbox=True),
    "file": lambda home: FileMail(b"%s/box" % os.fsencode(home)),
    "Maildir": lambda home: FileMail(b"%s/Other/" % os.fsencode(home)),
    "command": lambda home: CommandMail(b"cat >> %s/copies" % os.fsencode(home)),
    "pipe": lambda home: PipeMail(
        arguments=[b"/bin/sh", b"-c", b"cat >> %s/copies" % os.fsencode(home)],
        content=PipeContent(),
        service="script",
        time_limit=60,
    ),
}


@pytest.mark.parametrize("name", WORKS)
def test_what_was_noted_is_not_done_again(bench: Bench, name: str) -> None:
    """The same is told of it; another recipient's is another delivery."""
    work = WORKS[name](bench.home)
    first = bench.run(work, offset=100)
    assert ["sent"] == [piece.status for piece in first.pieces]
    assert 1 == bench.count()
    assert first.pieces == bench.run(work, offset=100).pieces
    assert 1 == bench.count()
    assert first.pieces == bench.run(work, offset=200).pieces
    assert 2 == bench.count()


@pytest.mark.parametrize("name", ["command", "pipe"])
@pytest.mark.parametrize("how", ["exit 75", "exit 67", "kill -9 $$"])
def test_a_command_that_fails_runs_again(bench: Bench, name: str, how: str) -> None:
    """Nothing is noted of it."""
    work = WORKS[name](bench.home)
    line = b"cat >> %s/copies; %s" % (os.fsencode(bench.home), how.encode())
    if isinstance(work, PipeMail):
        work = msgspec.structs.replace(work, arguments=[b"/bin/sh", b"-c", line])
    else:
        work = CommandMail(line)
    for count in (1, 2):
        assert "sent" != bench.run(work, offset=100).pieces[0].status
        assert count == bench.count()


def test_a_file_that_cannot_be_made_is_tried_again(bench: Bench) -> None:
    """A Maildir, and a file."""
    for name in ("Other/", "box"):
        place = bench.home / name
        place.symlink_to(bench.home / "nowhere" / "x")
        work = FileMail(os.fsencode(bench.home) + b"/" + name.encode())
        assert "sent" != bench.run(work, offset=100).pieces[0].status
        place.unlink()
        assert "sent" == bench.run(work, offset=100).pieces[0].status
    assert 2 == bench.count()
