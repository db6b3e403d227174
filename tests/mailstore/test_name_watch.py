"""Mailboxes that other programs make, in steps: whoever watches names looks again at each of them."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from pillarbox.files.file_system import DISK
from pillarbox.files.inotify import open_inotify
from pillarbox.mailstore.maildir.file_names import NameMaker
from pillarbox.mailstore.maildir.mailbox_tree import MAX_UNFINISHED, MailboxTree
from pillarbox.mailstore.name_watch import NameWatch
from pillarbox.vocabulary.clock import ManualClock


def new_tree(root: Path, *, nested: bool) -> MailboxTree:
    """With INBOX."""
    tree = MailboxTree(bytes(root), files=DISK, names=NameMaker(ManualClock()), nested=nested)
    tree.make("INBOX")
    return tree


@pytest.mark.parametrize("nested", [False, True])
def test_each_step_is_told(tmp_path: Path, nested: bool) -> None:
    """Until it holds mail, its own directory is watched, for directories alone."""
    tree = new_tree(tmp_path, nested=nested)
    made = tmp_path / ("Made" if nested else ".Made")

    async def work() -> None:
        async with asyncio.timeout(45):
            await watched()

    async def watched() -> None:
        inotify = open_inotify(asyncio.get_running_loop())
        assert inotify is not None
        watch = NameWatch((bytes(tmp_path),), inotify)
        told = asyncio.Event()

        async def look_after(step: Callable[[], object]) -> dict[str, bool]:
            told.clear()
            step()
            await told.wait()
            found = dict(tree.entries())
            watch.follow(tree.unfinished)
            return found

        end = watch.watch(told.set)
        assert await look_after(made.mkdir) == ({"Made": False} if nested else {})
        assert [*watch.directories] == [bytes(tmp_path), bytes(made)]
        await told.wait()  # perhaps it was finished before it was watched
        await asyncio.sleep(0)
        told.clear()
        (made / "dovecot-uidlist").touch()
        inotify.read()
        await asyncio.sleep(0)
        assert not told.is_set(), "a file makes no mailbox"
        assert await look_after((made / "cur").mkdir) == {"Made": True}
        assert [*watch.directories] == [bytes(tmp_path)]
        assert await look_after((tmp_path / ("Other" if nested else ".Other")).mkdir)
        end()
        assert [*watch.directories] == [bytes(tmp_path)], "nobody watches any more"
        inotify.close()

    asyncio.run(work())


def test_there_is_a_limit(tmp_path: Path) -> None:
    """Many directories without mail take no more watches than that."""
    tree = new_tree(tmp_path, nested=False)
    for number in range(MAX_UNFINISHED + 5):
        (tmp_path / f".d{number}").mkdir()
    tree.entries()
    assert len(tree.unfinished) == MAX_UNFINISHED
