"""Settings for every test: examples are the same in every run; what runs beside what; the end of the run."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from fakes.closing_report import ClosingReport
from fakes.process_groups import scheduling

settings.register_profile(
    "quick", derandomize=True, max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("quick")


_DIRECTORY = pytest.StashKey[str]()
_PREFIX: Final = "pillarbox-pytest-"
_KEPT: Final = 8
"""Directories of processes that have ended."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have the closing report, and a temporary directory for each process that runs tests.

    pytest's own are below a directory that every other run of pytest closes to the users that daemons become.
    """
    config.pluginmanager.register(ClosingReport())
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    only_hands_out = not worker and config.getoption("numprocesses", None)
    if worker or (config.option.basetemp is None and not only_hands_out):
        _forget_earlier_runs()
        directory = config.stash[_DIRECTORY] = tempfile.mkdtemp(prefix=_PREFIX)
        _is_abandoned(directory)
        Path(directory).chmod(0o755)
        config.option.basetemp = f"{directory}/{worker or 'run'}"


def _is_abandoned(directory: str) -> bool:
    """Whether the process that made it is gone; if so, it is ours from now on, as a new one is."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    return True  # the descriptor stays open as long as this process lives


def _forget_earlier_runs() -> None:
    """Of runs that failed or were killed the last ones are kept."""
    with os.scandir(tempfile.gettempdir()) as entries:
        found = [
            (entry.stat(follow_symlinks=False).st_mtime, entry.path)
            for entry in entries
            if entry.name.startswith(_PREFIX) and entry.stat(follow_symlinks=False).st_uid == os.getuid()
        ]
    for _, path in sorted(found, reverse=True)[_KEPT:]:
        with contextlib.suppress(FileNotFoundError):  # other processes tidy up, too
            if _is_abandoned(path):
                shutil.rmtree(path, ignore_errors=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep temporary directories only for who wants to see why a test failed."""
    directory = session.config.stash.get(_DIRECTORY, "")
    if directory and not session.testsfailed:
        shutil.rmtree(directory, ignore_errors=True)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """`--dist loadscope` has groups that share a started system."""
    return scheduling(config, log) if config.getoption("dist") == "loadscope" else None
