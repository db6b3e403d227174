"""A tree that Dovecot has made and used is served by us, and given back: clients notice nothing.

DESCRIPTION
    Dovecot makes thousands of messages with flags, keywords, nested and non-ASCII folders and subscriptions.
    What its IMAP and POP3 servers say of the tree, ours say too; then each changes it and the other is asked,
    twice round.  A client of mbsync that has synchronised with Dovecot synchronises with us, and fetches no
    message again.
"""

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.counterparts import is_here
from fakes.doveadm import Doveadm
from fakes.imap_exchanges import DovecotImap, PillarboxImap, give, owner
from fakes.mail_system import PATIENCE, USER, MailSystem
from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.sessions.pop3_session import Pop3Session

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(10 * PATIENCE),
    pytest.mark.peer("dovecot"),
    pytest.mark.skipif(not Doveadm.is_installed(), reason="doveadm is not installed"),
]
MESSAGES: Final = 12_000
FOLDERS: Final = {b"Archive/2024": 7_500, b"Entw&APw-rfe": 20, b'"Lists/a b"': 475, b"Archive/2024/old": 5}
"""20,000 in all."""
MANY_KEYWORDS: Final = b" ".join(b"keyword-%d" % number for number in range(40))
"""More than file names have letters for: Dovecot has the rest in its index only."""
_ANSWER: Final = re.compile(rb"\([0-9. +]+ secs\)\.| ?\\(?:Un)?[Mm]arked")
"""What is not compared: times, and LIST's hints of new mail (RFC 3501 §7.2.2)."""
_PROGRESS: Final = re.compile(rb"\* OK (?:Hang in there\.\.|Searched \d+% of the mailbox)")
"""What Dovecot says when an answer takes it more than ten seconds."""
View = dict[bytes, list[bytes]]
"""Command → the lines of its answer, sorted."""


def message(folder: str, number: int) -> bytes:
    """A small message that is like no other."""
    return (
        f"From: s{number % 17}@example.org\nTo: me@pillarbox.test\nSubject: {folder} {number}\n"
        f"Message-ID: <{folder}.{number}@example.org>\n\nbody {number}\n"
    ).encode()


def fill(directory: Path, folder: str, count: int) -> None:
    """Messages as a delivery agent leaves them."""
    for name in ("cur", "new", "tmp"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        content = message(folder, number)
        size, wire = len(content), len(content) + content.count(b"\n")
        path = directory / "new" / f"{1_700_000_000 + number}.M{number}P1.host,S={size},W={wire}"
        path.write_bytes(content)
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))


def use(say: "Say") -> None:
    """What a user does in a year."""
    for line in (
        b"x SELECT INBOX",
        b"x STORE 1:4000 +FLAGS.SILENT (\\Seen)",
        b"x STORE 100:200 +FLAGS.SILENT (\\Flagged $Label1 Work)",
        b"x STORE 150:160 +FLAGS.SILENT (\\Answered $Forwarded)",
        b"x STORE 500:520 +FLAGS.SILENT (\\Deleted)",
        b"x EXPUNGE",
        b"x UID COPY 10:20 Archive/2024",
        b"x UID MOVE 21:30 Entw&APw-rfe",
        b'x APPEND INBOX (\\Draft NonJunk) "01-Feb-2024 10:00:00 +0100" {5+}\r\nA: b\n',
        b"x CREATE Empty/child",
        b"x SUBSCRIBE Archive/2024",
        b"x SUBSCRIBE Entw&APw-rfe",
        b'x SELECT "Lists/a b"',
        b"x STORE 1:* +FLAGS.SILENT (list-keyword \\Seen)",
        b"x STORE 3:9 +FLAGS.SILENT (%b)" % MANY_KEYWORDS,
        b"x STORE 5:6 -FLAGS.SILENT (keyword-30 keyword-3)",
        b"x CLOSE",
    ):
        answer = say(line)
        assert b"\r\nx OK" in b"\r\n" + answer, (line, answer)


class Say:
    """One side of the comparison."""

    def __init__(self, base: Path) -> None:
        self.base = base

    def __call__(self, line: bytes) -> bytes:
        """The answer to a command."""
        raise NotImplementedError

    def uidl(self) -> list[bytes]:
        """POP3's unique ids."""
        raise NotImplementedError


class Theirs(Say):
    """Dovecot."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        give(base)
        for name in ("run", "state"):
            shutil.rmtree(base / name, ignore_errors=True)
        self._imap = DovecotImap(base, patience=60)

    def __call__(self, line: bytes) -> bytes:
        return self._imap.say(line)

    def uidl(self) -> list[bytes]:
        self._imap.close()
        uid, gid = owner()
        prefix = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"] if os.getuid() == 0 else []
        done = subprocess.run(
            [*prefix, "doveadm", "-c", str(self.base / "dovecot.conf"), "exec", "pop3"],
            input=b"UIDL\r\nQUIT\r\n",
            capture_output=True,
            check=False,
            cwd=self.base,
            env={"USER": "tester", "HOME": str(self.base), "PATH": os.environ["PATH"] + ":/usr/sbin"},
            timeout=PATIENCE,
        )
        return [line for line in done.stdout.split(b"\r\n") if line[:1].isdigit()]

    def close(self) -> None:
        """End the process."""
        self._imap.close()


async def ours_says(base: Path, lines: list[bytes]) -> list[bytes]:
    """Our answers to commands, one session."""
    async with asyncio.TaskGroup() as tasks:
        server = PillarboxImap(base, tasks)
        answers = [await server.say(line) for line in lines]
        await server.close()
    return answers


class Ours(Say):
    """Pillarbox; each command in a new process's place: nothing is remembered but what is on disk."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self._lines: list[bytes] = []

    def __call__(self, line: bytes) -> bytes:
        words = line.split(b" ")
        if words[1] in (b"SELECT", b"EXAMINE"):
            self._lines = []
        answer = asyncio.run(ours_says(self.base, [*self._lines, line]))[-1]
        if words[1] in (b"SELECT", b"EXAMINE"):
            self._lines = [line]
        elif words[1] == b"UNSELECT":
            self._lines = []
        return answer

    def uidl(self) -> list[bytes]:
        async def talk() -> bytes:
            account = MaildirAccount(str(self.base / "Maildir"))
            client = ScriptedTransport([b"UIDL\r\nQUIT\r\n"])
            await Pop3Session(client, account, sink=lambda event: None).run()
            await account.close()
            return bytes(client.sent)

        return [line for line in asyncio.run(talk()).split(b"\r\n") if line[:1].isdigit()]


def view(say: Say) -> View:
    """All that clients rely on."""
    seen: View = {}

    def ask(line: bytes) -> None:
        answer = _ANSWER.sub(b"", say(line)).replace(b" \\Recent", b"").replace(b"\\Recent", b"")
        lines = [part for part in answer.split(b"\r\n") if part and b" RECENT" not in part]
        lines = [part for part in lines if not _PROGRESS.match(part)]
        seen[line] = sorted(line for line in lines if b"HIGHESTMODSEQ" not in line)

    say(b"x UNSELECT")
    ask(b'x LIST "" "*"')
    ask(b'x LSUB "" "*"')
    for folder in (b"INBOX", *FOLDERS, b"Empty/child"):
        ask(b"x STATUS %b (MESSAGES UIDNEXT UIDVALIDITY UNSEEN SIZE)" % folder)
        say(b"x EXAMINE %b" % folder)
        seen[folder] = []
        ask(b"x UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)")
        seen[folder] = seen.pop(b"x UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)")
        say(b"x UNSELECT")
    return seen


def compare(theirs: View, ours: View) -> None:
    """Equal, with the first difference if not."""
    assert theirs.keys() == ours.keys()
    for line, expected in theirs.items():
        if expected != ours[line]:
            missing = [part for part in expected if part not in set(ours[line])]
            more = [part for part in ours[line] if part not in set(expected)]
            raise AssertionError(
                f"{line!r}: {len(missing)} missing, {len(more)} more: {missing[:3]} {more[:3]}"
            )


@pytest.fixture(scope="module")
def used_tree() -> Iterator[Path]:
    """A directory whose Maildir Dovecot has made and used."""
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        base.chmod(0o755)
        maildir = base / "Maildir"
        fill(maildir, "INBOX", MESSAGES)
        say = Theirs(base)
        for folder, count in FOLDERS.items():
            assert b"x OK" in say(b"x CREATE " + folder)
            fill(maildir / ("." + folder.decode().strip('"').replace("/", ".")), folder.decode(), count)
        give(maildir)
        use(say)
        say.close()
        yield base


def link_or_copy(source: str, target: str) -> None:
    """Messages are never written again, so that one file serves several trees."""
    if os.path.basename(os.path.dirname(source)) in ("cur", "new"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


@pytest.fixture
def tree(used_tree: Path) -> Iterator[Path]:
    """A copy of it for one test, with the times of the files."""
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory) / "user"
        shutil.copytree(used_tree, base, copy_function=link_or_copy)
        Path(directory).chmod(0o755)
        base.chmod(0o755)
        yield base


def test_nothing_changes_when_the_server_does(tree: Path) -> None:
    """UIDs, UIDVALIDITY, flags, keywords, dates, sizes, names, subscriptions, UIDLs; twice round."""
    dovecot = Theirs(tree)
    before = view(dovecot)
    uidl = dovecot.uidl()
    assert len(uidl) == MESSAGES - 21 - 10 + 1
    ours = Ours(tree)
    compare(before, view(ours))
    assert uidl == ours.uidl()
    for turn in range(2):
        for line in (
            b"x STORE 1:50 +FLAGS.SILENT (\\Flagged From-Us-%d)" % turn,
            b"x UID COPY 40:45 Entw&APw-rfe",
            b"x UID MOVE %d:%d Archive/2024" % (60 + turn, 62 + turn),
        ):
            ours(b"x SELECT INBOX")
            assert b"x OK" in ours(line), line
        assert b"x OK" in ours(
            b'x APPEND "Lists/a b" (\\Seen list-keyword) "05-Mar-2024 10:00:00 +0000" {5+}\r\nA: b\n'
        )
        assert b"x OK" in ours(b"x SUBSCRIBE Empty/child" if turn else b"x UNSUBSCRIBE Archive/2024")
        dovecot = Theirs(tree)
        after = view(ours)
        compare(after, view(dovecot))
        assert dovecot.uidl() == ours.uidl()
        dovecot = Theirs(tree)
        for line in (
            b"x SELECT INBOX",
            b"x STORE 70:90 -FLAGS.SILENT (\\Seen)",
            b"x STORE 70:90 +FLAGS.SILENT (Theirs-%d)" % turn,
            b"x STORE 5 +FLAGS.SILENT (\\Deleted)",
            b"x EXPUNGE",
            b"x UID COPY 100:110 Archive/2024/old",
            b'x SELECT "Lists/a b"',
            b"x STORE %d -FLAGS.SILENT (keyword-35 keyword-1)" % (7 + turn),
            b"x STORE 20 +FLAGS.SILENT (keyword-%d)" % (36 + turn),
            b"x UNSELECT",
        ):
            assert b"x OK" in dovecot(line), line
        compare(view(dovecot), view(ours))
        dovecot.close()


def told_by_qresync(tree: Path, validity: bytes, modseq: bytes) -> tuple[set[int], list[bytes], bytes]:
    """UIDs of FETCH, ranges of VANISHED and HIGHESTMODSEQ, of our answer to a client that knows that much."""
    select = b"x SELECT INBOX (QRESYNC (%b %b))" % (validity, modseq)
    answer = asyncio.run(ours_says(tree, [b"x ENABLE QRESYNC", select]))[1]
    uids = {int(uid) for uid in re.findall(rb"FETCH \(UID (\d+) ", answer)}
    assert len(uids) == len(re.findall(rb"\* \d+ FETCH ", answer))
    [highest] = re.findall(rb"HIGHESTMODSEQ (\d+)", answer)
    return uids, re.findall(rb"VANISHED \(EARLIER\) ([0-9:,]+)", answer), highest


def test_a_client_of_qresync_keeps_what_it_has(tree: Path) -> None:
    """It knows Dovecot's UIDVALIDITY and MODSEQ: it hears of nothing, and later of what has changed since."""
    dovecot = Theirs(tree)
    dovecot(b"x ENABLE QRESYNC")
    selected = dovecot(b"x SELECT INBOX")
    [validity] = re.findall(rb"UIDVALIDITY (\d+)", selected)
    [modseq] = re.findall(rb"HIGHESTMODSEQ (\d+)", selected)
    there = {int(uid) for uid in re.findall(rb"UID (\d+)", dovecot(b"x UID FETCH 1:* (UID)"))}
    dovecot(b"x UNSELECT")
    assert told_by_qresync(tree, validity, modseq) == (set(), [], modseq)
    # What Dovecot has changed since, before we took over for good, and what we have.
    (tree / "Maildir" / "pillarbox.cache").unlink(missing_ok=True)
    for path in (tree / "Maildir").glob("pillarbox*"):
        path.unlink()
    dovecot(b"x SELECT INBOX")
    assert b"x OK" in dovecot(b"x UID STORE 2000:2010 -FLAGS.SILENT (\\Seen)")
    assert b"x OK" in dovecot(b"x UID STORE 2020 +FLAGS.SILENT (\\Deleted)")
    assert b"x OK" in dovecot(b"x EXPUNGE")
    dovecot.close()
    ours = Ours(tree)
    uids, vanished, highest = told_by_qresync(tree, validity, modseq)
    assert uids == set(range(2000, 2011))
    assert int(highest) > int(modseq)
    gone = {
        uid
        for part in b",".join(vanished).split(b",")
        for low, _, high in [part.partition(b":")]
        for uid in range(int(low), int(high or low) + 1)
    }
    assert 2020 in gone
    assert gone.isdisjoint(there - {2020})
    ours(b"x SELECT INBOX")
    assert b"x OK" in ours(b"x UID STORE 2030 -FLAGS.SILENT (\\Seen)")
    assert told_by_qresync(tree, validity, highest)[0] == {2030}


@pytest.mark.peer("mbsync")
@pytest.mark.skipif(not is_here("mbsync"), reason="mbsync is not installed")
def test_mbsync_fetches_nothing_twice(tree: Path, tmp_path: Path) -> None:
    """It has synchronised with Dovecot; with us it finds all as it was."""
    uid, gid = owner()
    prefix = f"setpriv --reuid={uid} --regid={gid} --clear-groups " if os.getuid() == 0 else ""
    tunnel = (
        f"cd {tree} && USER=tester HOME={tree} exec {prefix}/usr/bin/doveadm -c {tree}/dovecot.conf exec imap"
    )
    channel = (
        f"IMAPStore far\nAccount a\n\nMaildirStore near\nPath {tmp_path}/local/\nInbox {tmp_path}/local/INBOX\n"
        "SubFolders Verbatim\n\nChannel both\nFar :far:\nNear :near:\n"
        'Patterns INBOX Archive/2024 "Lists/a b"\nCreate Near\nSyncState *\n'
    )
    (tmp_path / "local").mkdir()
    settings = tmp_path / "mbsyncrc"
    settings.write_text(f'FSync no\n\nIMAPAccount a\nTimeout 300\nTunnel "{tunnel}"\n\n{channel}')
    mbsync(settings, tmp_path)
    before = sorted(path.name for path in (tmp_path / "local").rglob("*,U=*"))
    assert len(before) > MESSAGES
    system = MailSystem(rootless=True)
    try:
        system.make_home()
        maildir = system.maildir(USER)
        shutil.rmtree(maildir, ignore_errors=True)
        shutil.copytree(tree / "Maildir", maildir, copy_function=link_or_copy)
        shutil.chown(maildir, *system_owner(system))
        for path in maildir.rglob("*"):
            shutil.chown(path, *system_owner(system))
        system.start()
        password = system.password
        port = system.port("imap")
        settings.write_text(
            f'FSync no\n\nIMAPAccount a\nTimeout 300\nHost 127.0.0.1\nPort {port}\nUser {USER}\nPass "{password}"\nSSLType None\n'
            f"AuthMechs LOGIN\n\n{channel}"
        )
        said = mbsync(settings, tmp_path, "-DN")
        assert re.search(r"> \d+ UID FETCH ", said), said[-2000:]
        assert not re.search(r"> \d+ (?:UID STORE|UID COPY|APPEND|EXPUNGE|UID FETCH .*BODY)", said)
        assert before == sorted(path.name for path in (tmp_path / "local").rglob("*,U=*"))
        assert system.stop() == 0
    finally:
        system.end()


def system_owner(system: MailSystem) -> tuple[int, int]:
    """Whom the system's own files belong to."""
    status = system.data.stat()
    return status.st_uid, status.st_gid


def mbsync(settings: Path, home: Path, *options: str) -> str:
    """One run; what it says."""
    done = subprocess.run(
        ["mbsync", "-c", str(settings), *options, "both"],
        capture_output=True,
        check=False,
        env={**os.environ, "HOME": str(home)},
        timeout=5 * PATIENCE,
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, said[-3000:]
    return said
