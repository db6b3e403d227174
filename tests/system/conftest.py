"""Systems to test, the counterparts they meet, and the table at the end that says which was met.

DESCRIPTION
    Run by root, all of this happens in a network namespace of our own: ports are fixed and clash with nobody.

    A test names its counterparts by `@pytest.mark.peer("swaks", "curl")`.  One that is missing is a failure in
    CI and for root (scripts/install-peers has put it there), and a counted skip elsewhere.
"""

import ctypes
import os
import subprocess
from collections.abc import Generator, Iterator
from typing import Final

import pytest

from fakes import counterparts
from fakes.mail_system import MailSystem, NoRootless, rootless_prefix

_CLONE_NEWNET: Final = 0x40000000
_CLONE_NEWNS: Final = 0x00020000
_MET: Final = pytest.StashKey[dict[str, tuple[str, ...]]]()


def must_have_all() -> bool:
    """Whether what is missing is an error."""
    return os.environ.get("CI", "") not in ("", "0", "false") or os.getuid() == 0


@pytest.fixture(scope="session", autouse=True)
def own_namespaces() -> None:
    """A network with nothing but lo, and mounts of our own.  Where that is forbidden, free ports are chosen."""
    if os.getuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) == 0:
        subprocess.run(["/usr/bin/env", "ip", "link", "set", "lo", "up"], check=True)
    if libc.unshare(_CLONE_NEWNS) == 0:
        subprocess.run(["/usr/bin/env", "mount", "--make-rprivate", "/"], check=True)


def _modes() -> list[str]:
    return ["rootless", "root"] if os.getuid() == 0 else ["rootless"]


def new_system(mode: str) -> MailSystem:
    """A system that has not been started."""
    if mode == "rootless":
        try:
            rootless_prefix()
        except NoRootless as reason:
            (pytest.fail if must_have_all() else pytest.skip)(str(reason))
    return MailSystem(rootless=mode == "rootless")


@pytest.fixture(scope="module", params=_modes())
def mail_system(request: pytest.FixtureRequest) -> Iterator[MailSystem]:
    """A running system for the tests of a module, in both modes; it stops cleanly and leaves no process."""
    system = new_system(request.param)
    try:
        system.start()
        yield system
        assert system.is_healthy(), f"not healthy after the tests:\n{system.log()[-3000:]}"
        assert system.stop() == 0
        assert "Traceback" not in system.log() + system.screen()
    finally:
        system.end()


@pytest.fixture(params=_modes())
def fresh_system(request: pytest.FixtureRequest) -> Iterator[MailSystem]:
    """A system that the test itself starts and stops, in both modes."""
    system = new_system(request.param)
    try:
        yield system
    finally:
        system.end()


@pytest.fixture
def rootless_system() -> Iterator[MailSystem]:
    """A system without root's rights that the test itself starts and stops."""
    system = new_system("rootless")
    try:
        yield system
    finally:
        system.end()


def pytest_configure(config: pytest.Config) -> None:
    """The list begins empty."""
    config.stash[_MET] = {}


def _peers(item: pytest.Item) -> tuple[str, ...]:
    return tuple(name for marker in item.iter_markers("peer") for name in marker.args)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse or skip a test whose counterparts are not all here, or that needs root."""
    missing = [name for name in _peers(item) if not counterparts.is_here(name)]
    if missing:
        (pytest.fail if must_have_all() else pytest.skip)(f"not installed: {', '.join(missing)}")
    if any(item.iter_markers("root")) and os.getuid() != 0:
        pytest.skip("needs root")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember whom a test met."""
    report = yield
    if report.when == "call" and report.passed and (peers := _peers(item)):
        item.config.stash[_MET][item.nodeid] = peers
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Test → counterpart and version."""
    met = config.stash[_MET]
    if not met:
        return
    terminalreporter.section("real counterparts")
    tests: dict[str, tuple[str, ...]] = {}
    for nodeid, peers in met.items():
        tests[nodeid.partition("[")[0].rpartition("/")[2]] = peers
    width = max(map(len, tests))
    for test, peers in tests.items():
        versions = ", ".join(f"{name} {counterparts.version(name)}" for name in peers)
        terminalreporter.write_line(f"{test:<{width}}  {versions}")
