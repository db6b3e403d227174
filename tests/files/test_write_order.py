"""Order is kept where it is known to be, and nowhere else."""

import os
import subprocess
from pathlib import Path

from pillarbox.files.write_order import write_out


def test_by_the_file_system(tmp_path: Path) -> None:
    """ext4 and XFS keep order; the content is as it was."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", tmp_path], capture_output=True, text=True).stdout.strip()
    path = tmp_path / "a"
    with path.open("w+b", buffering=0) as file:
        file.write(b"x" * 10_000)
        assert write_out(file.fileno()) == (kind in ("ext2/ext3", "xfs"))
    assert path.read_bytes() == b"x" * 10_000


def test_not_in_memory() -> None:
    """Of a file system that is not known nothing is promised."""
    descriptor = os.memfd_create("a")
    try:
        assert not write_out(descriptor)
    finally:
        os.close(descriptor)
