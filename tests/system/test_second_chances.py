"""What is run again of the system tests, and what is not."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.system

TESTS: Final = '''
import pathlib, pytest
pytestmark = pytest.mark.system

def passes_now(name):
    """From the second time on."""
    file = pathlib.Path(name)
    seen = file.exists()
    file.touch()
    return seen

def test_good():
    pass

{}
'''
ONCE: Final = "def test_once():\n    assert passes_now('once')\n"
FIXTURE: Final = (
    "@pytest.fixture\ndef broken():\n    assert passes_now('f')\n\ndef test_of_it(broken):\n    pass\n"
)
BAD: Final = "def test_bad():\n    assert False\n"
BAD_PART: Final = "def test_part(subtests):\n    with subtests.test('a'):\n        assert False\n"
OFTEN: Final = "".join(f"def test_{n}():\n    assert passes_now('{n}')\n" for n in range(5))


@pytest.mark.parametrize(
    ("tests", "status", "again", "said"),
    [
        pytest.param("", 0, False, "1 passed", id="none failed"),
        pytest.param(
            f"{ONCE}{FIXTURE}",
            0,
            True,
            "passed only with no test beside them: tests/system/test_some.py::test_once, "
            "tests/system/test_some.py::test_of_it\n",
            id="once, and once by a fixture",
        ),
        pytest.param(
            BAD, 1, True, "again, with no test beside them: tests/system/test_some.py::test_bad\n", id="twice"
        ),
        pytest.param(
            f"{ONCE}{BAD_PART}",
            1,
            True,
            "again, with no test beside them: tests/system/test_some.py::test_once, "
            "tests/system/test_some.py::test_part\n",
            id="once, and a subtest twice",
        ),
        pytest.param(f"@pytest.mark.proof\n{ONCE}", 1, False, "1 failed, 1 passed", id="a proof"),
        pytest.param(OFTEN, 1, False, "5 failed, 1 passed", id="many"),
    ],
)
def test_second_chances(tmp_path: Path, tests: str, status: int, again: bool, said: str) -> None:
    """A failure counts if it comes twice, if it is a proof's, or if there are many."""
    (tmp_path / "tests/system").mkdir(parents=True)
    (tmp_path / "tests/system/test_some.py").write_text(TESTS.format(tests))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    system\n    proof\n")
    done = subprocess.run(
        [sys.executable, "-m", "system.run", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # of which none is needed, and loading takes the longest
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, said in done.stdout) == (status, True), done.stdout + done.stderr
    assert ("again, with" in done.stdout) == again
