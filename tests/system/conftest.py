"""Systems to test, the counterparts they meet, and the table at the end that says which was met.

DESCRIPTION
    Run by root, all of this happens in a network namespace of our own: ports are fixed and clash with nobody.

    A test names its counterparts by `@pytest.mark.peer("swaks", "curl")`.  One that is missing is a failure in
    CI and for root (scripts/install-peers has put it there), and a counted skip elsewhere.

    The tests run in several processes (pytest-xdist), each with namespaces of its own, or else ports of its own.
    Tests that share a started system stay together (fakes/process_groups.py).
"""

import os
import re
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Final

import pytest
from pluggy import Result

from fakes import counterparts
from fakes.closing_report import teller, will_meet
from fakes.imap_exchanges import Both, DovecotImap
from fakes.imap_scripts import PREPARATION
from fakes.mail_system import PATIENCE, PATIENT_WITH_GUESSERS, MailSystem, NoRootless, rootless_prefix
from fakes.namespaces import leave_the_hosts
from fakes.process_groups import seconds
from pillarbox.sessions.imap import session

_SHOWN_OCTETS: Final = 6000
"""Of a log, with a failure."""


def must_have_all() -> bool:
    """Whether what is missing is an error."""
    return os.environ.get("CI", "") not in ("", "0", "false") or os.getuid() == 0


@pytest.fixture(scope="session", autouse=True)
def patient_sessions() -> Iterator[None]:
    """A session of ours in this process answers a long command before it reads on, so that the answer is whole."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "PATIENCE", 60)
        yield


@pytest.fixture(scope="session", autouse=True)
def own_namespaces(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A network with nothing but lo, and mounts of our own.  Where that is forbidden, free ports are chosen."""
    if (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ):  # a shell's background: what we start would not hear Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.getuid() != 0:
        return
    tmp_path_factory.getbasetemp().chmod(0o755)  # roles run as users of their own
    leave_the_hosts()


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
    system.configure_mailboxes(PATIENT_WITH_GUESSERS)
    make_users(system, request)
    with system.running():
        yield system
        system.until_healthy()  # a change of users at the very end may still be on its way


@pytest.fixture
def user(mail_system: MailSystem, request: pytest.FixtureRequest) -> str:
    """A user for this test alone, who was there when the system started (`make_users`)."""
    return _user_for(request.node)


def make_users(system: MailSystem, request: pytest.FixtureRequest) -> None:
    """Have a user for each test that this fixture of a module is for and that wants one: before the system starts."""
    users = {
        _user_for(item)
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.path == request.path
        and "user" in item.fixturenames
        and _parameter(item, "mail_system") == getattr(request, "param", None)
    }
    if users:
        system.make_home(sorted(users))


def _parameter(item: pytest.Function, fixture: str) -> object:
    return item.callspec.params.get(fixture) if hasattr(item, "callspec") else None


def _user_for(item: pytest.Item) -> str:
    return re.sub(r"[^a-z0-9]+", "-", item.name.lower()).strip("-") + "@pillarbox.test"


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


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say a line at the end of the run."""
    return teller(request.node)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest groups come first; a busy machine may keep a test waiting.

    pytest-timeout is for tests that hang: each wait has its own bound, and tells what was waited for.
    """
    items.sort(key=lambda item: -seconds(item.nodeid))
    for item in items:
        if item.get_closest_marker("system") is not None and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(5 * PATIENCE))


def _peers(item: pytest.Item) -> tuple[str, ...]:
    return tuple(name for marker in item.iter_markers("peer") for name in marker.args)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse or skip a test whose counterparts are not all here."""
    peers = _peers(item)
    missing = [name for name in peers if not counterparts.is_here(name)]
    if missing:
        (pytest.fail if must_have_all() else pytest.skip)(f"not installed: {', '.join(missing)}")
    if peers:
        will_meet(item, peers)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Result[pytest.TestReport], None]:
    """Show with a failure what the systems of the test wrote into their logs last."""
    report = (yield).get_result()
    if not report.failed or not isinstance(item, pytest.Function):
        return
    for name, system in item.funcargs.items():
        if isinstance(system, MailSystem):
            report.sections.append((f"log of {name}", system.log()[-_SHOWN_OCTETS:]))


@pytest.fixture
def both() -> Iterator[Both]:
    """A tree made by Dovecot, and what both servers say about it."""
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        base.chmod(0o755)
        making = base / "prepared"
        making.mkdir()
        server = DovecotImap(making, patience=20)
        for line in PREPARATION:
            answer = server.say(line)
            assert b"\r\nx OK" in b"\r\n" + answer, (line, answer)
        server.close()
        for index in (making / "Maildir").rglob("dovecot*.index*"):
            index.unlink()
        (base / "copies").mkdir()
        with Both(base / "copies", making / "Maildir") as pair:
            yield pair
