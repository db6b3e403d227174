"""Deferred mail that somebody asks for, beside Debian's flush(8): each finds what the other has noted.

And a queue of which only a few messages can be active is flushed from its first message to its last.
"""

import smtplib
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from fakes.debian_postfix import PORT, DebianPostfix, start_debians_postfix
from fakes.mail_system import until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix")]

DEBIAN: Final = "debian"
OURS: Final = "ours"
SITES: Final = ("flush.test", "sub.flush.test")
MANY: Final = 60
ACTIVE: Final = 4
_SETTINGS: Final = {
    "default_transport": "smtp",
    "relayhost": "[127.0.0.1]:1",
    "transport_retry_time": "1s",
    "fast_flush_domains": SITES[0],
    "qmgr_message_active_limit": str(ACTIVE),
    "qmgr_message_recipient_limit": str(3 * ACTIVE),
}
_SERVICES: Final = "smtp unix - - n - - smtp\nflush unix n - n 1000? 0 flush\n"


class Site:
    """A queue, and two systems for it by turns."""

    def __init__(self, postfix: DebianPostfix) -> None:
        self.postfix = postfix
        self.spool = postfix.base / "spool"
        self.sent = 0

    def command(self, system: str, program: str, *arguments: str) -> None:
        """A command of one of them, which succeeds."""
        ours = [sys.executable, "-m", f"pillarbox.tools.{program}"]
        command = ours if system == OURS else [f"/usr/sbin/{program}"]
        done = subprocess.run([*command, *arguments], capture_output=True, check=False, timeout=90)
        assert done.returncode == 0, (done.stderr, self.postfix.log()[-3000:])

    def send(self, *recipients: str) -> str:
        """A message that is deferred; its id."""
        before = self.deferred()
        with smtplib.SMTP("127.0.0.1", PORT, timeout=60) as client:
            client.sendmail("sender@pillarbox.test", recipients, "Subject: x\r\n\r\nx\r\n")
        self.sent += 1
        until(lambda: len(self.deferred()) == len(before) + 1, what="deferred")
        (queue_id,) = self.deferred() - before
        return queue_id

    def deferred(self) -> set[str]:
        """The ids of what waits."""
        return {path.name for path in self.spool.glob("deferred/?/*")}

    def noted(self) -> dict[str, list[str]]:
        """What flush/ says, by name of a file."""
        return {path.name: path.read_text().split("\n")[:-1] for path in self.spool.glob("flush/*")}

    def attempts(self) -> Counter[str]:
        """How often mail was tried, by id: lines of the log that tell of a recipient that is deferred."""
        words = (line.split() for line in self.postfix.log().splitlines() if "status=deferred" in line)
        return Counter(
            next(word for word in line if word.endswith(":") and word[:-1].isalnum())[:-1] for line in words
        )

    def has_tried(self, attempts: Counter[str]) -> bool:
        """That often, and no more."""
        return self.attempts() == attempts


@pytest.fixture
def site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="pillarbox-flush-") as directory:
        base = Path(directory)
        base.chmod(0o755)
        with DebianPostfix(base, settings=_SETTINGS, services=_SERVICES) as postfix:
            yield Site(postfix)


def test_each_finds_what_the_other_has_noted(site: Site) -> None:
    """A message of three recipients, of whom two have sites that may ask: it stands in both sites' files."""
    recipients = [f"one@{SITES[0].upper()}", f"two@{SITES[1]}", "three@other.test"]
    first = site.send(*recipients)
    names = {"flush_test", "sub_flush_test"}
    until(lambda: site.noted() == {name: [first] for name in names}, what=lambda: f"noted {site.noted()}")
    site.command(DEBIAN, "postfix", "stop")
    site.command(OURS, "postfix", "start")
    second = site.send(*recipients)
    until(
        lambda: site.noted() == {name: [first, second] for name in names},
        what=lambda: f"noted {site.noted()}",
    )
    for system in (OURS, DEBIAN):
        tried = Counter({queue_id: site.attempts()[queue_id] + 3 for queue_id in (first, second)})
        site.command(system, "postqueue", "-s", SITES[1])
        until(partial(site.has_tried, tried), what=lambda: f"both are tried again: {site.attempts()}")
        # What was read is noted no more, and then once again, as the messages were deferred again.
        until(lambda: site.deferred() == {first, second}, what="deferred again")
        until(
            lambda: sorted(site.noted()["sub_flush_test"]) == sorted((first, second)),
            what=lambda: f"noted again: {site.noted()}",
        )
        if system == OURS:
            assert set(site.noted()["flush_test"]) == {first, second}
            site.command(OURS, "postfix", "stop")
            start_debians_postfix()


def test_more_than_can_be_active(site: Site) -> None:
    """`postqueue -f`: each message is tried once more, though but a few of them have room at a time."""
    site.command(DEBIAN, "postfix", "stop")
    site.command(OURS, "postfix", "start")
    ids = {site.send("one@other.test", f"two@{SITES[0]}") for _ in range(MANY)}
    before = site.attempts()
    site.command(OURS, "postqueue", "-f")
    until(
        lambda: all(site.attempts()[queue_id] >= before[queue_id] + 2 for queue_id in ids),
        what=lambda: f"all are tried again: {site.attempts() - before}",
    )
    until(lambda: site.deferred() == ids, what="deferred again")
    assert site.attempts() == Counter({queue_id: before[queue_id] + 2 for queue_id in ids})
    site.command(OURS, "postqueue", "-s", SITES[0])
    until(
        lambda: site.attempts() == Counter({queue_id: before[queue_id] + 4 for queue_id in ids}),
        what=lambda: f"all are tried again: {site.attempts() - before}",
    )
    site.command(OURS, "postfix", "stop")
    assert "Traceback" not in site.postfix.log()
    start_debians_postfix()  # what the fixture stops
