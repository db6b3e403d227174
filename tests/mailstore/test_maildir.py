"""The Maildir beside other programs: they deliver, rename, remove and tear; nothing is lost or told twice."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import pytest

from fakes.crash_file_system import CrashFileSystem
from fakes.crash_survivors import Survives
from fakes.maildir_on_model import (
    ROOT,
    Inline,
    account_on,
    check_uidlist,
    deliver,
    find,
    fresh_files,
    new_message,
    run,
)
from pillarbox.mailstore.deliver import Delivery, deliver_batch
from pillarbox.mailstore.mailbox import (
    Fields,
    FlagAction,
    FlagChange,
    MailboxNameRefused,
    MessageGone,
    NewMessage,
    NoSuchMailbox,
)
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.file_names import NameMaker, parse_letters
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.mailbox import MaildirMailbox
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid

T = TypeVar("T")


def test_delivered_messages_get_uids_in_order_of_their_names() -> None:
    """Numeric order of seconds, whatever order the directory has; new/ is empty afterwards, not after STATUS."""

    async def scene() -> None:
        files = fresh_files()
        for number in (11, 9, 10):
            deliver(files, number)
        account = account_on(files)
        status = await account.status("INBOX")
        assert (3, 3) == (status.messages, status.unseen)
        assert 3 == sum("/new/" in path for path in files.files())
        box = await account.open("INBOX")
        assert [b"9\r\n", b"10\r\n", b"11\r\n"] == [await box.content(Uid(uid)) for uid in (1, 2, 3)]
        assert not [path for path in files.files() if "/new/" in path]
        check_uidlist(files)

    run(scene)


class HeldSizes(Inline):
    """Sizes are added up when a test says so."""

    def __init__(self) -> None:
        self.held: list[Callable[[], None]] = []
        self.holds = asyncio.Event()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":  # noqa: ANN401 - Executor's
        """Run it, or keep it."""
        if "total_size" not in repr(fn):
            return super().submit(fn, *args, **kwargs)
        future: Future[T] = Future()
        self.held.append(lambda: future.set_result(fn(*args, **kwargs)))
        self.holds.set()
        return future


def test_a_status_is_of_one_moment() -> None:
    """Messages that are expunged while their sizes are added up are gone from all of its numbers, or from none."""

    async def scene() -> None:
        files = fresh_files()
        for number in (9, 10):
            deliver(files, number)
        executor = HeldSizes()
        account = MaildirAccount(ROOT, files=files, clock=ManualClock(), executor=executor, host=b"ours")
        box = await account.open("INBOX")
        async with asyncio.TaskGroup() as tasks:
            counting = tasks.create_task(account.status("INBOX"))
            await executor.holds.wait()
            await box.change_flags([Uid(1), Uid(2)], FlagChange(FlagAction.ADD, Flag.DELETED))
            await box.expunge([Uid(1), Uid(2)])
            executor.held.pop()()
        status = counting.result()
        assert (2, 2, 0) == (status.messages, status.unseen, status.deleted)

    run(scene)


def test_each_set_of_flags_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a mailbox that is read for the first time; two files of one name there are two messages all the same."""
    texts: list[bytes] = []
    meaning_of = FolderFiles.meaning_of

    def counting(folder: FolderFiles, text: bytes, surplus: int) -> tuple[int, int]:
        texts.append(text)
        return meaning_of(folder, text, surplus)

    monkeypatch.setattr(FolderFiles, "meaning_of", counting)

    async def scene(more: int) -> None:
        files = fresh_files()
        for number in range(10):
            files.make_file(f"{ROOT}/cur/{number}.x:2,{'FS'[number % 2]}", b"%d\n" % number)
        if more:
            files.make_file(f"{ROOT}/cur/3.x:2,", b"3\n")
        box = await account_on(files).open("INBOX")
        assert 10 + more == len(box.messages.uids)
        assert 10 == files.files()[f"{ROOT}/dovecot-uidlist"].count(b".x\n")

    run(lambda: scene(0))
    assert [b"F", b"S"] == texts
    run(lambda: scene(1))


UIDLISTS = [
    ("version 3", b"3 V77 N9 G" + b"a" * 32 + b"\n4 :1.a\n6 W20 :2.b\n", [4, 6], 77, 9),
    ("version 1", b"1 77 9\n4 1.a\n6 2.b\n", [4, 6], 77, 9),
    ("header behind the lines", b"3 V77 N1 G" + b"a" * 32 + b"\n4 :1.a\n6 :2.b\n", [4, 6], 77, 7),
    ("one line broken", b"3 V77 N9 G" + b"a" * 32 + b"\nx y\n6 :2.b\n", [6, 9], 77, 10),
    ("torn line", b"3 V77 N5 G" + b"a" * 32 + b"\n4 :1.a\n6 :2", [4, 5], 77, 6),
    ("UIDs fall", b"3 V77 N9 G" + b"a" * 32 + b"\n6 :1.a\n4 :2.b\n", [6, 9], 77, 10),
    ("unknown header field kept", b"3 V77 N9 G" + b"a" * 32 + b" P%v.%u\n4 :1.a\n6 :2.b\n", [4, 6], 77, 9),
]


@pytest.mark.parametrize(
    ("name", "content", "uids", "validity", "next_uid"), UIDLISTS, ids=[row[0] for row in UIDLISTS]
)
def test_uidlists_of_others(name: str, content: bytes, uids: list[int], validity: int, next_uid: int) -> None:
    """UIDs and UIDVALIDITY stay; what is broken is mended without losing the rest."""

    async def scene() -> None:
        files = fresh_files()
        files.make_file(f"{ROOT}/cur/1.a:2,S", b"1\n")
        files.make_file(f"{ROOT}/cur/2.b:2,", b"2\n")
        files.make_file(f"{ROOT}/dovecot-uidlist", content)
        box = await account_on(files).open("INBOX")
        assert uids == sorted(box.messages.uids)
        assert (validity, next_uid) == (box.uid_validity, box.uid_next)
        [uid] = await box.append([new_message(3)])
        assert next_uid == uid
        written = files.files()[f"{ROOT}/dovecot-uidlist"]
        assert (b" P%v.%u\n" in written) == (b" P%v.%u\n" in content)
        assert written.count(b"\n") == 4

    run(scene)


def test_keywords_have_their_letters() -> None:
    """dovecot-keywords says which letter; unknown letters get a name; the file's mtime grows."""

    async def scene() -> None:
        files = fresh_files()
        files.make_file(f"{ROOT}/dovecot-keywords", b"0 Work\n2 Home\n")
        files.make_file(f"{ROOT}/cur/1.a:2,Sac", b"1\n")
        files.make_file(f"{ROOT}/cur/2.b:2,bQ", b"2\n")
        before = files.stat(f"{ROOT}/dovecot-keywords").st_mtime
        box = await account_on(files).open("INBOX")
        assert [{b"Work", b"Home"}, {b"unknown-1"}] == [keywords(box, uid) for uid in (1, 2)]
        await box.change_flags([Uid(2)], FlagChange(FlagAction.ADD, Flag.SEEN, (b"home", b"New")))
        assert f"{ROOT}/cur/2.b:2,QSbcd" in files.files()
        assert b"0 Work\n1 unknown-1\n2 Home\n3 New\n" == files.files()[f"{ROOT}/dovecot-keywords"]
        assert int(files.stat(f"{ROOT}/dovecot-keywords").st_mtime) > int(before)
        await box.change_flags([Uid(1)], FlagChange(FlagAction.ADD, Flag.NONE, (b"Newer",)))
        assert b"e" in parse_name(files, b"1\n")

    run(scene)


def keywords(box: MaildirMailbox, uid: int) -> set[bytes]:
    """Keywords of a message."""
    row = box.messages.row(uid)
    assert row is not None
    bits = box.messages.keywords[row]
    return {name for bit, name in enumerate(box.keywords) if bits >> bit & 1}


def parse_name(files: CrashFileSystem, content: bytes) -> bytes:
    """The letters of the file with this content."""
    return (
        next(path for path, found in files.files().items() if found == content).rpartition(":2,")[2].encode()
    )


def test_keywords_beyond_the_letters_survive() -> None:
    """They live in a file of ours, by UID; renames by others do not lose them."""

    async def scene() -> None:
        files = fresh_files()
        names = tuple(b"k%d" % number for number in range(30))
        account = account_on(files)
        box = await account.open("INBOX")
        await box.append([NewMessage(b"1\n", Flag.NONE, names), new_message(2)])
        await box.change_flags([Uid(2)], FlagChange(FlagAction.ADD, Flag.NONE, (b"k28",)))
        files.rename(find(files, 2), f"{ROOT}/cur/{find(files, 2).rpartition('/')[2].partition(':')[0]}:2,S")
        again = await account_on(files.crash(Survives.SYNCED)).open("INBOX")
        assert [set(names), {b"k28"}] == [keywords(again, uid) for uid in (1, 2)]
        await again.change_flags([Uid(1)], FlagChange(FlagAction.REPLACE, Flag.NONE, (b"k29",)))
        assert {b"k29"} == keywords(again, 1)

    run(scene)


def test_a_file_that_is_not_where_it_was() -> None:
    """Renamed behind our back: found again.  Removed: MessageGone, and the next refresh tells."""

    async def scene() -> None:
        files = fresh_files()
        box = await account_on(files).open("INBOX")
        await box.append([new_message(1), new_message(2)])
        files.rename(find(files, 1), find(files, 1) + "S")
        assert b"1\r\n" == await box.content(Uid(1))
        assert Flag.SEEN == box.messages.flags[0]
        files.unlink(find(files, 2))
        with pytest.raises(MessageGone):
            await box.content(Uid(2))
        assert [1] == list(box.messages.uids)

    run(scene)


@pytest.mark.parametrize("expected", [None, {1: (0, 0)}], ids=["any", "unchanged"])
def test_flags_that_another_program_sets_at_the_same_moment(
    expected: dict[int, tuple[int, int]] | None,
) -> None:
    """Between our look at the name and the rename: they are neither lost nor overlooked by UNCHANGEDSINCE."""

    async def scene() -> None:
        files = fresh_files()
        box = await account_on(files).open("INBOX")
        await box.append([new_message(1), new_message(2)])
        rename_in = files.rename_in

        def too_late(directory: int, old: bytes, new: bytes) -> None:
            files.rename_in = rename_in  # type: ignore[method-assign]  # the next time all is well
            files.rename(find(files, 1), find(files, 1) + "S")
            rename_in(directory, old, new)

        files.rename_in = too_late  # type: ignore[assignment]
        change = FlagChange(FlagAction.ADD, Flag.FLAGGED, expected=expected)
        changed = await box.change_flags([Uid(1)], change)
        flags = Flag.SEEN if expected else Flag.SEEN | Flag.FLAGGED
        assert (expected is None) == (changed == [1])
        assert flags == box.messages.flags[0]
        assert find(files, 1).endswith(":2,S" if expected else ":2,FS")

    run(scene)


def test_what_becomes_of_flags_is_thought_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For all messages of a change that have the same."""
    calls: list[tuple[int, int]] = []
    applied = FlagChange.applied

    def counting(change: FlagChange, before: tuple[int, int], flags: int, keywords: int) -> tuple[int, int]:
        calls.append(before)
        return applied(change, before, flags, keywords)

    monkeypatch.setattr(FlagChange, "applied", counting)

    async def scene() -> None:
        box = await account_on(fresh_files()).open("INBOX")
        kinds = (Flag.NONE, Flag.SEEN)
        uids = await box.append([new_message(number, kinds[number % 2]) for number in range(10)])
        assert 10 == len(await box.change_flags(uids, FlagChange(FlagAction.ADD, Flag.FLAGGED)))
        assert [(0, 0), (int(Flag.SEEN), 0)] == calls

    run(scene)


def test_two_files_of_one_name() -> None:
    """A restored backup beside the original: both are kept, the second with a UID of its own."""

    async def scene() -> None:
        files = fresh_files()
        files.make_file(f"{ROOT}/cur/1.a:2,", b"1\n")
        files.make_file(f"{ROOT}/cur/1.a:2,S", b"2\n")
        box = await account_on(files).open("INBOX")
        await box.refresh()
        assert {b"1\r\n", b"2\r\n"} == {await box.content(Uid(uid)) for uid in box.messages.uids}
        assert 2 == len(box.messages)

    run(scene)


def test_names_that_only_a_maildir_refuses() -> None:
    """`.` separates levels on disk; `~` and overlong names never come back."""

    async def scene() -> None:
        account = account_on(fresh_files())
        for name in ("a.b", "a/../b", "~x", "x" * 300, "a\x07b"):
            with pytest.raises(MailboxNameRefused):
                await account.create(name)
            with pytest.raises(NoSuchMailbox):
                await account.open(name)
        assert "INBOX" == (await account.open("iNbOx")).name

    run(scene)


def test_directories_that_are_no_mailboxes() -> None:
    """Mailboxes in deletion, files, names that are not modified UTF-7 are not listed."""

    async def scene() -> None:
        files = fresh_files()
        for directory in ("..DOVECOT-TRASHED", ".bad&name", ".no-maildir", ".Good&APw-"):
            files.make_directories(f"{ROOT}/{directory}")
            if directory != ".no-maildir":
                files.make_directories(f"{ROOT}/{directory}/cur")
        files.make_file(f"{ROOT}/.dovecot.sieve", b"")
        names = [entry.name for entry in await account_on(files).list_mailboxes()]
        assert ["Goodü", "INBOX"] == names

    run(scene)


def test_special_use_goes_by_name() -> None:
    """RFC 6154: the usual names are advertised; `ensure_defaults` makes and subscribes them."""

    async def scene() -> None:
        account = account_on(fresh_files())
        await account.ensure_defaults()
        await account.ensure_defaults()
        uses = {entry.name: (entry.special_use, entry.subscribed) for entry in await account.list_mailboxes()}
        assert (b"\\Sent", True) == uses["Sent"]
        assert {b"\\Drafts", b"\\Sent", b"\\Junk", b"\\Trash", b"\\Archive", b""} == {
            use for use, _ in uses.values()
        }

    run(scene)


@pytest.mark.parametrize("damage", ["delete", "garbage", "truncate", "other version"])
def test_the_cache_may_be_lost_at_any_moment(tmp_path: Path, damage: str) -> None:
    """Summaries are the same without it; \\Recent is all that goes."""
    root = tmp_path / "M"
    cache = root / "pillarbox.cache.sqlite"

    async def look() -> list[object]:
        account = MaildirAccount(str(root))
        box = await account.open("INBOX")
        found = await box.summaries([Uid(uid) for uid in box.messages.uids], ~Fields(0))
        await account.close()
        return list(found)

    deliver_batch([Delivery(str(root), [b"Subject: %d\n\nx\n" % number]) for number in range(20)])
    first = run(look)
    assert 20 == len(first)
    assert cache.stat().st_mode & 0o777 == 0o600
    for suffix in ("-wal", "-shm"):
        cache.with_name(cache.name + suffix).unlink(missing_ok=True)
    if damage == "delete":
        cache.unlink()
    elif damage == "garbage":
        cache.write_bytes(b"garbage " * 1000)
    elif damage == "truncate":
        cache.write_bytes(cache.read_bytes()[:5000])
    else:
        content = bytearray(cache.read_bytes())
        content[60:64] = b"\x00\x00\x03\xe7"  # user_version
        cache.write_bytes(content)
    assert first == run(look)
    assert first == run(look)


def test_letters_are_read_once_per_combination() -> None:
    """The table of known combinations is bounded: names come from other programs."""
    for number in range(6000):
        parse_letters(b"S,%d" % number)
    assert parse_letters(b"S,5999").tail == b",5999"


def test_names_of_two_accounts_differ() -> None:
    """Every account has its own name maker; host and process id keep them apart from others'."""
    names = NameMaker(ManualClock(), host=b"x")
    assert names.take() != names.take()


def test_a_large_change_does_not_outrun_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has looked before a change learns all of it, however many messages it is about; older ones do not stay."""
    monkeypatch.setattr("pillarbox.mailstore.maildir.mailbox.MAX_JOURNAL", 3)

    async def scene() -> None:
        box = await account_on(fresh_files()).open("INBOX")
        before = box.journal_position
        uids = await box.append([new_message(number) for number in range(10)])
        added = box.changes_since(before)
        assert added is not None
        assert uids == [change.uid for change in added]
        middle = box.journal_position
        await box.expunge(uids[:6])
        gone = box.changes_since(middle)
        assert gone is not None
        assert uids[:6] == [change.uid for change in gone]
        assert box.changes_since(middle - 3) is not None
        assert box.changes_since(before) is None
        await box.expunge(uids[6:7])
        assert box.changes_since(middle) is None

    run(scene)
