"""local(8)'s and virtual(8)'s parameters beside Debian's Postfix: the same log, reports and files.

Each case is a service of master.cf with settings of its own; all messages are given at once.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from fakes.bounces_played import play, read_differences
from fakes.directories import let_others_in
from fakes.host import Host
from fakes.outbound_world import World
from fakes.postfix_texts import normal_text
from system.mailbox_parameter_cases import CASES, FILES, MAIN_CF, SERVICES, SET_UP, SET_UP_CASES

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The hosts, once for all cases."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    made = World(directory, [], MAIN_CF, files=FILES, services=SERVICES)
    try:
        for host in (made.theirs, made.ours):
            host.output(SET_UP + SET_UP_CASES)
        yield made
    finally:
        made.end()


def test_the_same_as_postfix(world: World, subtests: pytest.Subtests) -> None:
    """Of each case, the log and the report; and what is in the files."""
    with ThreadPoolExecutor(2) as threads:
        theirs, ours = threads.map(lambda host: play(host, CASES), (world.theirs, world.ours))
    known = read_differences(Path(__file__).parent / "mailbox_parameter_differences.txt")
    for name in ("", *(case.name for case in CASES)):
        with subtests.test(name or "warnings"):
            known.compare(name, theirs.get(name, ""), ours.get(name, ""))
    with subtests.test("files"):
        known.compare("files", _files(world.theirs), _files(world.ours))


_PLACES: Final = (
    "/var/out /var/virtual /var/mail /var/boxes /var/stale /var/locked /var/foreign "
    "/home/bob /home/carol /home/bobout"
)


def _files(host: Host) -> str:
    """Owner, mode, place and content of all that was left."""
    said = host.output(
        f"for place in $(find {_PLACES} -type f 2>/dev/null | grep -v dovecot | sort); do "
        'stat -c "== %U %G %a %n" $place; cat $place; done',
    )
    said = re.sub(r"/(new|tmp|cur)/\S+", r"/\1/NAME", normal_text(said))
    said = re.sub(r"(?m)^From (.*?)  \w{3} \w{3} .*", r"From \1 DATE", said)
    said = re.sub(r"\b(id) [0-9A-F]{6,}", r"\1 ID", said)
    files = sorted(re.split(r"(?m)^(?=== )", said))
    return "".join(
        "".join(sorted(re.split(r"(?m)^(?=From )", file))) for file in files
    )  # which come in any order
