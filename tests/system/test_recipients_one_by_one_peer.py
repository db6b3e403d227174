"""An LMTP server that answers for one recipient at a time: what is known of each, and when, as with Postfix.

The same server for both products takes the first recipient, refuses one at RCPT, puts another off, refuses the next
after the dot, and lets the last wait.  While it waits, both have logged the same lines in the same order, marked the
same recipients in the queue file and written the same bounce and defer logs; when the agent is killed then, both ask
the server for the last only, and for the one that was put off.
"""

import re
from collections.abc import Iterator
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.host import Host
from fakes.mail_system import until
from fakes.network import _ip, address
from fakes.outbound_world import Scenario, World, submit
from fakes.postfix_texts import normal_line
from fakes.scripted_server import SILENCE, ScriptedServer

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "named", "unshare", "ip"),
]

_PLACE: Final = 20
_MAIN_CF: Final = f"""\
notify_classes =
relay_domains = hesitant.test
smtpd_reject_unlisted_recipient = no
transport_maps = inline:{{ hesitant.test=lmtp:inet:[{address(_PLACE)}]:24 }}
transport_retry_time = 1s
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
service_throttle_time = 1s
"""
_MESSAGE: Final = Scenario(name="hesitant", recipients=("third", "first", "second", "fourth", "fifth"))


class Hesitant(ScriptedServer):
    """It answers for two recipients after the dot; when it is `whole`, for all."""

    def __init__(self) -> None:
        super().__init__(address(_PLACE), 24, {"RCPT": self._recipient, ".": self._answer}, lmtp=True)
        self.forget()

    def forget(self) -> None:
        """As new."""
        self.conversations.clear()
        self.answers = iter((b"250 2.0.0 Stored", b"552 5.2.2 Full"))
        self.is_whole = False

    def _recipient(self, line: bytes) -> bytes:
        if b"fifth" in line and not self.is_whole:
            return b"450 4.2.1 Later"
        return b"550 5.1.1 Who is that?" if b"second" in line else b"250 2.1.5 Ok"

    def _answer(self, _line: bytes) -> bytes:
        return b"250 2.0.0 Stored" if self.is_whole else next(self.answers, SILENCE)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both hosts."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    made = World(directory, (), _MAIN_CF)
    try:
        _ip(f"address add {address(_PLACE)}/32 dev internet")
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[Hesitant]:
    """The LMTP server of both."""
    server = Hesitant()
    yield server
    server.close()


def _log(host: Host, queue: str, queue_id: str) -> str:
    """A log of the message."""
    log = host.file(f"/var/spool/postfix/{queue}/{queue_id[0]}/{queue_id}")
    if not log.exists():
        log = host.file(f"/var/spool/postfix/{queue}/{queue_id}")
    return re.sub(r"(?m)^offset=\d+", "offset=N", log.read_text()) if log.exists() else ""


class Seen:
    """What happened on a host."""

    def __init__(self, host: Host, server: Hesitant) -> None:
        server.forget()
        logged = len(host.log())

        def log() -> str:
            return host.log()[logged:]

        queue_id = submit(host, _MESSAGE)
        until(lambda: log().count(" status=") == 4, what=lambda: f"four of five lines:\n{log()}")
        self.asked = [line for line in server.said if line.startswith(b"RCPT")]
        self.lines = [normal_line(line) for line in log().split("\n") if "status=" in line]
        until(
            lambda: len(re.findall(r"(?m)^recipient: ", host.output(f"postcat -qe {queue_id}"))) == 2,
            what="marks of three",
        )
        envelope = host.output(f"postcat -qe {queue_id}")
        self.marks = re.findall(r"(?m)^(recipient|done_recipient): (\S+)", envelope)
        self.bounce_log = _log(host, "bounce", queue_id)
        self.defer_log = _log(host, "defer", queue_id)
        self.mailq = re.findall(r"\S+@hesitant\.test", host.output("postqueue -p"))
        server.is_whole = True
        asked = len(server.said)
        (agent,) = set(re.findall(r"postfix/lmtp\[(\d+)\]", log()))
        host.output(f"kill -9 {agent}")
        until(
            lambda: re.search(r"to=<third@hesitant\.test>.* status=sent ", log()),
            seconds=40,
            what=lambda: f"the third gets it:\n{log()}",
        )
        until(lambda: f"{queue_id}: removed" in log(), what="the end of the message")
        self.asked_again = sorted(line for line in server.said[asked:] if line.startswith(b"RCPT"))
        self.told = log().count("sender non-delivery notification")


def test_the_same_as_postfix(world: World, server: Hesitant) -> None:
    """Lines, marks, the bounce log, the queue's listing; and who is asked for after the crash."""
    theirs, ours = Seen(world.theirs, server), Seen(world.ours, server)
    assert ours.asked == theirs.asked
    assert ours.lines == theirs.lines
    assert ours.marks == theirs.marks
    assert ours.bounce_log == theirs.bounce_log
    assert ours.mailq == theirs.mailq
    assert ours.defer_log == theirs.defer_log
    assert "fifth" in theirs.defer_log
    assert ours.asked_again == theirs.asked_again
    assert [b"fifth", b"third"] == [re.findall(rb"<(\w+)@", line)[0] for line in theirs.asked_again]
    assert ours.told == theirs.told == 1
