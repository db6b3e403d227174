"""Order is kept where it is known to be, and nowhere else."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from pillarbox.files.write_order import NOT_WRITTEN, Order, WrittenOut, write_out


def test_by_the_file_system(tmp_path: Path) -> None:
    """ext4 and XFS keep order; the contents are as they were."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", tmp_path], capture_output=True, text=True).stdout.strip()
    with (tmp_path / "a").open("w+b", buffering=0) as one, (tmp_path / "b").open("w+b", buffering=0) as other:
        one.write(b"x" * 10_000)
        other.write(b"y" * 100)
        out = write_out([one.fileno(), other.fileno()])
    assert (out.order is not Order.NONE) == (kind in ("ext2/ext3", "xfs"))
    assert out == NOT_WRITTEN or out.errors == [None, None]
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes()) == (b"x" * 10_000, b"y" * 100)


@pytest.mark.root
@pytest.mark.parametrize(
    ("features", "order"), [("has_journal", Order.BY_DIRECTORY), ("^has_journal", Order.BY_FILE)]
)
def test_a_journal_makes_the_difference(features: str, order: Order, tmp_path: Path) -> None:
    """ext4 without one writes what is synced, and nothing else."""
    image, place = tmp_path / "image", tmp_path / "place"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-O", features, image], check=True)
    mounted = subprocess.run(["mount", "-o", "loop", image, place], capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system in a file can be mounted here")
    try:
        with (place / "a").open("w+b", buffering=0) as file:
            file.write(b"x")
            assert write_out([file.fileno()]) == WrittenOut(order, [None])
    finally:
        subprocess.run(["umount", place], check=True)


def test_not_in_memory(tmp_path: Path) -> None:
    """Of a file system that is not known nothing is promised, nor of files of which one lies there."""
    descriptor = os.memfd_create("a")
    try:
        assert write_out([descriptor]) == NOT_WRITTEN
        with (tmp_path / "a").open("w+b", buffering=0) as file:
            assert write_out([file.fileno(), descriptor]) == NOT_WRITTEN
    finally:
        os.close(descriptor)


def test_a_file_that_cannot_be_written_out(tmp_path: Path) -> None:
    """It is told of that file alone."""
    with (tmp_path / "a").open("w+b", buffering=0) as file:
        out = write_out([file.fileno(), path_only := os.open(tmp_path, os.O_PATH)])
        os.close(path_only)
    numbers = [error.errno if error is not None else 0 for error in out.errors]
    assert out == NOT_WRITTEN or numbers == [0, errno.EBADF]
