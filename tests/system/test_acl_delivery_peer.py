"""Access lists and mail that is delivered into mailboxes by name: LMTP and dovecot-lda beside Debian's Dovecot."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

import pytest

from fakes.dovecot_pair import Server, dovecot_pair
from fakes.mail_system import until
from system.test_acl_peer import SETTINGS

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

DELIVERY: Final = (
    SETTINGS.replace("protocols = imap", "protocols = imap lmtp")
    + """\
recipient_delimiter = +
lmtp_save_to_detail_mailbox = yes
"""
)
OWN: Final = {
    "all": "owner lrwstipekxa\n",
    "no-post": "owner lrwstie\n",
    "post": "owner p\n",
    "taken": "owner lrwstipekxa\n-owner p\n",
    "hidden": "owner i\n",
    "me": "user=me lrp\n",
    "anyone": "anyone lr\n",
    "others": "user=you lrwstipekxa\n",
    "plain": "",
}
PUBLIC: Final = {
    "post": "user=me p\n",
    "seen": "user=me lrp\n",
    "insert": "user=me lri\n",
    "anyone": "anyone lp\n",
    "others": "user=you lrwstipekxa\n",
    "above": "user=me lrk\n",
    "fixed": "user=me lr\n",
}
MESSAGE: Final = b"Subject: x\nMessage-ID: <a@b>\n\nbody\n"
NAMES: Final = (*OWN, *(f"Public/{name}" for name in PUBLIC), "nosuch", "INBOX", "Public/nosuch", "a//b")
MADE: Final = ("new", "no-post/new", "Public/above/new", "Public/fixed/new")
"""With lda_mailbox_autocreate."""


def prepare(server: Server) -> None:
    """Mailboxes and their lists."""
    talk = server.imap("me")
    for name in OWN:
        talk.say(b"CREATE " + name.encode())
    talk.close()
    public = server.base / "home" / "public"
    for name, text in PUBLIC.items():
        for part in ("cur", "new", "tmp"):
            (public / f".{name}" / part).mkdir(parents=True)
        (public / f".{name}" / "dovecot-acl").write_text(text)
    made = [public, *public.rglob("*")]
    for name, text in OWN.items():
        if text:
            made.append(server.home() / "Maildir" / f".{name}" / "dovecot-acl")
            made[-1].write_text(text)
    for path in made:  # whoever served the session may still be writing files of his own
        shutil.chown(path, "nobody", "nogroup")


def stored(server: Server) -> dict[str, int]:
    """How many messages lie where."""
    found: dict[str, int] = {}
    for path in server.base.joinpath("home").rglob("*"):
        if path.is_file() and path.parent.name in ("new", "cur"):
            place = str(path.parent.parent.relative_to(server.base))
            found[place] = found.get(place, 0) + 1
    return found


def told(server: Server) -> list[str]:
    """What the log says of messages, without ids."""
    found = re.findall(r"(?:lmtp|lda)\(me\)<\d+><[^>]*>: Info: (.*)", server.log())
    return [line for line in found if "msgid" in line]


def told_of(server: Server, deliveries: int) -> list[str]:
    """The same when so many have been told: Dovecot's log is written by another process."""
    until(
        lambda: sum("saved mail" in line for line in told(server)) >= deliveries,
        what=lambda: f"{deliveries} deliveries:\n{server.log()}",
    )
    return told(server)


def lda(server: Server, *words: str) -> tuple[int, str]:
    """dovecot-lda for me."""
    program = ["/usr/lib/dovecot/dovecot-lda"]
    if server.name == "ours":
        program = [sys.executable, "-m", "pillarbox.tools.dovecot_lda"]
    command = [*program, "-c", str(server.configuration), "-d", "me", *words]
    done = subprocess.run(command, input=MESSAGE, capture_output=True, check=False, timeout=60)
    return done.returncode, done.stderr.decode()


@pytest.fixture
def pair() -> Iterator[tuple[Server, Server]]:
    """(ours, theirs), with lists."""
    with dovecot_pair(DELIVERY) as servers:
        for server in servers:
            prepare(server)
            (server.base / "log").touch()
            (server.base / "log").chmod(0o666)
        yield servers


def test_who_may_post(pair: tuple[Server, Server]) -> None:
    """The right `p` decides; what may not be posted goes into INBOX, which takes everything."""
    said, logs, places, made = [], [], [], []
    for server in pair:
        said.append([server.lmtp(MESSAGE, to=[f"me+{name}"]) for name in NAMES])
        inbox = server.home() / "Maildir" / "dovecot-acl"
        inbox.write_text("owner lr\n")
        shutil.chown(inbox, "nobody", "nogroup")
        said[-1] += [server.lmtp(MESSAGE, to=[to]) for to in ("me", "me+no-post")]
        logs.append(told_of(server, sum("250 " in reply for replies in said[-1] for reply in replies)))
        places.append(stored(server))
        options = ("-o", "lda_mailbox_autocreate=yes", "-m")
        made.append(
            [lda(server, *options, name) for name in (*MADE, "no-post", "Public/insert", "Public/seen")]
        )
    assert said[0] == said[1]
    assert logs[0] == logs[1]
    assert places[0] == places[1]
    assert made[0] == made[1]
    assert told(pair[0]) == told(pair[1])
    assert stored(pair[0]) == stored(pair[1])
    assert stored(pair[0])["home/public/.post"] == 1
    assert "home/public/.insert" not in stored(pair[0])
