"""Dovecot changes a mailbox between two of our workers: the second, that goes on from what the first has written
down, tells what Dovecot tells.

DESCRIPTION
    Dovecot has its index in memory only, so that nothing but the Maildir, dovecot-uidlist and dovecot-keywords says
    what it has done; with an index on the disk everything would be read anew.
"""

import asyncio
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.doveadm import Doveadm
from fakes.imap_exchanges import DovecotImap, give, owner
from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.cache.snapshot_format import Snapshot
from pillarbox.mailstore.maildir import mailbox as maildir_mailbox
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.folder_snapshots import go_on_from
from pillarbox.sessions.imap.options import ImapOptions
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock

pytestmark = [
    pytest.mark.system,
    pytest.mark.peer("dovecot"),
    pytest.mark.skipif(not Doveadm.is_installed(), reason="doveadm is not installed"),
]
STATUS = b"STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)"
_FLAGS = re.compile(rb"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\)\)")
# what Dovecot is told
MEANWHILE: list[list[bytes]] = [
    [b"NOOP"],
    [b"STORE 2:3 +FLAGS.SILENT (\\Flagged $Label1)"],
    [b"APPEND INBOX (\\Draft) {4+}\r\na: b"],
    [b"STORE 4 FLAGS.SILENT (Other)", b"STORE 1 +FLAGS.SILENT (\\Deleted)", b"EXPUNGE"],
    [b"STORE 1:25 +FLAGS.SILENT (\\Deleted)", b"EXPUNGE"],
    [b"APPEND INBOX (\\Seen Third) {4+}\r\nc: d", b"STORE 1:* -FLAGS.SILENT (\\Flagged)"],
]


@pytest.fixture
def base() -> Iterator[Path]:
    """A Maildir of forty messages in new/, in a directory that its user may enter."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        os.chmod(path, 0o755)
        for name in ("cur", "new", "tmp"):
            (path / "Maildir" / name).mkdir(parents=True)
        for number in range(40):
            name = f"{1_700_000_000 + number}.M{number}P1.host,S=14,W=16"
            (path / "Maildir" / "new" / name).write_bytes(b"Subject: x\n\nx\n")
        yield path


def give_ours(base: Path) -> None:
    """What we have made, perhaps as root, to whom Dovecot works for."""
    for path in base.rglob("*"):
        if path.lstat().st_uid != owner()[0]:
            os.chown(path, *owner(), follow_symlinks=False)


def told(answer: bytes) -> dict[int, set[bytes]]:
    """UID → flags and keywords that FETCH tells."""
    return {int(uid): set(flags.split()) - {b"\\Recent"} for uid, flags in _FLAGS.findall(answer)}


def status_in(answer: bytes) -> bytes:
    """What STATUS tells."""
    return answer.partition(b"INBOX (")[2].partition(b")")[0]


async def ask(base: Path) -> tuple[bytes, dict[int, set[bytes]]]:
    """One worker of ours: STATUS first of all, then a session that changes a flag."""
    account = MaildirAccount(str(base / "Maildir"))
    transport = ScriptedTransport(ends=False)
    async with asyncio.TaskGroup() as tasks:
        session = ImapSession(
            transport,
            account,
            clock=ManualClock(),
            sink=lambda event: None,
            login_tag=b"L",
            options=ImapOptions(),
        )
        task = tasks.create_task(session.run())
        await transport.rest()
        status = status_in(await transport.ask(b"x " + STATUS + b"\r\n"))
        await transport.ask(b"x SELECT INBOX\r\n")
        await transport.ask(b"x STORE 6 +FLAGS.SILENT (\\Answered)\r\n")
        flags = told(await transport.ask(b"x FETCH 1:* (UID FLAGS)\r\n"))
        transport.end()
        await task
    await account.close()
    return status, flags


def test_dovecot_changes_the_mailbox_meanwhile(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags, keywords, messages that come and go; each time a new worker of ours begins."""
    went_on: list[bool] = []

    def counting(folder: FolderFiles, snapshot: Snapshot) -> bool:
        went_on.append(go_on_from(folder, snapshot))
        return went_on[-1]

    monkeypatch.setattr(maildir_mailbox, "go_on_from", counting)
    dovecot = DovecotImap(base, patience=60, more=f"mail_location = maildir:{base}/Maildir:INDEX=MEMORY\n")
    give(base)
    try:
        for lines in MEANWHILE:
            assert b"x OK" in dovecot.say(b"x SELECT INBOX")
            for line in lines:
                assert b"x OK" in dovecot.say(b"x " + line), line
            dovecot.say(b"x UNSELECT")
            expected = status_in(dovecot.say(b"x " + STATUS))
            status, flags = asyncio.run(ask(base))
            assert expected == status, lines
            give_ours(base)
            dovecot.say(b"x SELECT INBOX")
            assert told(dovecot.say(b"x FETCH 1:* (UID FLAGS)")) == flags, lines
            dovecot.say(b"x UNSELECT")
    finally:
        dovecot.close()
    assert went_on.count(True) >= 3  # unless Dovecot has written a new uidlist
