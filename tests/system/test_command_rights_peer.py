"""Who may list, flush and submit: the commands as several users, beside Debian's Postfix.

Exit status and what is said are compared.
"""

import re
import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.host import Host
from fakes.rewriting_world import RewritingWorld

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

_MAIN_CF: Final = """\
compatibility_level = 3.6
myhostname = mail.here.test
mydomain = here.test
myorigin = here.test
mydestination = mail.here.test, here.test
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
recipient_delimiter = +
maillog_file = /var/log/mail.log
notify_classes =
default_transport = discard:
local_transport = discard:
fast_flush_domains = here.test
authorized_mailq_users = !alice, inline:{ {carol = x} }, bob
authorized_flush_users = !bob, static:all
authorized_submit_users = !carol, static:all
local_login_sender_maps = inline:{
  { alice = alice@here.test, @own.test, alice@sub.test }
  { bob = * }
  { dave = <> }
  }
"""
_LISTING: Final = ("mailq", "postqueue -j", "sendmail -bp")
_FLUSHING: Final = (
    "postqueue -f",
    "postqueue -s here.test",
    "postqueue -i A0000000001",
    "sendmail -q",
    "sendmail -qRhere.test",
    "sendmail -qIA0000000001",
)
_SUBMITTING: Final = ("sendmail -bv x@there.test", "sendmail -bs </dev/null", "sendmail x@there.test")
_SENDERS: Final = (
    "alice@here.test", "ALICE@Here.Test", "alice+x@here.test", "any@own.test", "alice@sub.test", "x@sub.test", "bob@here.test", "", "<>",
    "alice",
)  # fmt: skip
COMMANDS: Final = {
    "alice": (
        *_LISTING,
        *_FLUSHING,
        *_SUBMITTING,
        *(f"sendmail -f '{sender}' x@there.test" for sender in _SENDERS),
    ),
    "bob": (*_LISTING, *_FLUSHING, *_SUBMITTING, "sendmail -f any@there.test x@there.test"),
    "carol": (_LISTING[0], _FLUSHING[0], *_SUBMITTING),
    "dave": (*_LISTING, "sendmail -f '' x@there.test", "sendmail x@there.test"),
    "root": (_LISTING[0], _FLUSHING[0], *_SUBMITTING, "sendmail -f '' x@there.test"),
}
"""By user."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RewritingWorld]:
    """The hosts."""
    directory = tmp_path_factory.mktemp("hosts")
    let_others_in(directory)
    made = RewritingWorld(
        directory, _MAIN_CF.replace("%", "%%"), users=tuple(user for user in COMMANDS if user != "root")
    )
    try:
        yield made
    finally:
        made.end()


def _say(host: Host, user: str, line: str) -> str:
    stdin = "" if "</dev" in line else "printf 'Subject: x\\n\\nbody\\n' | "
    inside = shlex.quote(f"PATH={host.path}; {stdin}{line}")
    done = host.run(f"cd /; setpriv --reuid={user} --regid={user} --clear-groups sh -c {inside}")
    said = "" if line in _LISTING and not done.returncode else done.stdout  # other mail is on its way
    return re.sub(r"\(\d+\)", "(UID)", f"{user}: {line}: {done.returncode} {said}{done.stderr}")


def test_the_same_as_postfix(world: RewritingWorld) -> None:
    """Each command of each user; both at once, for Postfix's commands wait for a second after each fatal error."""
    rows = [(user, line) for user, lines in COMMANDS.items() for line in lines]

    def both(row: tuple[str, str]) -> tuple[str, str]:
        theirs, ours = (_say(host, *row) for host in world.hosts)
        return theirs, ours

    with ThreadPoolExecutor(16) as at_once:
        found = list(at_once.map(both, rows))
    different = [f"{theirs}\n--- ours: {ours}" for theirs, ours in found if theirs != ours]
    assert not different, "\n".join(different)
