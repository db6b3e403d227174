"""flush/: which deferred messages a site has."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.site_logs import SiteLogs, site_name, site_of
from pillarbox.vocabulary.identifiers import QueueId

FIRST, SECOND, THIRD = (QueueId(f"10F512301A{digit}") for digit in "123")
NOW = 1_900_000_000.0
HOUR = 3600.0


@pytest.fixture
def directories(tmp_path: Path) -> QueueDirectories:
    found = QueueDirectories(str(tmp_path))
    found.create()
    return found


@pytest.fixture
def logs(directories: QueueDirectories) -> SiteLogs:
    return SiteLogs(directories)


def defer(directories: QueueDirectories, queue_id: QueueId) -> None:
    path = Path(directories.path("deferred", queue_id))
    path.parent.mkdir(exist_ok=True)
    path.touch()


def test_a_file_is_as_postfix_has_it(logs: SiteLogs, tmp_path: Path) -> None:
    """A line for each message; the name has no letter that a file name could not have."""
    logs.note("Mail-1.dest.example", FIRST)
    logs.note("mail-1.dest.example", SECOND)
    logs.note("[192.0.2.1]", THIRD)
    assert (tmp_path / "flush/mail_1_dest_example").read_text() == f"{FIRST}\n{SECOND}\n"
    assert (tmp_path / "flush/_192_0_2_1_").read_text() == f"{THIRD}\n"
    assert (tmp_path / "flush/_192_0_2_1_").stat().st_mode & 0o777 == 0o600


def test_hashed(tmp_path: Path) -> None:
    """hash_queue_names may name flush, too."""
    directories = QueueDirectories(str(tmp_path), hashed=("flush",), depth=2)
    directories.create()
    SiteLogs(directories).note("dest.example", FIRST)
    assert (tmp_path / "flush/d/e/dest_example").read_text() == f"{FIRST}\n"
    assert list(SiteLogs(directories).take("dest.example")) == [FIRST]


def test_what_was_taken_is_forgotten(logs: SiteLogs) -> None:
    """Each once, in the order in which it came; what is no id is passed over."""
    for queue_id in (SECOND, FIRST, SECOND):
        logs.note("dest.example", queue_id)
    logs.note("dest.example", QueueId("../../etc/passwd"))
    assert list(logs.take("DEST.example")) == [SECOND, FIRST]
    assert list(logs.take("dest.example")) == []
    assert list(logs.take("other.example")) == []


def test_what_is_deferred_again_meanwhile_stays(logs: SiteLogs) -> None:
    """A message may be tried, and noted once more, before the last of the file was looked at."""
    for queue_id in (FIRST, SECOND):
        logs.note("dest.example", queue_id)
    taken = logs.take("dest.example")
    assert next(taken) == FIRST
    logs.note("dest.example", FIRST)
    logs.note("dest.example", THIRD)
    assert list(taken) == [SECOND]
    assert list(logs.take("dest.example")) == [FIRST, THIRD]


def test_who_stops_in_between_has_forgotten_nothing(logs: SiteLogs) -> None:
    """A queue manager that ends before all was handed on."""
    for queue_id in (FIRST, SECOND):
        logs.note("dest.example", queue_id)
    next(logs.take("dest.example"))
    assert list(logs.take("dest.example")) == [FIRST, SECOND]


@given(st.lists(st.integers(0, 400), max_size=600))
def test_all_that_was_noted_is_found(tmp_path_factory: pytest.TempPathFactory, numbers: list[int]) -> None:
    """Whatever the order and however often."""
    directories = QueueDirectories(str(tmp_path_factory.mktemp("queue")))
    directories.create()
    ids = [QueueId(f"10F51{number:X}") for number in numbers]
    logs = SiteLogs(directories)
    for queue_id in ids:
        logs.note("dest.example", queue_id)
    assert list(logs.take("dest.example")) == list(dict.fromkeys(ids))


def test_a_long_file(logs: SiteLogs, tmp_path: Path) -> None:
    """Lines that lie across the parts in which it is read; the last one may be torn."""
    ids = [f"{number:011X}" for number in range(20_000)]
    (tmp_path / "flush/dest_example").write_text("\n".join(ids) + "\nTORN")
    assert list(logs.take("dest.example")) == ids


def test_no_link_is_followed(logs: SiteLogs, tmp_path: Path) -> None:
    """Nothing but a file of the queue's is written to or emptied."""
    other = tmp_path / "other"
    other.write_text(f"{FIRST}\n")
    (tmp_path / "flush/dest_example").symlink_to(other)
    assert list(logs.take("dest.example")) == []
    with pytest.raises(OSError, match="symbolic links"):
        logs.note("dest.example", SECOND)
    assert other.read_text() == f"{FIRST}\n"


def test_files_do_not_grow_for_ever(directories: QueueDirectories, logs: SiteLogs, tmp_path: Path) -> None:
    """Of one that nobody has read for long that stays which is still deferred; one that is empty for long goes."""
    for _ in range(30):
        logs.note("dest.example", FIRST)
        logs.note("dest.example", SECOND)
    defer(directories, SECOND)
    log, empty = tmp_path / "flush/dest_example", tmp_path / "flush/empty_example"
    empty.touch()
    before = log.read_text()
    for path in (log, empty):
        os.utime(path, (NOW, NOW))
    logs.tidy(now=NOW + HOUR, refresh=2 * HOUR, purge=3 * HOUR)
    assert log.read_text() == before
    os.utime(log, (NOW, NOW))
    logs.tidy(now=NOW + 2.5 * HOUR, refresh=2 * HOUR, purge=3 * HOUR)
    assert log.read_text() == f"{SECOND}\n"
    assert empty.exists()
    logs.tidy(now=NOW + 3.5 * HOUR, refresh=2 * HOUR, purge=3 * HOUR)
    assert not empty.exists()
    assert list(logs.take("dest.example")) == [SECOND]


@pytest.mark.parametrize(
    ("address", "site"),
    [
        (b"user@Dest.Example", "dest.example"),
        (b'"a@b"@dest.example', "dest.example"),
        (b"user@[192.0.2.1]", "[192.0.2.1]"),
        ("user@bücher.example".encode(), "xn--bcher-kva.example"),
        (b"user", ""),
        (b"", ""),
        (b"user@", ""),
        (b"user@\xff\xfe", ""),
        (b"user@" + b"a" * 300, ""),
    ],
)
def test_whose_mail_it_is(address: bytes, site: str) -> None:
    """What stands behind the last @."""
    assert site_of(address) == site


def test_a_name_that_nobody_can_have() -> None:
    """Nothing that is written to disk is as long as somebody likes."""
    assert site_name(b"x." * 200) == ""
