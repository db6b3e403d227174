"""doveadm backup, sync and dsync-server beside Dovecot's: the same is done to copies of the same mail.

No daemon runs.  Dovecot reads both: its doveadm is asked what is in the source and in the copy after each step.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from fakes.doveadm import Doveadm
from fakes.mail_system import until
from pillarbox.net.system_clock import SystemClock
from pillarbox.wire.dsync.states import decode_states

pytestmark = [pytest.mark.system, pytest.mark.peer("dovecot")]

THEIRS: Final = ("/usr/bin/doveadm",)
OURS: Final = (sys.executable, "-m", "pillarbox.tools.doveadm")


class User:
    """A user's mail and a copy, with a configuration for each."""

    def __init__(self, base: Path) -> None:
        base.mkdir()
        self.mail = Doveadm(base)
        self.copy = base / "copy"
        configuration = (base / "dovecot.conf").read_text()
        (base / "copy.conf").write_text(configuration.replace(f"{base}/Maildir", str(self.copy)))

    def do(
        self, *words: str, product: tuple[str, ...] = THEIRS, at_copy: bool = False, content: str = ""
    ) -> int:
        """One command; its exit status."""
        return self.said(*words, product=product, at_copy=at_copy, content=content)[0]

    def said(
        self, *words: str, product: tuple[str, ...] = THEIRS, at_copy: bool = False, content: str = ""
    ) -> tuple[int, str, str]:
        """Exit status, standard output and error, without what differs between two users."""
        base = self.mail.base
        self.mail.give_files()
        done = subprocess.run(
            [*product, "-c", str(base / ("copy.conf" if at_copy else "dovecot.conf")), *words],
            input=content.encode(),
            capture_output=True,
            check=False,
            env={"HOME": str(base), "USER": "tester", "PATH": os.environ["PATH"] + ":/usr/sbin"},
            cwd=base,
        )
        output, errors = (text.decode().replace(str(base), "BASE") for text in (done.stdout, done.stderr))
        return done.returncode, output, errors

    def seen(self) -> list[list[str]]:
        """What Dovecot finds in both: messages, mailboxes, subscriptions."""
        questions = (
            ("-f", "tab", "fetch", "mailbox uid flags guid date.received hdr.subject pop3.uidl", "all"),
            ("mailbox", "status", "messages uidvalidity guid", "*"),
            ("mailbox", "list", "-s"),
        )
        found = []
        for at_copy in (False, True):
            for question in questions:
                status, output, errors = self.said(*question, at_copy=at_copy)
                assert (status, errors) == (0, "")
                found.append(sorted(output.replace("\\Recent", "").replace("  ", " ").splitlines()))
        return found

    def save(self, subject: str, *, at_copy: bool = False, mailbox: str = "INBOX") -> None:
        """A new message."""
        self.do("save", "-m", mailbox, at_copy=at_copy, content=f"Subject: {subject}\n\n{subject}\n")


@pytest.fixture
def users(tmp_path: Path) -> tuple[User, User]:
    """One whose mail Dovecot synchronizes, and one with the same mail, for us."""
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    theirs, ours = User(tmp_path / "theirs"), User(tmp_path / "ours")
    for number in range(1, 6):
        theirs.save(f"hello {number}")
    theirs.do("mailbox", "create", "-s", "Work", "Work/Sub", "Trash", "Entw&APw-rfe")
    theirs.do("copy", "Work", "mailbox", "INBOX", "uid", "1:3")
    theirs.do("flags", "add", "\\Seen $Forwarded", "mailbox", "INBOX", "uid", "2")
    theirs.do("flags", "add", "\\Answered Blue", "mailbox", "Work", "uid", "2")
    theirs.do("expunge", "mailbox", "INBOX", "uid", "5")
    with (theirs.mail.maildir / "dovecot-uidlist").open() as file:
        lines = file.read().replace("\n3 :", "\n3 Pold-id O7 :")
    (theirs.mail.maildir / "dovecot-uidlist").write_text(lines)
    shutil.rmtree(ours.mail.base / "Maildir", ignore_errors=True)
    shutil.copytree(theirs.mail.maildir, ours.mail.maildir, symlinks=True)
    return theirs, ours


def until_later_second() -> None:
    """What is done now has another time than what was done: Dovecot's list of changes has whole seconds.

    Of a subscription made and ended in one second, Dovecot keeps what the other side has.
    """
    now = int(SystemClock().now())
    until(lambda: int(SystemClock().now()) > now, what="the next second")


def comparable(found: list[list[str]]) -> list[list[str]]:
    """Without names and dates of messages, and numbers of mailboxes, that were made by two commands.

    Of two messages that got one UID on two sides, the names of their files say which comes first.
    """
    pattern = r"\d{10}\.M\d+P\d+\.[^\t,]*|(?:There|Here) .*|\t\d{4}-\d\d-\d\d [^\t]*"
    plain = [[re.sub(pattern, "", line) for line in lines] for lines in found]
    return [sorted(re.sub(r"^INBOX\t[78]\t", "INBOX\t7 or 8\t", line) for line in lines) for lines in plain]


def test_both_make_the_same_of_both_sides(users: tuple[User, User]) -> None:
    """A backup, changes on both sides, a two-way synchronization, again; each leaves what Dovecot's leaves."""
    theirs, ours = users
    for user, product in ((theirs, THEIRS), (ours, OURS)):
        assert user.said("backup", f"maildir:{user.copy}", product=product) == (0, "", "")
    before = ours.seen()
    assert before == theirs.seen()
    assert before[:3] == before[3:]
    until_later_second()
    for user, product in ((theirs, THEIRS), (ours, OURS)):
        user.do("expunge", "mailbox", "INBOX", "uid", "1", at_copy=True)
        user.do("expunge", "mailbox", "INBOX", "uid", "3")
        user.save("there", at_copy=True)
        user.save("here")
        user.do("flags", "add", "\\Flagged Green", "mailbox", "INBOX", "uid", "4", at_copy=True)
        user.do("flags", "add", "\\Seen", "mailbox", "INBOX", "uid", "4")
        user.do("flags", "remove", "\\Answered Blue", "mailbox", "Work", "uid", "2")
        user.do("mailbox", "create", "-s", "There", at_copy=True)
        user.do("mailbox", "create", "-s", "Here")
        user.do("mailbox", "delete", "-s", "Trash")
        for _ in range(2):
            assert user.said("sync", f"maildir:{user.copy}", product=product) == (0, "", "")
    found = ours.seen()
    assert comparable(found) == comparable(theirs.seen())
    assert found[:3] == found[3:]


def test_each_reads_and_goes_on_with_what_the_other_wrote(users: tuple[User, User]) -> None:
    """Dovecot brings over what is new since our backup, we what is new since Dovecot's; no UID changes."""
    for user, (first, second) in zip(users, ((THEIRS, OURS), (OURS, THEIRS)), strict=True):
        assert user.said("backup", f"maildir:{user.copy}:LAYOUT=fs", product=first) == (0, "", "")
        user.save("new", mailbox="Work")
        user.do("flags", "add", "\\Deleted", "mailbox", "Work", "uid", "3")
        user.do("mailbox", "rename", "Work/Sub", "Work/Moved")
        assert user.said("backup", f"maildir:{user.copy}:LAYOUT=fs", product=second) == (0, "", "")
        configuration = user.mail.base / "copy.conf"
        configuration.write_text(re.sub(r"/copy\b", "/copy:LAYOUT=fs", configuration.read_text()))
        found = user.seen()
        assert found[:2] == found[3:5]
        assert len(found[0]) == 9


COMMANDS: Final = (
    "backup",
    "backup -1 maildir:BASE/copy",
    "sync --frob maildir:BASE/copy",
    "backup -g 0123 maildir:BASE/copy",
    "backup -t frob maildir:BASE/copy",
    "backup -I frob maildir:BASE/copy",
    "backup -N maildir:BASE/copy",
    "backup -m Work maildir:BASE/a",
    "backup -x Work maildir:BASE/b",
    "backup -O \\Seen maildir:BASE/c",
    "backup -l 5 --sync-max-size 10 maildir:BASE/d",
)


def test_the_same_is_said_of_the_same_commands(users: tuple[User, User]) -> None:
    """Usage, faults, and which mailboxes and messages are chosen."""
    theirs, ours = users
    for line in COMMANDS:
        said = [
            user.said(*line.replace("BASE", str(user.mail.base)).split(), product=product)
            for user, product in ((theirs, THEIRS), (ours, OURS))
        ]
        assert said[1] == said[0], line
    for name in "abcd":
        trees = [
            sorted(
                str(path.relative_to(user.mail.base))
                for path in (user.mail.base / name).rglob("*")
                if path.parent.name in ("cur", "new") or path.name in ("cur", "dovecot-keywords")
            )
            for user in users
        ]
        assert trees[1] == trees[0]
    status, output, errors = ours.said("backup", "tcp:example.org", product=OURS)  # before anything is done
    assert (status, output, errors.count("\n")) == (75, "", 1)
    status, output, errors = ours.said("backup", "-s", "", "/bin/false", product=OURS)
    assert (status, decode_states(output.strip())) == (75, [])
    assert errors.startswith("dsync-local(tester): Error: ")  # of a pipe, whichever end is seen first
    assert not ours.copy.exists()


def program(user: User, product: tuple[str, ...]) -> Path:
    """What leads to a dsync-server of the copy, as ssh leads to another host: without our environment."""
    path = user.mail.base / f"to-{'ours' if product is OURS else 'theirs'}"
    environment = f"HOME={user.mail.base} USER=tester PATH={os.environ['PATH']}:/usr/sbin"
    path.write_text(
        f"#!/bin/sh\nexec env -i {environment} {' '.join(product)} -c {user.mail.base / 'copy.conf'} dsync-server\n"
    )
    path.chmod(0o755)
    return path


def test_with_another_host_the_same_comes_of_it(users: tuple[User, User]) -> None:
    """Dovecot with ours, ours with Dovecot: a backup there and back, changes on both sides, a synchronization."""
    theirs, ours = users
    results = []
    for user, leading, serving in ((theirs, THEIRS, OURS), (ours, OURS, THEIRS)):
        destination = str(program(user, serving))
        user.do("mailbox", "unsubscribe", "Work/Sub")
        assert user.said("backup", destination, product=leading) == (0, "", "")
        shutil.rmtree(user.mail.maildir)
        assert user.said("backup", "-R", destination, product=leading) == (0, "", "")
        found = user.seen()
        assert found[:3] == found[3:]
        assert len(found[0]) == 8
        status, output, errors = user.said("sync", "-s", "", destination, product=leading)
        assert (status, errors) == (0, "")
        assert len(decode_states(output.strip())) == 5
        until_later_second()
        user.do("expunge", "mailbox", "INBOX", "uid", "1", at_copy=True)
        user.do("expunge", "mailbox", "INBOX", "uid", "3")
        user.save("there", at_copy=True)
        user.save("here")
        user.do("flags", "add", "\\Flagged Green", "mailbox", "INBOX", "uid", "4", at_copy=True)
        user.do("flags", "add", "\\Seen", "mailbox", "INBOX", "uid", "4")
        user.do("mailbox", "rename", "Work/Sub", "Work/Moved", at_copy=True)
        user.do("mailbox", "create", "-s", "Here")
        user.do("mailbox", "delete", "-s", "Trash")
        status, _, errors = user.said("sync", "-s", output.strip(), destination, product=leading)
        assert (status, errors) == (0, "")
        found = user.seen()
        assert found[:3] == found[3:]
        results.append(comparable(found))
    assert results[0] == results[1]
