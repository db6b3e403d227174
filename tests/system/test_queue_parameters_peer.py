"""Parameters of qmgr(8), bounce(8) and their neighbours, one by one beside Debian's Postfix."""

import difflib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fakes.bounces_played import play
from fakes.directories import let_others_in
from fakes.rewriting_play import ZONES
from fakes.rewriting_world import RewritingWorld
from system.queue_parameter_cases import CASES, FILES, MAIN_CF, SERVICES

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RewritingWorld]:
    """Both hosts."""
    let_others_in(tmp_path)
    made = RewritingWorld(tmp_path, MAIN_CF, zones=ZONES, users=("alice", "carol"))
    try:
        for host in made.hosts:
            master = host.file("/etc/postfix/master.cf")
            master.write_text(master.read_text() + SERVICES)
            for path, text in FILES.items():
                host.write(path, text)
        yield made
    finally:
        made.end()


def test_the_same_as_postfix(world: RewritingWorld, subtests: pytest.Subtests) -> None:
    """Of each case: what the log says of its letters, and the reports that come back."""
    for case in CASES:
        world.load(case.main_cf)
        with ThreadPoolExecutor(2) as at_once:
            players = [at_once.submit(play, host, case.letters) for host in world.hosts]
        theirs, ours = (player.result() for player in players)
        for name in theirs | ours:
            with subtests.test(f"{case.name}: {name}"):
                one, other = (_lines(found.get(name, "")) for found in (theirs, ours))
                assert one == other, "\n".join(difflib.ndiff(one, other))


def _lines(text: str) -> list[str]:
    """All, but for what a queue manager says when it starts: it may have been said before the letters are sent."""
    return [line for line in text.split("\n") if " - adjusting " not in line]
