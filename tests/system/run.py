"""Runs the system tests: `python -m system.run -n PROCESSES [ARGUMENT …]`; the arguments are pytest's.

A test that compares with a counterpart sees what that does beside several others, on any machine.  If a few fail,
they are run again, one after another with no test beside them: one that fails twice is a failure; one that passes
then is named at the end.  A proof that nothing is lost or shown wrong (marker `proof`) has no second chance.
"""

import subprocess
import sys
from typing import Final

import pytest

FEW: Final = 4
"""More than so many failures have a cause in common."""


class Failures:
    """A plugin of pytest that notes which tests failed, and whether one was a proof."""

    def __init__(self) -> None:
        self.tests: list[str] = []
        self.of_proofs = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A step of a test, or a subtest, has ended."""
        if report.failed and report.nodeid not in self.tests:
            self.tests.append(report.nodeid)
            self.of_proofs |= "proof" in report.keywords


def main() -> int:
    """The exit status of pytest."""
    failures = Failures()
    status = pytest.main(["-q", *sys.argv[1:], "-m", "system", "tests/system"], plugins=[failures])
    if status != pytest.ExitCode.TESTS_FAILED or failures.of_proofs or not 0 < len(failures.tests) <= FEW:
        return int(status)
    names = ", ".join(failures.tests)
    print(f"\nagain, with no test beside them: {names}", flush=True)
    again = subprocess.run([sys.executable, "-m", "pytest", "-q", *failures.tests], check=False)
    if not again.returncode:
        print(f"passed only with no test beside them: {names}")
    return again.returncode


if __name__ == "__main__":
    sys.exit(main())
