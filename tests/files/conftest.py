"""What the kernel does with files is tested on a disk."""

from pathlib import Path

import pytest


@pytest.fixture
def tmp_path(disk_path: Path) -> Path:
    """In place of pytest's, which may be in memory."""
    return disk_path
