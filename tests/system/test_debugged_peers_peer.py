"""What an admin asks the log to tell: SMTP sessions line by line, and each step of a destination's window.

The same settings and the same mail on Debian's host and on ours; the lines are compared.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.host import Host
from fakes.random_rewriting import RandomConfiguration, RandomMessage
from fakes.rewriting_play import MAIN_CF, USERS, ZONES, Played, load, prepare
from fakes.rewriting_world import RewritingWorld

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

_SETTINGS: Final = """\
debug_peer_list = 127.0.0.1, out.test, inline:{mx2.here.test=x}
destination_concurrency_feedback_debug = yes
smtp_dns_resolver_options = res_defnames, res_dnsrch
smtp_destination_concurrency_positive_feedback = 1/concurrency
smtp_destination_concurrency_limit = 4
tcp_windowsize = 30000
append_dot_mydomain = no
smtp_destination_recipient_limit = 1
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RewritingWorld]:
    """Both hosts."""
    let_others_in(tmp_path)
    made = RewritingWorld(tmp_path, MAIN_CF, zones=ZONES, users=USERS)
    try:
        prepare(made)
        for host in made.hosts:
            resolv = host.output("cat /etc/resolv.conf")
            host.write("/etc/resolv.conf", "search here.test out.test\n" + resolv)
        yield made
    finally:
        made.end()


def _messages() -> tuple[RandomMessage, ...]:
    rows = (("a@out.test", "refused@out.test"), ("a@other.test",), ("a@sub",), ("a@relay.test", "b@box.test"))
    return tuple(
        RandomMessage(
            name=f"m{at}",
            local=False,
            sender="s@out.test",
            recipients=tuple(f"<{one}>" for one in recipients),
            content=b"Message-ID: <m%d@x.test>\nX-Row: m%d.\nSubject: x\n\nhello\n" % (at, at),
        )
        for at, recipients in enumerate(rows)
    )


def _said(host: Host, log: str) -> dict[str, list[str]]:
    """The lines of sessions, in order for each peer; ids, dates and sizes left out."""
    found: dict[str, list[str]] = {}
    for program, direction, peer, line in re.findall(
        r"postfix/(smtpd?)\[\d+\]: ([<>]) (\S+?\[\S+?\](?::\d+)?): (.*)", log
    ):
        line = re.sub(r"queued as \S+|SIZE=\d+|SIZE \d+", "ID", line)
        found.setdefault(f"{program} {peer}", []).append(f"{direction} {line}")
    return found


def test_sessions_in_the_log(world: RewritingWorld) -> None:
    """Of clients and servers by address, by destination and by name, and of nobody else."""
    configuration = RandomConfiguration(settings=_SETTINGS, files={}, messages=_messages(), queries=())
    load(world, configuration)
    said, windows, results = [], [], []
    for host in world.hosts:
        one = Played(world, host, configuration)
        one.play()
        log = world.of_theirs(one.log())
        said.append(_said(host, log))
        windows.append(sorted(re.findall(r"qmgr\[\d+\]: (qmgr_queue_\w+: .*)", log)))
        results.append({name: text for name, text in one.results.items() if name.startswith("m")})
    theirs, ours = said
    for peer in sorted({*theirs, *ours}):
        assert sorted(theirs.get(peer, ())) == sorted(ours.get(peer, ())), peer  # messages in any order
    assert {"smtpd unknown[127.0.0.1]", "smtp mx.here.test[10.53.0.20]:25"} <= theirs.keys()
    assert windows[0] == windows[1]
    assert len(windows[0]) > 6
    assert results[0] == results[1]


def test_a_window_of_octets(world: RewritingWorld) -> None:
    """tcp_windowsize is what the kernel is told of sockets that listen; it keeps twice as much."""
    load(world, RandomConfiguration(settings=_SETTINGS, files={}, messages=(), queries=()))
    host = world.hosts[1]
    listening = host.output("ss -Hltnm sport = :25")
    assert set(re.findall(r"\brb(\d+)", listening)) == {"60000"}
    assert set(re.findall(r"\btb(\d+)", listening)) == {"60000"}
