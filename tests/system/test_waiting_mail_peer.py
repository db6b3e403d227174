"""Mail that is put off, and commands that put it on its way again, on Debian's host and on ours.

DESCRIPTION
    soft_bounce, defer_transports, destination_rate_delay and destination_recipient_limit; then, with the queue full,
    postqueue -f, -s and -i, postsuper -h, -H and -r.  After each step what the log says of recipients is compared.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.host import Host
from fakes.mail_system import until
from fakes.rewriting_play import MAIN_CF, USERS, ZONES, prepare
from fakes.rewriting_world import RewritingWorld
from fakes.smtp_submission import SmtpClient

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

_SETTINGS: Final = """\
soft_bounce = yes
defer_transports = relay
maximal_queue_lifetime = 1d
bounce_queue_lifetime = 1d
minimal_backoff_time = 3000s
maximal_backoff_time = 3000s
queue_run_delay = 3000s
smtp_destination_rate_delay = 1s
smtp_destination_recipient_limit = 2
fast_flush_domains = $relay_domains, out.test
smtpd_reject_unlisted_recipient = no
"""
_MESSAGE: Final = b"Subject: x\r\n\r\nx\r\n"
_RECIPIENTS: Final = (
    ("a@relay.test",),
    ("refused@out.test",),
    ("later@out.test", "b@out.test", "c@out.test"),
    ("nobody-here@here.test",),
    ("d@nowhere.invalid",),
)
_STEPS: Final[tuple[tuple[str, str, int], ...]] = (
    ("flushed", "postqueue -f", 5),
    ("one message", "postqueue -i {refused@out.test}", 1),
    ("one site", "postqueue -s out.test", 1),
    ("no such message", "postqueue -i ABCDEF0123; postqueue -i 'no/id'", 0),
    ("held", "postsuper -h {refused@out.test}; postqueue -i {refused@out.test}", 0),
    ("released", "postsuper -H {refused@out.test}; postqueue -i {refused@out.test}", 1),
    ("queued anew", "postsuper -r ALL", 4),
    ("deleted", "postsuper -d ALL", 0),
)
"""Name, commands with recipients in place of ids, and how many deliveries are tried then."""
_ONLY_OURS: Final = {"one site": "refused@out.test"}
"""postqueue(1) says that `-s` tries all mail of a site; Postfix forgets recipients that soft_bounce has kept."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RewritingWorld]:
    """Both hosts."""
    let_others_in(tmp_path)
    made = RewritingWorld(tmp_path, MAIN_CF, zones=ZONES, users=USERS)
    try:
        prepare(made)
        made.load(_SETTINGS)
        yield made
    finally:
        made.end()


class Queue:
    """One host's."""

    def __init__(self, world: RewritingWorld, host: Host) -> None:
        self._world = world
        self.host = host
        self._seen = len(host.log())

    def step(self, act: Callable[[], str], attempts: int) -> list[str]:
        """What a step says, and what the log says of so many attempts."""
        said = act()
        until(
            lambda: len(self._attempts()) >= attempts,
            what=lambda: f"{attempts} attempts\n{self.host.log()[self._seen :]}",
        )
        found = self._attempts()
        self._seen = len(self.host.log())
        return [*sorted(said.split("\n")), *sorted(found)]

    def submit(self) -> str:
        """All messages."""
        with SmtpClient(self.host) as client:
            for recipients in _RECIPIENTS:
                client.submit(sender="s@here.test", recipients=list(recipients), message=_MESSAGE)
        return ""

    def command(self, text: str) -> str:
        """Commands, with ids for recipients."""
        ids = dict(
            (recipient, name) for name, recipient in re.findall(r"\]: (\w+): to=<([^>]*)>", self.host.log())
        )
        line = re.sub(r"\{(\S+?)\}", lambda found: ids[found[1]], text)
        done = self.host.run(f"{{ {line}; }} 2>&1; echo status $?")
        return re.sub(r"\b[0-9A-F]{6,}\b", "ID", done.stdout).replace("/usr/sbin/", "")

    def _attempts(self) -> list[str]:
        log = self._world.of_theirs(self.host.log()[self._seen :])
        lines = re.findall(r"\]: \w+: (to=<.*)", log)
        return [re.sub(r"delay=\S+ delays=\S+ ", "", line) for line in lines]


def test_what_waits_and_what_moves_it(world: RewritingWorld) -> None:
    """Step by step the same."""
    queues = [Queue(world, host) for host in world.hosts]
    theirs, ours = (one.step(one.submit, 7) for one in queues)
    assert theirs == ours
    assert any("deferred transport" in line for line in theirs)
    assert any("550 5.1.1" in line and "status=SOFTBOUNCE" in line for line in theirs)
    for name, command, attempts in _STEPS:
        more = f"to=<{_ONLY_OURS[name]}>" if name in _ONLY_OURS else ""
        theirs, ours = (
            one.step(lambda one=one, command=command: one.command(command), number)  # type: ignore[misc]
            for one, number in zip(queues, (attempts, attempts + bool(more)), strict=True)
        )
        if more:
            assert any(line.startswith(more) for line in ours), f"{name}: {more} does not differ any more"
            assert not any(line.startswith(more) for line in theirs), (
                f"{name}: {more} does not differ any more"
            )
            ours = [line for line in ours if not line.startswith(more)]
        assert theirs == ours, name
