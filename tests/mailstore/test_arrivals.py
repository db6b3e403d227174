"""What deliverers note of messages: told without reading them, and never other than what reading them tells."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import AnyStr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.varied_messages import varied_messages
from pillarbox.files.file_system import DiskFileSystem
from pillarbox.mailstore.cache import message_cache
from pillarbox.mailstore.cache.arrivals import (
    FILE_NAME,
    MAGIC,
    MAX_CONTENT,
    MAX_OCTETS,
    MAX_PENDING,
    ArrivalNotes,
    Arrivals,
    note_of,
    parse_notes,
)
from pillarbox.mailstore.cache.message_cache import MAX_UNASKED_HEADER, Cache
from pillarbox.mailstore.deliver import Delivery, Stored, deliver_batch
from pillarbox.mailstore.mailbox import Fields, MessageSummary, SortColumn, SortValue
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.mailbox import MaildirMailbox
from pillarbox.message.message_summary import RENDERING
from pillarbox.vocabulary.identifiers import Uid

ALL = (
    Fields.DATE
    | Fields.SIZE
    | Fields.ENVELOPE
    | Fields.BODY
    | Fields.BODYSTRUCTURE
    | Fields.HEADER
    | Fields.SAVED
    | Fields.PREVIEW
)
COLUMNS = tuple(SortColumn)
MESSAGES = [
    content
    for message in varied_messages(100)
    if (content := message.replace(b"\r\n", b"\n")).find(b"\n\n") < MAX_UNASKED_HEADER // 2
]
"""Larger headers are not kept unasked."""


class CountingFiles(DiskFileSystem):
    """Counts how often a message is opened."""

    def __init__(self) -> None:
        self.opened = 0

    def open(self, path: AnyStr, flags: int, mode: int = 0o600) -> int:
        """open(2)"""
        self._count(os.fsencode(path))
        return super().open(path, flags, mode)

    def read_at_once(self, path: AnyStr, limit: int) -> bytes | None:
        """The same with what is read on the event loop."""
        self._count(os.fsencode(path))
        return super().read_at_once(path, limit)

    def _count(self, path: bytes) -> None:
        self.opened += os.path.basename(os.path.dirname(path)) in {b"cur", b"new"}


def visited(root: Path) -> None:
    """A client has opened INBOX before."""

    async def visit() -> None:
        account = MaildirAccount(str(root))
        await account.open("INBOX")
        await account.close()

    asyncio.run(visit())


def deliver(root: Path, messages: list[bytes]) -> None:
    """As an agent does: store, answer, note."""
    notes = ArrivalNotes()
    deliveries = [Delivery(str(root), (b"Return-Path: <a@b>\n", message)) for message in messages]
    results = deliver_batch(deliveries)
    assert all(isinstance(result, Stored) for result in results)
    notes.remember(deliveries, results)
    notes.write_all()


async def everything(inbox: MaildirMailbox) -> tuple[list[MessageSummary], list[tuple[SortValue, ...]]]:
    """All that FETCH, SEARCH and SORT ask for, without the bodies."""
    uids = [Uid(uid) for uid in inbox.messages.uids]
    summaries = await inbox.summaries(uids, ALL)
    return summaries, await inbox.sort_columns(uids, COLUMNS)


async def first_look(
    account: MaildirAccount, before: Callable[[MaildirMailbox], None] = lambda _: None
) -> tuple[list[MessageSummary], list[tuple[SortValue, ...]]]:
    """What a client sees that opens INBOX."""
    inbox = await account.open("INBOX")
    before(inbox)
    found = await everything(inbox)
    await account.close()
    return found


def test_the_first_look_after_a_delivery_opens_no_message(tmp_path: Path) -> None:
    """ENVELOPE, BODYSTRUCTURE, header, preview and sort keys are there, the same as by reading."""
    visited(tmp_path)
    deliver(tmp_path, MESSAGES)
    files = CountingFiles()
    noted = asyncio.run(first_look(MaildirAccount(str(tmp_path), files=files)))
    assert len(noted[0]) == len(MESSAGES)
    assert files.opened == 0

    cached = asyncio.run(first_look(MaildirAccount(str(tmp_path), files=files)))
    assert files.opened == 0
    assert cached == noted
    assert (tmp_path / FILE_NAME).stat().st_size == 0

    for path in tmp_path.glob("pillarbox.*"):
        path.unlink()
    read = asyncio.run(first_look(MaildirAccount(str(tmp_path), files=files)))
    assert files.opened >= len(MESSAGES)
    assert [strip(summary) for summary in read[0]] == [strip(summary) for summary in noted[0]]
    assert read[1] == noted[1]


def strip(summary: MessageSummary) -> tuple[object, ...]:
    """Without the second in which the file was renamed into cur/."""
    return (*(getattr(summary, name) for name in summary.__struct_fields__ if name != "saved"),)


def test_notes_go_into_the_cache_in_the_background(tmp_path: Path) -> None:
    """Nobody has to ask: a session that opens the mailbox has them taken over, and the file emptied."""
    visited(tmp_path)
    deliver(tmp_path, MESSAGES[:10])

    async def scene() -> tuple[list[int], int]:
        files = CountingFiles()
        account = MaildirAccount(str(tmp_path), files=files)
        inbox = await account.open("INBOX")
        await inbox.finish()
        cache = Cache(str(tmp_path))
        number = cache.begin(inbox.guid, inbox.uid_validity, b".", first_unseen=1).number
        missing = cache.missing(number, list(range(1, 11)))
        cache.close()
        await account.close()
        return missing, files.opened

    assert asyncio.run(scene()) == ([], 0)
    assert (tmp_path / FILE_NAME).stat().st_size == 0


def test_a_note_may_come_after_the_session_has_seen_the_message(tmp_path: Path) -> None:
    """The agent answers first and notes later; whoever looks in between finds the note when it is there."""
    visited(tmp_path)

    async def scene() -> int:
        files = CountingFiles()
        account = MaildirAccount(str(tmp_path), files=files)
        inbox = await account.open("INBOX")
        notes = ArrivalNotes()
        deliveries = [Delivery(str(tmp_path), (message,)) for message in MESSAGES[:5]]
        results = deliver_batch(deliveries)
        await inbox.refresh()
        assert len(inbox.messages) == 5
        notes.remember(deliveries, results)
        notes.write_all()
        assert len((await everything(inbox))[0]) == 5
        await account.close()
        return files.opened

    assert asyncio.run(scene()) == 0


def test_two_processes_take_the_same_notes(tmp_path: Path) -> None:
    """Both answer, and the cache has each message once."""
    visited(tmp_path)
    deliver(tmp_path, MESSAGES[:20])

    async def scene() -> None:
        accounts = [MaildirAccount(str(tmp_path), files=CountingFiles()) for _ in range(2)]
        boxes = [await account.open("INBOX") for account in accounts]
        first, second = await asyncio.gather(*map(everything, boxes))
        assert first == second
        assert len(first[0]) == 20
        for account in accounts:
            await account.close()

    asyncio.run(scene())


def test_nobody_writes_notes_that_nobody_would_read(tmp_path: Path) -> None:
    """Without the file, which a session makes, deliveries leave nothing but the message."""
    deliver(tmp_path, MESSAGES[:1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cur", "new", "tmp"]


def test_the_file_is_bounded(tmp_path: Path) -> None:
    """What has no room is not noted, nor what waits too long, nor what is too large."""
    (tmp_path / FILE_NAME).write_bytes(bytes(MAX_OCTETS))
    deliver(tmp_path, MESSAGES[:1])
    assert (tmp_path / FILE_NAME).stat().st_size == MAX_OCTETS
    (tmp_path / FILE_NAME).write_bytes(b"")
    deliver(tmp_path, [b"Subject: large\n\n" + b"x" * MAX_CONTENT])
    assert (tmp_path / FILE_NAME).stat().st_size == 0
    notes = ArrivalNotes()
    delivery = Delivery(str(tmp_path), (b"Subject: x\n\n" + b"x" * 400_000,))
    count = MAX_PENDING // 400_000 + 5
    notes.remember([delivery] * count, [Stored(b"1.M1.host,S=1", 400_000, 400_000)] * count)
    written = 0
    while notes.waiting:
        notes.write_one()
        written += 1
    assert written == MAX_PENDING // 400_000


def test_a_mailbox_without_clients_is_looked_at_once(tmp_path: Path) -> None:
    """All that wait for it are forgotten with the first; those of another are not, and there is room again."""
    served, other = tmp_path / "served", tmp_path / "other"
    for place in (served, other):
        place.mkdir()
    (served / FILE_NAME).write_bytes(b"")
    notes = ArrivalNotes()
    stored = Stored(b"1.M1.host,S=1", MAX_CONTENT, MAX_CONTENT)
    count = MAX_PENDING // MAX_CONTENT - 2
    unserved = [Delivery(str(other), (b"Subject: x\n\n",))] * count
    notes.remember([*unserved, Delivery(str(served), (b"Subject: y\n\n",))], [stored] * (count + 1))
    notes.write_one()
    notes.write_one()
    assert not notes.waiting
    assert len(parse_notes((served / FILE_NAME).read_bytes())[0]) == 1
    notes.remember(unserved, [stored] * count)
    (other / FILE_NAME).write_bytes(b"")
    notes.write_all()
    assert len(parse_notes((other / FILE_NAME).read_bytes())[0]) == count


@pytest.mark.parametrize("kind", ["symlink", "fifo", "directory"])
def test_something_else_in_the_files_place_is_left_alone(tmp_path: Path, kind: str) -> None:
    """Nobody waits for it, and nothing is written through it."""
    visited(tmp_path)
    place = tmp_path / FILE_NAME
    place.unlink()
    target = tmp_path / "target"
    target.write_bytes(b"")
    if kind == "symlink":
        place.symlink_to(target)
    elif kind == "fifo":
        os.mkfifo(place)
    else:
        place.mkdir()
    deliver(tmp_path, MESSAGES[:3])
    assert len(asyncio.run(first_look(MaildirAccount(str(tmp_path))))[0]) == 3
    assert target.read_bytes() == b""


NOTES = [
    note_of(Delivery("/x", (message,)), Stored(b"%d.M1.host,S=1:2,S" % number, 1, 1, number * 10**9))
    for number, message in enumerate(MESSAGES[:8])
]


@given(
    st.lists(st.sampled_from(NOTES), max_size=5),
    st.integers(0, 1 << 16),
    st.integers(0, 1 << 16),
    st.integers(0, 255),
)
def test_damage_ends_the_notes(notes: list[bytes], end: int, place: int, octet: int) -> None:
    """Whatever is torn or overwritten: what is found is a beginning of what was written, or nothing was harmed."""
    whole = b"".join(notes)
    expected, position = parse_notes(whole)
    assert (len(expected), position) == (len(notes), len(whole))
    assert all(b":" not in arrival.base for arrival in expected)
    torn, at = parse_notes(whole[:end])
    assert torn == expected[: len(torn)]
    assert at <= len(whole)
    assert len(torn) == len(notes) or end < len(whole)
    if whole:
        place %= len(whole)
        damaged, _ = parse_notes(whole[:place] + bytes([octet]) + whole[place + 1 :])
        assert damaged == expected[: len(damaged)]


@pytest.mark.parametrize("rendering", [RENDERING - 1, RENDERING + 1])
def test_notes_of_another_rendering_are_not_read(rendering: int) -> None:
    """After an upgrade, as with the cache: an answer of the older one would stay in the new cache for ever."""
    assert MAGIC[-1] == RENDERING == message_cache.VERSION
    note = MAGIC[:-1] + bytes([rendering]) + NOTES[0][len(MAGIC) :]
    assert parse_notes(note + NOTES[1]) == ([], len(note + NOTES[1]))


def test_what_is_no_note_does_not_stop_later_ones(tmp_path: Path) -> None:
    """Garbage counts as read; the notes behind it in a later reading are found."""
    arrivals = Arrivals(os.fsencode(tmp_path), DiskFileSystem())
    arrivals.prepare()
    (tmp_path / FILE_NAME).write_bytes(b"garbage that is longer than a head of a note")
    assert arrivals.bases() == []
    with (tmp_path / FILE_NAME).open("ab") as file:
        file.write(NOTES[0])
    assert arrivals.bases() == [b"0.M1.host,S=1"]
    arrivals.forget(arrivals.bases())
    assert (tmp_path / FILE_NAME).stat().st_size == 0
    with (tmp_path / FILE_NAME).open("ab") as file:
        file.write(NOTES[1][:-3])
    assert arrivals.bases() == []
    with (tmp_path / FILE_NAME).open("ab") as file:
        file.write(NOTES[1][-3:])
    assert arrivals.bases() == [b"1.M1.host,S=1"]
