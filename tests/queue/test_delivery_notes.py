"""Notes of deliveries behind the end of a queue file."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import postfix_queue_files as golden
from fakes.crash_file_system import CrashFileSystem
from pillarbox.files.file_system import DISK
from pillarbox.queue.active_files import ActiveFiles, Opened
from pillarbox.queue.delivery_notes import DeliveryNotes, delivery_key
from pillarbox.queue.file_source import FileSource
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_file import read_message

RUN, NEXT_RUN = b"this run", b"next run"
CONTENT = golden.A_TWO_RECIPIENTS


def opened(files: CrashFileSystem, content: bytes = CONTENT) -> int:
    """A queue file's descriptor."""
    files.make_directories("/q")
    files.make_file("/q/message", content)
    return files.open("/q/message", os.O_RDWR)


def key(number: int) -> bytes:
    """Of some delivery."""
    return delivery_key(number, b"/mail/me/", b"Delivered-To: me\n")


@given(st.sets(st.integers(0, 10**6), max_size=30), st.sets(st.integers(0, 10**6), max_size=30))
def test_what_was_noted_is_known(made: set[int], others: set[int]) -> None:
    """By whoever opens the file later, in the same run of the kernel; nothing else is."""
    files = CrashFileSystem()
    descriptor = opened(files)
    for number in made:
        DeliveryNotes(descriptor, has_some=False, files=files, run=RUN).make(key(number))
    later = DeliveryNotes(descriptor, has_some=True, files=files, run=RUN)
    assert made == {number for number in made | others if later.has(key(number))}
    after_crash = DeliveryNotes(descriptor, has_some=True, files=files, run=NEXT_RUN)
    assert not any(after_crash.has(key(number)) for number in made)
    unasked = DeliveryNotes(descriptor, has_some=False, files=files, run=RUN)
    assert not any(unasked.has(key(number)) for number in made)


def test_more_than_are_read_at_once() -> None:
    """All of a message of many recipients are found, and those that were withdrawn are not."""
    files = CrashFileSystem()
    descriptor = opened(files)
    notes = DeliveryNotes(descriptor, has_some=False, files=files, run=RUN)
    for number in range(2500):
        notes.make(key(number))
    for number in (0, 1234, 2499):
        notes.withdraw(key(number))
    later = DeliveryNotes(descriptor, has_some=True, files=files, run=RUN)
    assert {0, 1234, 2499} == {number for number in range(2500) if not later.has(key(number))}


def test_each_part_of_a_key_counts() -> None:
    """Recipient, mailbox, header lines."""
    keys = {
        delivery_key(1, b"/a/", b"x"),
        delivery_key(2, b"/a/", b"x"),
        delivery_key(1, b"/b/", b"x"),
        delivery_key(1, b"/a/", b"y"),
    }
    assert 4 == len(keys)


def test_a_note_that_is_cut_off_hides_no_message() -> None:
    """What does not end in whole notes has none: the delivery is made again."""
    files = CrashFileSystem()
    descriptor = opened(files)
    DeliveryNotes(descriptor, has_some=False, files=files, run=RUN).make(key(1))
    files.truncate(descriptor, files.fstat(descriptor).st_size - 1)
    assert not DeliveryNotes(descriptor, has_some=True, files=files, run=RUN).has(key(1))


def test_a_disk_that_is_full_keeps_no_delivery_back() -> None:
    """There is no note then."""
    files = CrashFileSystem(fail=lambda operation, path: errno.ENOSPC if operation == "write" else None)
    descriptor = opened(files)
    notes = DeliveryNotes(descriptor, has_some=False, files=files, run=RUN)
    notes.make(key(1))
    notes.withdraw(key(1))
    assert CONTENT == files.files()["/q/message"]


def test_a_kernel_that_is_not_known_has_none() -> None:
    """Without a boot_id nothing is noted, and no note counts."""
    files = CrashFileSystem()
    descriptor = opened(files)
    DeliveryNotes(descriptor, has_some=False, files=files, run=RUN).make(key(1))
    noted = files.files()["/q/message"]
    nobody = DeliveryNotes(descriptor, has_some=True, files=files, run=b"")
    nobody.make(key(2))
    nobody.withdraw(key(1))
    assert not nobody.has(key(1))
    assert noted == files.files()["/q/message"]


def test_writers_of_one_file_do_not_overwrite_each_other(tmp_path: Path) -> None:
    """Agents of two owners have the same file open, each at its own place."""
    path = tmp_path / "message"
    path.write_bytes(CONTENT)
    descriptors = [os.open(path, os.O_RDWR) for _ in range(2)]
    both = [DeliveryNotes(descriptor, has_some=False, files=DISK, run=RUN) for descriptor in descriptors]
    for number in range(10):
        both[number % 2].make(key(number))
    later = DeliveryNotes(descriptors[0], has_some=True, files=DISK, run=RUN)
    assert all(later.has(key(number)) for number in range(10))
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.mark.parametrize("content", [golden.A_TWO_RECIPIENTS, golden.D_MILTER], ids=["plain", "edited"])
def test_the_queue_manager_sees_that_there_may_be_some(content: bytes) -> None:
    """And reads the message as without.  In a file that a milter has edited the end record is not the last."""
    is_edited = content is golden.D_MILTER
    for noted in (False, True):
        files = CrashFileSystem()
        for name in ("incoming", "active"):
            files.make_directories(f"/q/{name}")
        files.make_file("/q/incoming/ABCDEF0123", content, mode=0o700)
        descriptor = files.open("/q/incoming/ABCDEF0123", os.O_RDWR)
        before = read_message(FileSource(descriptor, files=files))
        if noted:
            DeliveryNotes(descriptor, has_some=False, files=files, run=RUN).make(key(1))
        manager = ActiveFiles(QueueDirectories("/q", file_system=files), file_system=files)
        (found,) = manager.open_batch([("ABCDEF0123", "incoming")], now=2e9)  # type: ignore[list-item]
        assert isinstance(found, Opened)
        assert (noted or is_edited) == found.message.is_noted
        assert before.recipients == found.message.recipients
        assert is_edited or len(content) == found.message.end
