"""Runs tests in several processes, each a copy of the one that has collected them: `pytest --copies N`.

DESCRIPTION
    pytest-xdist's processes import and collect all tests, each for itself, and tell the one that writes the end of the
    run of three steps for each test.  Of quick tests, which take a few milliseconds each, that was a fourth of the
    processor time.  Here the tests are collected once; then the process copies itself by fork(2).

        copy ← numbers of modules ← one pipe for all copies, full from the start: who is done takes the next
        copy → lines of JSON: number of a test that begins, or report → a pipe each → as if it had run here

    A setup or teardown that passed is not told of, so --durations knows only what tests did themselves.

FAULTS
    A copy that ends before its time is a failure of the test that it was at; the rest of its module is not run.
"""

import contextlib
import json
import os
import selectors
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from itertools import groupby, zip_longest
from typing import Any, Final, TextIO, TypeAlias, cast

import pytest
from _pytest._io import TerminalWriter

_NUMBER: Final = 2
"""Octets of a module's number."""


_Modules: TypeAlias = Sequence[Sequence[tuple[int, pytest.Item]]]
"""The tests of each module, and their numbers."""


class ForkedRuns:
    """A plugin of pytest."""

    def __init__(self, copies: int) -> None:
        self._copies = copies

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """In place of pytest's own, which is for faults of collecting, and for --collect-only."""
        if session.testsfailed or session.config.option.collectonly:
            return None
        numbered = enumerate(session.items)
        modules = [list(tests) for _, tests in groupby(numbered, lambda test: test[1].path)]
        cast(Any, session.config)._tmp_path_factory.getbasetemp()  # the first that asks for it makes it anew
        with contextlib.ExitStack() as stack:
            numbers, full = os.pipe()
            stack.callback(os.close, numbers)
            os.write(full, b"".join(number.to_bytes(_NUMBER) for number in range(len(modules))))
            os.close(full)
            selector = stack.enter_context(selectors.DefaultSelector())
            for _ in range(self._copies):
                copy = stack.enter_context(_copy(session, modules, numbers))
                selector.register(copy.speech, selectors.EVENT_READ, copy)
            while selector.get_map():
                for key, _ in selector.select():
                    if not cast(_Copy, key.data).take():
                        selector.unregister(key.fileobj)
        return True


class _Copy:
    """What its parent knows of it."""

    def __init__(self, session: pytest.Session, process: int, speech: int) -> None:
        self.process = process
        self.speech = speech
        self._session = session
        self._test: int | None = None
        self._ended = False
        self._line = b""

    def take(self) -> bool:
        """What it has said meanwhile; False when it has ended."""
        said = os.read(self.speech, 1 << 16)
        *lines, self._line = (self._line + said).split(b"\n")
        for line in lines:
            self._hear(json.loads(line))
        if not said and self._test is not None:
            self._fail(self._test)
        return bool(said) and not self._ended

    def _hear(self, word: Any) -> None:  # noqa: ANN401
        """The number of a test that begins, None at the end, a report, or what was raised outside tests."""
        hook = self._session.config.hook
        if isinstance(word, dict):
            report = hook.pytest_report_from_serializable(config=self._session.config, data=word)
            if isinstance(report.longrepr, list):  # of a skipped test: JSON knows no tuple
                report.longrepr = tuple(report.longrepr)
            hook.pytest_runtest_logreport(report=report)
            if self._session.shouldfail:
                raise self._session.Failed(self._session.shouldfail)
        elif isinstance(word, str):
            raise RuntimeError(word)
        else:
            self._test, self._ended = word, word is None

    def _fail(self, number: int) -> None:
        """The test at which it ended has failed."""
        end = os.waitid(os.P_PID, self.process, os.WEXITED | os.WNOWAIT)
        assert end is not None
        test = self._session.items[number]
        how = "exit" if end.si_code == os.CLD_EXITED else "signal"
        what = f"the process ended: {how} {end.si_status}"
        report = pytest.TestReport(test.nodeid, test.location, {}, "failed", what, "call")
        self._session.config.hook.pytest_runtest_logreport(report=report)


class _Speech:
    """A plugin that tells the parent of each test, in one write when the next begins."""

    def __init__(self, config: pytest.Config, speaks: int) -> None:
        self._config = config
        self._words = os.fdopen(speaks, "w", buffering=1 << 20)

    def begin(self, number: int) -> None:
        """The test with this number is next."""
        self._say(number)
        self._words.flush()

    def end(self, fault: str | None) -> None:
        """There is no more, or something was raised that is no test's."""
        self._say(fault)
        self._words.close()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A step of a test, or a subtest."""
        if report.when == "call" or not report.passed:
            # A terminal's plugin asks for the status, by which a test fails of which a subtest has failed.
            self._config.hook.pytest_report_teststatus(report=report, config=self._config)
            self._say(self._config.hook.pytest_report_to_serializable(config=self._config, report=report))

    def _say(self, word: object) -> None:
        self._words.write(json.dumps(word) + "\n")


@contextlib.contextmanager
def _copy(session: pytest.Session, modules: _Modules, numbers: int) -> Iterator[_Copy]:
    """A copy of this process at work, which ends with the run."""
    hears, speaks = os.pipe()
    process = os.fork()
    if not process:
        try:
            _work(session, modules, numbers, speaks)
        finally:
            os._exit(0)
    os.close(speaks)
    try:
        yield _Copy(session, process, hears)
    except BaseException:
        os.kill(process, signal.SIGINT)  # its test tidies up
        raise
    finally:
        os.close(hears)
        os.waitpid(process, 0)


def _work(session: pytest.Session, modules: _Modules, numbers: int, speaks: int) -> None:
    """Take modules and run their tests until there is none."""
    speech = _Speech(session.config, speaks)
    fault = None
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
        _write_nothing(session.config)
        session.config.pluginmanager.register(speech)
        while number := os.read(numbers, _NUMBER):
            tests = modules[int.from_bytes(number)]
            for (test, item), following in zip_longest(tests, [item for _, item in tests[1:]]):
                speech.begin(test)
                session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    except BaseException:
        fault = traceback.format_exc()
    speech.end(fault)


def _write_nothing(config: pytest.Config) -> None:
    """The parent writes of the run, and what tests write is caught in files of this process's own."""
    config.pluginmanager.unregister(name="terminalreporter")
    config.pluginmanager.register(_Terminal(), "terminalreporter")
    capture = cast(Any, config.pluginmanager.getplugin("capturemanager"))
    capture.stop_global_capturing()
    capture.start_global_capturing()
    capture.suspend_global_capture()


class _Terminal:
    """What plugins take for one: the stacks of a test whose time is over are caught with what the test has written."""

    def __init__(self) -> None:
        self._tw = TerminalWriter(cast(TextIO, self))

    def write(self, text: str) -> None:
        """To whatever catches it at the time."""
        sys.stderr.write(text)

    def flush(self) -> None:
        """It is."""
