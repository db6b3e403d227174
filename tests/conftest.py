"""Settings for every test: examples are the same in every run; what runs beside what; the end of the run."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from fakes.closing_report import ClosingReport
from fakes.process_groups import scheduling

settings.register_profile(
    "quick", derandomize=True, max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("quick")


_DIRECTORY = pytest.StashKey[str]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have the closing report.  Where tests run in several processes, each has its temporary directories by itself.

    pytest-xdist's are one level deeper than usual, below a directory that every other run of pytest closes.
    """
    config.pluginmanager.register(ClosingReport())
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        directory = config.stash[_DIRECTORY] = tempfile.mkdtemp(prefix="pillarbox-")
        Path(directory).chmod(0o755)
        config.option.basetemp = f"{directory}/{worker}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep temporary directories only for who wants to see why a test failed."""
    directory = session.config.stash.get(_DIRECTORY, "")
    if directory and not session.testsfailed:
        shutil.rmtree(directory, ignore_errors=True)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """`--dist loadscope` has groups that share a started system."""
    return scheduling(config, log) if config.getoption("dist") == "loadscope" else None
