"""Settings for every test: examples are the same in every run, and the host is in UTC; what runs beside what; the end of the run."""

import gc
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from fakes.closing_report import ClosingReport
from fakes.directories import DISK, PREFIXES, directory_of_this_process, forget_earlier_runs
from fakes.examples import examples
from fakes.forked_runs import ForkedRuns
from fakes.process_groups import scheduling

settings.register_profile(
    "quick",
    derandomize=True,
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("quick")
os.environ["TZ"] = "UTC"
time.tzset()


def pytest_addoption(parser: pytest.Parser) -> None:
    """In how many processes quick tests run."""
    parser.addoption("--copies", type=int, default=0, help="run tests in so many copies of this process")


_DIRECTORY = pytest.StashKey[str]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have the closing report, and a temporary directory for each process that runs tests.

    pytest's own are below a directory that every other run of pytest closes to the users that daemons become.
    """
    config.pluginmanager.register(ClosingReport())
    if copies := config.getoption("copies"):
        config.pluginmanager.register(ForkedRuns(copies))
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    only_hands_out = not worker and config.getoption("numprocesses", None)
    if worker or (config.option.basetemp is None and not only_hands_out):
        forget_earlier_runs(PREFIXES)
        directory = config.stash[_DIRECTORY] = str(directory_of_this_process(PREFIXES[0]))
        config.option.basetemp = f"{directory}/{worker or 'run'}"


def pytest_collection_finish() -> None:
    """What the tests themselves are made of need not be looked through each time that one looks for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def disk_path() -> Iterator[Path]:
    """A new directory for what is asked of a disk; temporary files may be in memory."""
    with tempfile.TemporaryDirectory(prefix=PREFIXES[0], dir=DISK) as directory:
        yield Path(directory)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs root."""
    if any(item.iter_markers("root")) and os.getuid() != 0:
        pytest.skip("needs root")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep temporary directories only for who wants to see why a test failed."""
    directory = session.config.stash.get(_DIRECTORY, "")
    if directory and not session.testsfailed:
        shutil.rmtree(directory, ignore_errors=True)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """`--dist loadscope` has groups that share a started system."""
    return scheduling(config, log) if config.getoption("dist") == "loadscope" else None
