"""Random configurations of addresses and routes: what becomes of mail is what Debian's Postfix makes of it.

DESCRIPTION
    RANDOM_WORLDS=first,last plays other seeds than the few that are always played, with more messages each.  Some
    show a difference that is known: addresses that only a test has (`1.2!user`, `"user`, `@site` in headers), which
    quotes a local part with `..` or `!` gets in a header, checks that answer with nothing, the case of a nexthop.
"""

import difflib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.random_rewriting import random_configuration
from fakes.rewriting_play import MAIN_CF, USERS, ZONES, Played, load, prepare
from fakes.rewriting_world import RewritingWorld

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RewritingWorld]:
    """The hosts, once for all seeds."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    made = RewritingWorld(directory, MAIN_CF, zones=ZONES, users=USERS)
    try:
        prepare(made)
        yield made
    finally:
        made.end()


_ALWAYS: Final = (303, 305)


def _worlds() -> Iterator[tuple[int, int]]:
    """Seeds and numbers of messages."""
    wanted = os.environ.get("RANDOM_WORLDS", "")
    if not wanted:
        yield from ((seed, 6) for seed in _ALWAYS)
        return
    first, last = map(int, wanted.split(","))
    yield from ((seed, 14) for seed in range(first, last))


@pytest.mark.parametrize(("seed", "messages"), list(_worlds()))
def test_random_worlds(world: RewritingWorld, seed: int, messages: int, subtests: pytest.Subtests) -> None:
    """Replies, envelopes, contents, reports and what the log says of every message."""
    configuration = random_configuration(seed, messages)
    load(world, configuration)
    with ThreadPoolExecutor(2) as threads:
        played = [Played(world, host, configuration) for host in world.hosts]
        list(threads.map(Played.play, played))
    theirs, ours = (one.results for one in played)
    for name in sorted({*theirs, *ours}):
        with subtests.test(name):
            expected, found = theirs.get(name, ""), ours.get(name, "")
            message = next((repr(one) for one in configuration.messages if one.name == name), name)
            assert expected == found, "\n".join(
                (
                    configuration.settings,
                    message,
                    *difflib.ndiff(expected.split("\n"), found.split("\n")),
                )
            )
