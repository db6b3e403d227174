"""Parameters of cleanup(8) one by one beside Debian's Postfix: each case is a service with values of its own.

What is compared: replies, log lines and the queue file.
"""

import difflib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakes.held_mail import Holder
from fakes.smtp_server_pair import Server, both_servers
from system.cleanup_parameter_cases import CASES, SETTINGS, Case

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix")]


def _play(holder: Holder, server: Server) -> dict[str, str]:
    def one(case: Case) -> str:
        return "\n\n".join([holder.send(letter, server.port(case.name)) for letter in case.letters])

    with ThreadPoolExecutor(4) as at_once:
        replies = list(at_once.map(one, CASES))
    server.sessions += sum(len(case.letters) for case in CASES)
    server.until_idle()
    return {
        case.name: "\n\n".join(holder.told(said) for said in of_case.split("\n\n"))
        for case, of_case in zip(CASES, replies, strict=True)
    }


@pytest.mark.skipif(os.getuid() != 0, reason="a second Postfix is started by root only")
def test_the_same_as_postfix(subtests: pytest.Subtests) -> None:
    """What the client hears, what the log says and what is in the queue."""
    services = {case.name: case.service for case in CASES}
    further = "".join(["trace unix - - n - 0 bounce\n", *(case.cleanup for case in CASES)])
    with both_servers(SETTINGS, services, further=further) as (theirs, ours):
        holders = [Holder(server.queue / "hold", server.log) for server in (theirs, ours)]
        with ThreadPoolExecutor(2) as at_once:
            found, own = at_once.map(_play, holders, (theirs, ours))
    for case in CASES:
        with subtests.test(case.name):
            one, other = found[case.name].split("\n"), own[case.name].split("\n")
            assert one == other, "\n".join(difflib.ndiff(one, other))
