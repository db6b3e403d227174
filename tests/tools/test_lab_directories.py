"""Where `pillarbox lab` is, and that nothing of it stays."""

import os
import tempfile
from pathlib import Path

import pytest

from pillarbox.tools.lab import lab_directory


def test_what_a_killed_lab_has_left_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next lab removes it; a lab that runs, one that may just be starting, and other directories stay."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed, starting, other = (
        tmp_path / f"pillarbox-lab-{name}" for name in ("killed_1", "starting", "kept-by-somebody")
    )
    for directory in (killed, starting, other):
        (directory / "mta").mkdir(parents=True)
    with lab_directory(None) as running:
        for directory in (killed, other, running):
            os.utime(directory, (0, 0))
        with lab_directory(None) as path:
            assert set(tmp_path.iterdir()) == {starting, other, running, path}
    assert set(tmp_path.iterdir()) == {starting, other}
