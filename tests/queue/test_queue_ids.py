"""Queue ids, short and long, and the directories they lead to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_ids import hash_text, is_queue_id, long_queue_id, short_queue_id
from pillarbox.vocabulary.identifiers import QueueId


def test_a_short_id_is_postfixs() -> None:
    """Microseconds in five hex digits at least, then the inode, which a takeover looks at."""
    assert short_queue_id(1795353636.069365, 0x2301A4) == "10EF52301A4"
    assert short_queue_id(7.0, 0xA) == "00000A"


@given(st.integers(0, 4 * 10**9), st.integers(0, 999_999), st.integers(0, 2**40))
def test_long_ids_hash_by_their_microseconds(seconds: int, microseconds: int, inode: int) -> None:
    """As a short id of the same moment would."""
    queue_id = long_queue_id(seconds + microseconds / 1_000_000, inode)
    assert is_queue_id(queue_id)
    assert abs(int(hash_text(queue_id), 16) - microseconds) <= 1


@given(st.integers(0, 4 * 10**9), st.integers(1, 10**6))
def test_long_ids_sort_by_time(seconds: int, later: int) -> None:
    """Older messages have smaller ids."""
    assert long_queue_id(seconds, 7) < long_queue_id(seconds + later, 7)


NAMES = [("10F512301A4", True), ("4BqVmk1XYZz9hw", True), ("A", False), ("", False), ("12.34.5", False),
         ("../x", False), ("a/b", False), (".hidden", False), ("é1", False), ("a\n", False)]  # fmt: skip


@pytest.mark.parametrize(("name", "valid"), NAMES)
def test_other_files_are_no_messages(name: str, valid: bool) -> None:
    """Temporary files, directories, and names that lead elsewhere."""
    assert is_queue_id(name) is valid


def test_hashed_queues() -> None:
    """hash_queue_names and hash_queue_depth."""
    queue_id = QueueId("10F512301A4")
    assert QueueDirectories("/q").path("incoming", queue_id) == "/q/incoming/10F512301A4"
    assert QueueDirectories("/q").path("deferred", queue_id) == "/q/deferred/1/10F512301A4"
    assert QueueDirectories("/q", depth=2).path("defer", queue_id) == "/q/defer/1/0/10F512301A4"
