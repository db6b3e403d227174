"""virtual(8): messages of any size into Maildirs, and what is said when they do not fit."""

import errno
import os
import re
from pathlib import Path

import pytest

from fakes.crash_file_system import CrashFileSystem
from pillarbox.delivery.mailbox_delivery import MailboxRules, deliver_jobs
from pillarbox.delivery.request import DeliverToMailboxes, MailboxTarget, Outcome
from pillarbox.queue.new_queue_file import encode_end
from pillarbox.queue.records import ContentEncoder

SMALL = b"Subject: x\r\n\r\n" + b"line\r\n" * 10
LARGE = b"Subject: x\r\n\r\n" + b"%s\r\n" % (b"A" * 76) * 20_000
HEAD = b"Return-Path: <a@b.test>\nX-Original-To: c@d.test\nDelivered-To: c@d.test\n"


class Bench:
    """A queue file, and two Maildirs."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def deliver(
        self, records: bytes, *, size_limit: int = 0, names: tuple[str, ...] = ("M/", "O/")
    ) -> list[Outcome]:
        """Outcomes of one message for all."""
        path = self.root / "message"
        path.write_bytes(records)
        targets = [
            MailboxTarget(b"c@d.test", b"c@d.test", str(self.root / name) + "/" * name.endswith("/"))
            for name in names
        ]
        descriptor = os.open(path, os.O_RDONLY)
        try:
            jobs = [(DeliverToMailboxes(7, 0, b"a@b.test", targets), descriptor)]
            return deliver_jobs(jobs, rules=MailboxRules(size_limit=size_limit))[7]
        finally:
            os.close(descriptor)

    def stored(self, name: str) -> list[bytes]:
        """What lies in new/."""
        return [path.read_bytes() for path in (self.root / name / "new").glob("*")]


def records_of(content: bytes) -> bytes:
    """A queue file without an envelope."""
    encoder = ContentEncoder()
    return encoder.feed(content) + encoder.finish() + encode_end()


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_each_mailbox_gets_the_message(tmp_path: Path, content: bytes) -> None:
    """With LF line ends, and the trace headers before it."""
    bench = Bench(tmp_path)
    assert ["sent", "sent"] == [outcome.status for outcome in bench.deliver(records_of(content))]
    for name in ("M", "O"):
        assert [HEAD + content.replace(b"\r\n", b"\n")] == bench.stored(name)


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_a_message_beyond_virtual_mailbox_limit_is_bounced(tmp_path: Path, content: bytes) -> None:
    """To the octet, whether it was read before or while it is written."""
    bench, size = Bench(tmp_path), len(HEAD) + len(content.replace(b"\r\n", b"\n"))
    (outcome,) = bench.deliver(records_of(content), size_limit=size - 1, names=("M/",))
    text = "maildir delivery failed: error writing message: File too large"
    assert ("bounced", "5.2.2", text) == (outcome.status, outcome.dsn, outcome.text)
    assert [] == bench.stored("M")
    assert ["sent"] == [
        outcome.status for outcome in bench.deliver(records_of(content), size_limit=size, names=("M/",))
    ]


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_a_damaged_queue_file_is_delivered_to_nobody(tmp_path: Path, content: bytes) -> None:
    """4.3.0, to be tried again; no half message is left behind."""
    bench = Bench(tmp_path)
    damaged = records_of(content)[: -len(encode_end())] + b"?\x00"
    for outcome in bench.deliver(damaged):
        assert ("deferred", "4.3.0", "queue file read error") == (outcome.status, outcome.dsn, outcome.text)
    for name in ("M", "O"):
        assert [] == bench.stored(name)
        assert not list((tmp_path / name).glob("tmp/*"))


def test_mbox_files_and_maildirs_get_the_same(tmp_path: Path) -> None:
    """A large message for both."""
    bench = Bench(tmp_path)
    assert ["sent", "sent"] == [
        outcome.status for outcome in bench.deliver(records_of(LARGE), names=("M/", "box"))
    ]
    (stored,) = bench.stored("M")
    assert (tmp_path / "box").read_bytes().endswith(b"\n" + stored + b"\n")


def test_a_maildir_that_may_not_be_made(tmp_path: Path) -> None:
    """Two warnings, as virtual(8) has them."""
    files = CrashFileSystem(fail=lambda operation, path: errno.EACCES if operation == "mkdir" else None)
    files.make_directories("/mail")
    files.make_file("/message", records_of(SMALL))
    targets = [MailboxTarget(b"c@d.test", b"c@d.test", "/mail/M/")]
    job = (DeliverToMailboxes(1, 0, b"a@b.test", targets), files.open("/message", os.O_RDWR))
    (outcome,) = deliver_jobs([job], rules=MailboxRules(), files=files)[1]
    assert ("deferred", "4.2.0") == (outcome.status, outcome.dsn)
    first, second = outcome.reason.split("\n")
    problem, _, text = first.partition(": ")
    assert problem == f"maildir access problem for UID/GID={os.geteuid()}/{os.getegid()}"
    assert f"maildir delivery failed: {text}" == outcome.text
    assert re.fullmatch(r"create maildir file /mail/M/tmp/\d+\.\S+: Permission denied", text)
    assert "perhaps you need to create the maildirs in advance" == second
