"""Tests that run in copies of the process that collected them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.system

CONFTEST: Final = """
import os
from fakes.closing_report import ClosingReport, teller
from fakes.forked_runs import ForkedRuns

def pytest_configure(config):
    config.pluginmanager.register(ClosingReport())
    config.pluginmanager.register(ForkedRuns(2))
"""
FIRST: Final = """
import os, pytest
from fakes.closing_report import teller

def test_that_passes(request, tmp_path):
    teller(request.node)("seed 7")
    print("passed")

def test_that_fails():
    print("what it had written")
    assert 1 == 2

def test_that_is_skipped():
    pytest.skip("for a reason")

@pytest.fixture
def broken():
    yield
    assert 3 == 4

def test_that_takes_too_long(request):
    writer = request.config.get_terminal_writer()
    writer.sep("~", "Stack of a thread")
    assert 9 == 10

def test_with_a_broken_end(broken):
    pass

@pytest.mark.xfail
def test_that_is_expected_to_fail():
    assert 5 == 6

def test_of_parts(subtests):
    with subtests.test("one"):
        assert 7 == 8
"""
SECOND: Final = """
import os

def test_that_ends_its_process():
    os._exit(7)

def test_that_never_runs():
    pass
"""
LAST_FAILED: Final = ".pytest_cache/v/cache/lastfailed"
THIRD: Final = "def test_in_the_other_copy():\n    pass\n"


def run(directory: Path, *arguments: str, **modules: str) -> subprocess.CompletedProcess[str]:
    """pytest with these modules."""
    for name, text in {"conftest": CONFTEST, **modules}.items():
        (directory / f"{name}.py").write_text(text)
    return subprocess.run(
        [
            "/bin/sh",
            "-c",
            """trap '' INT; exec "$@" """,
            "sh",
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-ra",
            "--import-mode=importlib",
            *arguments,
        ],
        cwd=directory,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_reports_are_as_if_the_tests_had_run_in_one_process(tmp_path: Path) -> None:
    """Failures with what they wrote, skipped tests with their reason, fixtures, subtests, what tests told, and a crash."""
    done = run(tmp_path, test_1=FIRST, test_2=SECOND, test_3=THIRD)
    said = done.stdout
    assert done.returncode == 1, said + done.stderr
    for line in (
        "what it had written",
        "seed 7",
        "~ Stack of a thread ~",
        "SKIPPED [1] test_1.py:14: for a reason",
        "XFAIL test_1.py::test_that_is_expected_to_fail",
        "FAILED test_1.py::test_that_fails - assert 1 == 2",
        "ERROR test_1.py::test_with_a_broken_end - assert 3 == 4",
        "FAILED test_2.py::test_that_ends_its_process - the process ended: exit 7",
    ):
        assert line in said, said
    assert re.search(r"5 failed, 3 passed, 1 skipped, 1 xfailed, 1 error in", said), said
    assert {nodeid.partition("::")[2] for nodeid in json.loads((tmp_path / LAST_FAILED).read_text())} == {
        "test_that_fails",
        "test_that_takes_too_long",
        "test_with_a_broken_end",
        "test_of_parts",
        "test_that_ends_its_process",
    }


def test_it_stops_at_the_first_failure_if_it_shall(tmp_path: Path) -> None:
    """-x, in a shell's background, too, where nobody hears SIGINT."""
    hanging = "import time\n\ndef test_of_a_day():\n    time.sleep(86400)\n"
    done = run(tmp_path, "-x", test_1=hanging, test_2="def test_bad():\n    assert False\n")
    assert (done.returncode, "stopping after 1 failures" in done.stdout) == (1, True), (
        done.stdout + done.stderr
    )


def test_what_a_plugin_raises_ends_the_run(tmp_path: Path) -> None:
    """It is no test's."""
    hook = "\n\ndef pytest_runtest_logstart():\n    raise RuntimeError('of a plugin')\n"
    done = run(tmp_path, conftest=CONFTEST + hook, test_1=THIRD)
    assert (done.returncode, "of a plugin" in done.stdout) == (3, True), done.stdout + done.stderr
