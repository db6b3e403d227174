"""A queue handed over: Debian's Postfix fills it, Pillarbox finishes it; and the other way round.

DESCRIPTION
    Messages wait in every state: deferred with some recipients done, held, in maildrop, with DSN options,
    large.  The first system is stopped and the second started on the same directories and the
    same configuration, but for the domain that nobody could reach before.  Both list the same queue; then each
    recipient gets each message once.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from email import message_from_bytes
from pathlib import Path

import pytest

from fakes.debian_postfix import DebianPostfix
from fakes.mail_system import until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix")]

COUNT = 60
HERE, AWAY = "pillarbox.test", "away.test"
DEBIAN, OURS = "debian", "ours"


class Site:
    """One queue, and two mail systems for it, one at a time."""

    def __init__(self, postfix: DebianPostfix) -> None:
        self.postfix = postfix
        self.expected: Counter[tuple[str, str]] = Counter()

    def command(
        self, system: str, program: str, *arguments: str, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """A command of one of the systems."""
        ours = [sys.executable, "-m", f"pillarbox.tools.{program}"]
        return subprocess.run(
            [*(ours if system == OURS else [f"/usr/sbin/{program}"]), *arguments],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=60,
            env={**os.environ, "NAME": "Some One"},
        )

    def run(self, system: str, action: str) -> None:
        """postfix start, postfix stop."""
        done = self.command(system, "postfix", action)
        assert done.returncode == 0, (done.stderr, self.postfix.log()[-3000:])

    def submit(
        self, system: str, subject: str, *options: str, recipients: list[str], size: int = 100
    ) -> None:
        """One message."""
        text = f"Subject: {subject}\nTo: x\n\n" + "line of text\n" * (size // 13)
        done = self.command(
            system, "sendmail", "-f", f"sender@{HERE}", *options, *recipients, stdin=text.encode()
        )
        assert done.returncode == 0, done.stderr
        self.expected.update((subject, recipient) for recipient in recipients)

    def fill(self, system: str) -> None:
        """Messages of all kinds, up to those that are submitted while it is down."""
        for number in range(COUNT):
            kind = number % 6
            recipients = [f"a{number}@{AWAY}"]
            options: list[str] = []
            if kind == 1:
                recipients = [f"here{number}@{HERE}", *(f"r{at}x{number}@{AWAY}" for at in range(9))]
            elif kind == 2:
                options = ["-N", "never", "-R", "hdrs", "-V", f"id{number}"]
            elif kind == 3:
                options = ["-B", "8BITMIME"]
                recipients = [f"b{number}@{AWAY}", f"c{number}@{AWAY}"]
            self.submit(
                system, f"m{number}", *options, recipients=recipients, size=400_000 if kind == 4 else 100
            )
        away = sum(1 for _, recipient in self.expected if recipient.endswith(AWAY))
        until(
            lambda: self.postfix.log().count("status=deferred") >= away,
            what=lambda: f"{away} deferred:\n{self.postfix.log()[-3000:]}",
            seconds=60,
        )
        until(lambda: not list(self.spool.glob("active/*")), what="nothing active")
        ids = sorted(path.name for path in self.spool.glob("deferred/?/*"))
        for queue_id in ids[::5]:
            assert b"placed on hold" in self.command(system, "postsuper", "-h", queue_id).stderr
        self.run(system, "stop")
        for number in range(5):
            self.submit(system, f"down{number}", recipients=[f"d{number}@{AWAY}", f"e{number}@{HERE}"])

    @property
    def spool(self) -> Path:
        return self.postfix.base / "spool"

    def listing(self, system: str) -> list[str]:
        """mailq's lines, sorted: directories are read in no order."""
        return sorted(self.command(system, "postqueue", "-p").stdout.decode().split("\n"))

    def delivered(self) -> Counter[tuple[str, str]]:
        """(Subject, recipient) of everything in the mailbox but notices."""
        found: Counter[tuple[str, str]] = Counter()
        for path in self.postfix.delivered():
            message = message_from_bytes(path.read_bytes())
            found[str(message["Subject"]), str(message["X-Original-To"])] += 1
        return found


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("first", "second"), [(DEBIAN, OURS), (OURS, DEBIAN)])
def test_a_queue_is_handed_over(first: str, second: str) -> None:
    """Listed the same by both; each message once to each recipient."""
    base = Path(tempfile.mkdtemp(prefix="pillarbox-takeover-"))
    base.chmod(0o755)
    settings = {"default_transport": "retry:4.3.0 later", "transport_retry_time": "1s"}
    services = "local unix - n n - - local\nsmtp unix - - n - - smtp\n"
    with DebianPostfix(base, settings=settings, services=services) as postfix:
        site = Site(postfix)
        if first == OURS:
            site.run(DEBIAN, "stop")
            site.run(OURS, "start")
        site.fill(first)
        assert site.listing(DEBIAN) == site.listing(OURS)
        main_cf = Path("/etc/postfix/main.cf")
        text = main_cf.read_text().replace(
            f"virtual_mailbox_domains = {HERE}", f"virtual_mailbox_domains = {HERE}, {AWAY}"
        )
        main_cf.write_text(text)
        before = site.delivered()
        assert before == Counter({key: 1 for key in site.expected if key[1].startswith("here")})
        site.run(second, "start")
        try:
            assert b"Released from hold" in site.command(second, "postsuper", "-H", "ALL").stderr
            assert site.command(second, "postqueue", "-f").returncode == 0
            until(
                lambda: sum(site.delivered().values()) >= sum(site.expected.values()),
                what=lambda: f"all delivered:\n{postfix.log()[-4000:]}",
                seconds=90,
            )
            until(lambda: b"empty" in site.command(second, "postqueue", "-p").stdout, what="an empty queue")
        finally:
            site.run(second, "stop")
        assert site.delivered() == site.expected
        site.run(DEBIAN, "start")  # what the fixture stops
