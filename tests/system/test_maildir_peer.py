"""Take over a tree from Dovecot and hand it back: UIDs, flags, keywords, names and subscriptions stay."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.doveadm import Doveadm
from pillarbox.mailstore.deliver import Delivery, deliver_batch
from pillarbox.mailstore.mailbox import Fields, FlagAction, FlagChange, NewMessage
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.mailbox import MaildirMailbox
from pillarbox.vocabulary.flags import IMAP_NAMES, Flag
from pillarbox.vocabulary.identifiers import Uid

pytestmark = [
    pytest.mark.system,
    pytest.mark.peer("dovecot"),
    pytest.mark.skipif(not Doveadm.is_installed(), reason="doveadm is not installed"),
]

Messages = dict[int, tuple[frozenset[bytes], int, int, str]]
"""UID → flags and keywords, RFC822.SIZE, INTERNALDATE, GUID"""


@pytest.fixture
def doveadm() -> Iterator[Doveadm]:
    """A Dovecot of our own, in a directory that its user may enter."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield Doveadm(Path(directory))


def theirs(doveadm: Doveadm, mailbox: str) -> Messages:
    """The mailbox as Dovecot sees it."""
    fields = "uid flags size.virtual date.received.unixtime guid"
    output = doveadm.run("-f", "tab", "fetch", fields, "mailbox", mailbox, "all").decode()
    messages: Messages = {}
    for line in output.splitlines()[1:]:
        uid, flags, size, date, guid = line.split("\t")
        wanted = frozenset(flag.encode() for flag in flags.split() if flag != "\\Recent")
        messages[int(uid)] = wanted, int(size), int(date), guid
    return messages


async def ours(box: MaildirMailbox) -> Messages:
    """The mailbox as we see it."""
    await box.refresh()
    uids = [Uid(uid) for uid in box.messages.uids]
    messages: Messages = {}
    for row, summary in enumerate(await box.summaries(uids, Fields.DATE | Fields.SIZE)):
        flags = {name for name, flag in IMAP_NAMES if box.messages.flags[row] & flag}
        bits = box.messages.keywords[row]
        flags |= {name for bit, name in enumerate(box.keywords) if bits >> bit & 1}
        guid = box.folder.message_guid(summary.uid).decode()
        messages[summary.uid] = frozenset(flags), summary.size, summary.internal_date, guid
    return messages


def identity(doveadm: Doveadm, mailbox: str) -> tuple[int, int, bytes]:
    """UIDVALIDITY, UIDNEXT and GUID as Dovecot tells them."""
    output = doveadm.run("-f", "tab", "mailbox", "status", "uidnext uidvalidity guid", mailbox)
    _, uid_next, validity, guid = output.decode().splitlines()[1].split("\t")
    return int(validity), int(uid_next), guid.encode()


def forget_indexes(doveadm: Doveadm) -> None:
    """What Dovecot can rebuild is gone: it must read our files."""
    for path in doveadm.maildir.rglob("dovecot.*index*"):
        path.unlink()


def test_dovecot_takes_what_we_made(doveadm: Doveadm) -> None:
    """Deliveries, APPEND with flags and keywords, COPY, names, subscriptions: all as we see them."""

    async def scene() -> None:
        root = str(doveadm.maildir)
        deliver_batch([Delivery(root, [b"Subject: %d\n\nbody\n" % number]) for number in range(20)])
        account = MaildirAccount(root)
        inbox = await account.open("INBOX")
        await inbox.append(
            [NewMessage(b"Subject: x\r\n\r\ny\r\n", Flag.SEEN | Flag.DRAFT, (b"$Forwarded", b"Work"), 1e9)]
        )
        await inbox.change_flags([Uid(2), Uid(3)], FlagChange(FlagAction.ADD, Flag.FLAGGED, (b"work",)))
        await inbox.expunge([Uid(5), Uid(6)])
        await account.create("Entwürfe/2024 & später")
        folder = await account.open("Entwürfe/2024 & später")
        await inbox.copy([Uid(2), Uid(21)], folder)
        await inbox.copy([Uid(2)], folder)
        await inbox.move([Uid(7)], folder)
        await account.subscribe("Entwürfe/2024 & später")
        for box in (inbox, folder):
            seen = await ours(box)
            for _ in range(2):
                assert seen == theirs(doveadm, box.name)
                assert (box.uid_validity, box.uid_next, box.guid) == identity(doveadm, box.name)
                forget_indexes(doveadm)
        listed = doveadm.run("mailbox", "list").decode().splitlines()
        assert (
            {"Entwürfe/2024 & später", "INBOX", "Entwürfe"}
            >= set(listed)
            >= {"Entwürfe/2024 & später", "INBOX"}
        )
        assert ["Entwürfe/2024 & später"] == doveadm.run("mailbox", "list", "-s").decode().splitlines()
        await account.close()

    asyncio.run(scene())


def test_we_take_what_dovecot_made_and_give_it_back(doveadm: Doveadm) -> None:
    """Saved, flagged, copied and expunged by Dovecot; then changed by us; then read by Dovecot again."""
    for number in range(12):
        doveadm.run("save", "-m", "INBOX", content=b"Subject: %d\n\nbody\n" % number)
    doveadm.run("mailbox", "create", "-s", "Lists/a b")
    doveadm.run("flags", "add", "\\Seen $Label1 Private", "mailbox", "INBOX", "uid", "2:4")
    doveadm.run("copy", "Lists/a b", "mailbox", "INBOX", "uid", "3:5")
    doveadm.run("copy", "Lists/a b", "mailbox", "INBOX", "uid", "3")
    doveadm.run("expunge", "mailbox", "INBOX", "uid", "1,6")

    async def scene() -> None:
        before = theirs(doveadm, "INBOX"), theirs(doveadm, "Lists/a b")
        known = identity(doveadm, "INBOX")
        account = MaildirAccount(str(doveadm.maildir))
        inbox, folder = await account.open("INBOX"), await account.open("Lists/a b")
        assert before == (await ours(inbox), await ours(folder))
        assert known == (inbox.uid_validity, inbox.uid_next, inbox.guid)
        assert ["Lists/a b"] == await account.subscriptions()
        await inbox.change_flags(
            [Uid(2), Uid(8)], FlagChange(FlagAction.ADD, Flag.ANSWERED, (b"private", b"Ours"))
        )
        await inbox.append([NewMessage(b"Subject: ours\n\n")])
        await inbox.expunge([Uid(3)])
        await folder.move([Uid(2)], inbox)
        # Beside each other: Dovecot changes while we have the mailboxes open, and sees what we have done.
        doveadm.run("flags", "remove", "\\Seen", "mailbox", "INBOX", "uid", "4")
        doveadm.run("save", "-m", "INBOX", content=b"Subject: theirs\n\n")
        doveadm.run("expunge", "mailbox", "INBOX", "uid", "9")
        after = await ours(inbox), await ours(folder)
        assert after == (theirs(doveadm, "INBOX"), theirs(doveadm, "Lists/a b"))
        forget_indexes(doveadm)
        assert after == (theirs(doveadm, "INBOX"), theirs(doveadm, "Lists/a b"))
        assert (inbox.uid_validity, inbox.uid_next, inbox.guid) == identity(doveadm, "INBOX")
        await account.close()

    asyncio.run(scene())


def test_a_copied_directory(doveadm: Doveadm) -> None:
    """cp -a within the Maildir: both have one GUID, with Dovecot as with us, and each tells its own messages."""

    def subjects(mailbox: str) -> list[bytes]:
        output = doveadm.run("-f", "tab", "fetch", "hdr.subject", "mailbox", mailbox, "all")
        return output.splitlines()[1:]

    async def ours_of(account: MaildirAccount, mailbox: str) -> list[bytes]:
        box = await account.open(mailbox)
        found = await box.summaries([Uid(uid) for uid in box.messages.uids], Fields.ENVELOPE)
        await box.rows.filling.finished.wait()
        assert (box.uid_validity, box.uid_next, box.guid) == identity(doveadm, mailbox)
        box.close()
        return [one.envelope.split(b'"')[1] for one in found]

    async def compare(*mailboxes: str) -> None:
        account = MaildirAccount(str(doveadm.maildir))
        for mailbox in mailboxes:
            assert subjects(mailbox) == await ours_of(account, mailbox)
        await account.close()

    doveadm.run("mailbox", "create", "Work")
    doveadm.run("save", "-m", "Work", content=b"Subject: both\n\n")
    work, copy = doveadm.maildir / ".Work", doveadm.maildir / ".Copy"
    shutil.copytree(work, copy, copy_function=shutil.copy2)
    asyncio.run(compare("Work", "Copy"))
    for mailbox in ("Work", "Copy"):
        doveadm.run("save", "-m", mailbox, content=b"Subject: %b\n\n" % mailbox.encode())
    asyncio.run(compare("Work", "Copy"))
    assert identity(doveadm, "Work")[2] == identity(doveadm, "Copy")[2]
    shutil.rmtree(work)
    copy.rename(work)
    assert subjects("Work") == [b"both", b"Copy"]
    asyncio.run(compare("Work"))
