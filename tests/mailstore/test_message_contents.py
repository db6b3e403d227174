"""Contents of messages: without a thread what is in memory, with one what is not."""

import asyncio
import os
from pathlib import Path
from typing import AnyStr

import pytest

from pillarbox.files.file_system import DISK, DiskFileSystem
from pillarbox.mailstore.deliver import Delivery, deliver_batch, make_maildir
from pillarbox.mailstore.mailbox import MessageGone
from pillarbox.mailstore.maildir import message_contents
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.message_contents import MessageContents
from pillarbox.vocabulary.identifiers import Uid

MESSAGE = b"Subject: x\n\nbody\n"
SEEN = MESSAGE.replace(b"\n", b"\r\n")


class Disk(DiskFileSystem):
    """What is in memory can be said; what is read with waiting is counted."""

    __slots__ = ("at_once", "is_cold", "opened")

    def __init__(self, *, is_cold: bool = False) -> None:
        self.is_cold = is_cold
        self.at_once = self.opened = 0

    def open(self, path: AnyStr, flags: int, mode: int = 0o600) -> int:
        """open(2)"""
        self.opened += b"/cur/" in os.fsencode(path)
        return super().open(path, flags, mode)

    def read_at_once(self, path: AnyStr, limit: int) -> bytes | None:
        """None where the disk would have to be waited for."""
        self.at_once += 1
        return None if self.is_cold else super().read_at_once(path, limit)


@pytest.fixture
def root(disk_path: Path) -> str:
    """A mailbox of three messages, where one may ask to read without waiting."""
    path = str(disk_path / "Maildir")
    make_maildir(path)
    deliver_batch([Delivery(path, [MESSAGE], b"S")] * 3)
    return path


@pytest.mark.parametrize("is_cold", [False, True])
def test_what_is_not_in_memory_is_read_by_a_thread(root: str, *, is_cold: bool) -> None:
    """Both give the same, and the same when the file has another name or is gone."""

    async def scene() -> None:
        files = Disk(is_cold=is_cold)
        inbox = await MaildirAccount(root, files=files).open("INBOX")
        files.opened = 0
        assert await inbox.content(Uid(1)) == SEEN
        assert (1, is_cold) == (files.at_once, files.opened)
        first, second = sorted(os.listdir(f"{root}/cur"))[1:]
        os.rename(f"{root}/cur/{first}", f"{root}/cur/{first}F")
        os.unlink(f"{root}/cur/{second}")
        assert await inbox.content(Uid(2)) == SEEN
        with pytest.raises(MessageGone):
            await inbox.content(Uid(3))

    asyncio.run(scene())


def test_after_a_long_wait_threads_read_for_a_while(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file is had to be read from the disk: the loop does not try again at once."""

    async def scene() -> None:
        inbox = await MaildirAccount(root).open("INBOX")
        contents = MessageContents(inbox.folder, None)
        times = iter([10.0, 10.5, 10.6, 11.1, 11.11])
        monkeypatch.setattr(message_contents, "perf_counter", lambda: next(times))
        assert contents.at_once(Uid(1)) == SEEN
        assert contents.at_once(Uid(1)) is None
        assert contents.at_once(Uid(1)) == SEEN

    asyncio.run(scene())


def test_only_small_files_are_read_at_once(tmp_path: Path) -> None:
    """All of the file or nothing; one that is gone is a fault."""
    path = tmp_path / "message"
    path.write_bytes(MESSAGE)
    assert DISK.read_at_once(str(path), len(MESSAGE)) in {MESSAGE, None}  # as the file system can
    assert DISK.read_at_once(str(path), len(MESSAGE) - 1) is None
    with pytest.raises(FileNotFoundError):
        DISK.read_at_once(str(tmp_path / "gone"), 100)
