"""What the tests' own helpers leave behind: nothing."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fakes.connected_peers import contexts
from fakes.directories import PREFIXES, forget_earlier_runs
from fakes.namespaces import elsewhere


def test_the_other_host_is_elsewhere_before_anything_is_done() -> None:
    """What is mounted here later is not in its copy of the mounts, where it would go when ours does."""
    with elsewhere(os.getpid) as work:
        (child,) = multiprocessing.active_children()
        assert os.getuid() != 0 or os.readlink(f"/proc/{child.pid}/ns/mnt") != os.readlink(
            "/proc/self/ns/mnt"
        )
        assert work.result() == child.pid


def test_certificates_leave_no_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are in memory when they have been made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    contexts.cache_clear()
    contexts()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("prefix", PREFIXES)
def test_directories_of_runs_that_were_killed_go(
    prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last ones stay, and those of processes that run."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for number in range(5):
        directory = tmp_path / f"{prefix}{number}"
        directory.mkdir()
        (directory / "gw0").mkdir()
        os.utime(directory, (number, number))
    holding = (
        "import fakes.directories as d, sys; assert d.is_abandoned(sys.argv[1]); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(tmp_path / f"{prefix}1")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        forget_earlier_runs(PREFIXES, kept=2)
        assert sorted(path.name[-1] for path in tmp_path.iterdir()) == ["1", "3", "4"]
        other.kill()
    forget_earlier_runs(PREFIXES, kept=2)
    assert sorted(path.name[-1] for path in tmp_path.iterdir()) == ["3", "4"]


def test_no_other_run_closes_the_directories_of_this_one(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> None:
    """Daemons that became other users still find what a test has for them when somebody starts pytest beside it."""
    if any(str(word).startswith("--basetemp") for word in pytestconfig.invocation_params.args):
        pytest.skip("--basetemp was given")
    directory = tmp_path_factory.getbasetemp().parent
    assert directory.name.startswith(PREFIXES[0])  # not below pytest-of-USER
    assert directory.stat().st_mode & 0o777 == 0o755
