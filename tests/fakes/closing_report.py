"""What stands at the end of a test run: lines that tests told, and test → real counterpart and version.

DESCRIPTION
    Tests run in several processes.  Both lists travel as user properties of a test's report (`told` and `met`),
    which pytest-xdist carries to the process that writes the end of the run.
"""

from collections.abc import Callable, Sequence
from typing import Final

import pytest

from fakes import counterparts

_TOLD: Final = "told"
_MET: Final = "met"


def teller(item: pytest.Item) -> Callable[[str], None]:
    """How a test says a line at the end of the run, whether it passes or not: a seed, a count."""

    def tell(line: str) -> None:
        print(line)  # a failing test has it beside its failure too
        item.user_properties.append((_TOLD, line))

    return tell


def will_meet(item: pytest.Item, peers: Sequence[str]) -> None:
    """If the test passes, it has met these counterparts."""
    item.user_properties.append((_MET, ", ".join(peers)))


class ClosingReport:
    """A plugin of pytest."""

    def __init__(self) -> None:
        self._told: list[str] = []
        self._met: dict[str, list[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test has told and whom it met."""
        if report.when != "call":
            return
        for name, value in report.user_properties:
            if name == _TOLD:
                self._told.append(str(value))
            elif name == _MET and report.passed:
                test = report.nodeid.partition("[")[0].rpartition("/")[2]
                met = self._met.setdefault(test, [])
                met += [name for name in str(value).split(", ") if name not in met]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write both lists, if there is something on them."""
        if self._told:
            terminalreporter.section("told by tests")
        for line in self._told:
            terminalreporter.write_line(line)
        if not self._met:
            return
        terminalreporter.section("real counterparts")
        width = max(map(len, self._met))
        for test, peers in sorted(self._met.items()):
            versions = ", ".join(f"{name} {counterparts.version(name)}" for name in peers)
            terminalreporter.write_line(f"{test:<{width}}  {versions}")
