"""Three IMAP clients and another program at random in the same mailboxes, with our server and Debian's Dovecot.

DESCRIPTION
    What may differ stands in `imap_clients_differences.txt`, one rule a line.  `IMAP_CLIENTS=FIRST,END` plays other
    seeds; of a play that differs the few steps are shown that are enough for it.
"""

import itertools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from fakes.dovecot_pair import Server, dovecot_pair
from fakes.imap_clients import Difference, Play, difference, rules, shrunk
from fakes.random_imap_clients import Step, random_play

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

_LIST: Final = Path(__file__).with_name("imap_clients_differences.txt")
_SETTINGS: Final = """\
protocols = imap
mail_location = maildir:~/Maildir
mail_plugins = acl quota
mail_attribute_dict = file:~/Maildir/dovecot-attributes
imap_metadata = yes
protocol imap {
  mail_plugins = $mail_plugins imap_acl imap_quota imap_zlib
  mail_max_userip_connections = 0
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Sent {
    special_use = \\Sent
  }
}
plugin {
  acl = vfile
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=30K
}
"""
_USERS: Final = itertools.count()


def played(pair: Sequence[Server], steps: Sequence[Step]) -> Difference | None:
    """By a user who has no mail yet, on both."""
    user = f"user{next(_USERS)}"
    try:
        plays = [Play(server.port, user, server.home(user)) for server in pair]
        return difference(plays, steps, rules(_LIST.read_text(encoding="utf-8")))
    finally:
        for server in pair:
            shutil.rmtree(server.home(user), ignore_errors=True)


def report(pair: Sequence[Server], steps: Sequence[Step], found: Difference) -> str:
    """The few steps, and what is said to the last."""

    def fails(fewer: Sequence[Step]) -> bool:
        again = played(pair, fewer)
        return again is not None and again.step == found.step

    few = shrunk(steps[: found.number + 1], fails)
    said = "".join(f"{step.client}: {step.line!r}\n" for step in few)
    return f"{said}ours:    {found.ours!r}\nDovecot: {found.theirs!r}"


def test_random_plays_are_those_of_dovecot() -> None:
    """Each client knows the same in the end of each command, but for what a rule allows."""
    first, end = map(int, os.environ.get("IMAP_CLIENTS", "0,3").split(","))
    with dovecot_pair(_SETTINGS) as pair:
        reports = [
            f"seed {seed}\n{report(pair, steps, found)}"
            for seed in range(first, end)
            if (found := played(pair, steps := random_play(seed))) is not None
        ]
    assert not reports, "\n\n".join(reports)
