"""The lab's scenarios as a table: what was sent, and what each recipient got, through the real processes.

All scenarios run at once against one system, with a day in the queue; what takes days runs beside settings of its own.
"""

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.mail_system import PATIENCE, rootless_prefix
from pillarbox.lab.behaviour import Behaviour, Say
from pillarbox.lab.catalogue import SCENARIOS
from pillarbox.lab.lab import FIVE_DAYS, Lab
from pillarbox.lab.scenario import Expected, Scenario, delivered, expired, host
from pillarbox.lab.timeline import Attempt
from pillarbox.lab.verdict import Result, results

pytestmark = pytest.mark.system

DAY = 86_400.0
_LONG = {"weekend"}  # do not end within a day
_HERE = [name for name, scenario in SCENARIOS.items() if name not in _LONG and not scenario.only_port_25]


@contextlib.contextmanager
def _directory() -> Iterator[Path]:
    """Open to the users that roles become, which pytest's own directories are not for long."""
    directory = Path(tempfile.mkdtemp(prefix="pillarbox-lab-test-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def place() -> Iterator[Path]:
    """For one test."""
    with _directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def day() -> Iterator[Lab]:
    """All scenarios, to their ends."""
    scenarios = [SCENARIOS[name] for name in _HERE]
    with _directory() as directory, Lab(scenarios, seed=1, directory=directory, lifetime=DAY) as lab:
        lab.submit_all()
        lab.run(seconds=4 * PATIENCE)
        yield lab


@pytest.fixture(scope="module")
def found(day: Lab) -> dict[str, list[Result]]:
    """Recipients by scenario."""
    by_name: dict[str, list[Result]] = {}
    for result in results(day):
        by_name.setdefault(result.scenario.name, []).append(result)
    return by_name


@pytest.mark.parametrize("name", _HERE)
def test_each_recipient_gets_what_it_should(found: dict[str, list[Result]], name: str) -> None:
    """By hosts, mailboxes, notices and log, as the scenario says."""
    assert [(result.recipient, result.objections) for result in found[name]] == [
        (result.recipient, []) for result in found[name]
    ]


def test_nothing_is_left_and_nothing_broke(day: Lab) -> None:
    """An empty queue, and a log without complaints about ourselves."""
    assert not day.left()
    broken = [line for line in day.lines if re.match(r"panic|fatal|error", line.text)]
    assert not broken


def _connections(number: int) -> Callable[[Lab, str], bool]:
    """Of those that took a message."""
    return lambda lab, name: len({one.connection for one in lab.internet.host(name).received}) <= number


def _pauses(seconds: float) -> Callable[[Lab, str], bool]:
    """Between two messages at least."""
    return lambda lab, name: all(
        after.at - before.at >= seconds - 1
        for before, after in itertools.pairwise(lab.internet.host(name).received)
    )


SHARING = (
    # scenario, what is true of it, why
    ("paced", _pauses(600), "paced_destination_rate_delay"),
    (
        "narrow",
        lambda lab, name: lab.internet.host(name).most_open <= 2,
        "narrow_destination_concurrency_limit",
    ),
    ("reuse", _connections(3), "ten messages need few connections (smtp_connection_cache_on_demand)"),
    (
        "crowded",
        lambda lab, name: lab.internet.host(name).most_open <= 21,
        "at most the initial concurrency and more",
    ),
)


@pytest.mark.parametrize(("name", "holds", "why"), SHARING, ids=[row[0] for row in SHARING])
def test_connections_are_shared(day: Lab, name: str, holds: Callable[[Lab, str], bool], why: str) -> None:
    """What a host sees of several messages at once."""
    host = day.internet.host(name)
    assert holds(day, name), f"{why}: {len(host.conversations)} connections, {host.most_open} at once"


def test_a_dead_destination_is_spared(day: Lab) -> None:
    """Messages behind one that found a destination dead wait without an attempt of their own, and say why."""
    suspended = [
        attempt
        for attempt in day.attempts
        if attempt.recipient == "bob@down.test" and attempt.relay == "none"
    ]
    assert any("delivery temporarily suspended" in attempt.text for attempt in suspended)


def test_each_family_as_preferred(day: Lab) -> None:
    """smtp_address_preference, by the relay in the log."""
    if not day.internet.places.ipv6:
        pytest.skip("no IPv6 on this machine")
    relays = {attempt.recipient: attempt.relay for attempt in day.attempts}
    assert "[::1]" in relays["bob@six.test"]
    assert "[127." in relays["bob@four.test"]


def test_logins_reach_the_relayhost_over_tls_only(day: Lab) -> None:
    """The password crossed the network inside TLS, for each message."""
    (message,) = day.internet.host("relayhost").received
    assert message.user == "pillarbox"
    assert message.tls.startswith("TLSv1.")
    for conversation in day.internet.host("relayhost").conversations:
        assert conversation.index("STARTTLS") < next(
            at for at, line in enumerate(conversation) if line.startswith("AUTH")
        )


def test_a_refused_password_is_told_once(day: Lab) -> None:
    """smtp_sasl_auth_cache_name: five days of retries, one login."""
    conversations = day.internet.host("cachedlogin").conversations
    assert len(conversations) > 10
    assert sum(line.startswith("AUTH") for conversation in conversations for line in conversation) == 1


# -- retries over days -----------------------------------------------------------------------------------


ORPHAN = Scenario(
    name="orphan",
    about="a notice that cannot be returned",
    hosts=(host(None),),
    sender="",
    expected={"bob": Expected(fate="returned", attempts=None)},
)
LATE = Scenario(
    name="halfday",
    about="down for half a day",
    hosts=(host(Behaviour(replies={"connect": Say("421 4.3.2 Down", seconds=43_200)})),),
    expected={"bob": delivered(0, attempts=None, late=True)},
)

_LAG = PATIENCE
"""Seconds of the lab's time that pass while a busy machine does what is due: its clock goes on between the leaps."""
BACKOFFS = (
    # minimal_backoff_time, maximal_backoff_time, queue_run_delay, maximal_queue_lifetime, bounce_queue_lifetime
    (300.0, 4000.0, 300.0, FIVE_DAYS, FIVE_DAYS),
    (600.0, 28_800.0, 200.0, 3 * DAY, DAY),
    (3600.0, 3600.0, 900.0, DAY, 2 * DAY),
)


@pytest.fixture(scope="module", params=BACKOFFS, ids=["default", "long pauses", "every hour"])
def days(request: pytest.FixtureRequest) -> Iterator[tuple[Lab, tuple[float, ...]]]:
    """Mail that cannot be delivered, under some settings."""
    minimal, maximal, run_delay, lifetime, bounce_lifetime = request.param
    settings = (
        f"minimal_backoff_time = {minimal:.0f}s\nmaximal_backoff_time = {maximal:.0f}s\n"
        f"queue_run_delay = {run_delay:.0f}s\nbounce_queue_lifetime = {bounce_lifetime:.0f}s\n"
        "notify_classes = bounce, 2bounce, delay\n"
    )
    scenarios = [SCENARIOS["dead"], LATE, ORPHAN]
    with (
        _directory() as directory,
        Lab(scenarios, seed=2, directory=directory, settings=settings, lifetime=lifetime) as lab,
    ):
        lab.submit_all()
        lab.run(seconds=3 * PATIENCE)
        yield lab, request.param


def _of(lab: Lab, name: str) -> tuple[float, list[Attempt]]:
    (submitted,) = [one for one in lab.submitted if one.submission.scenario.name == name]
    return submitted.at, [attempt for attempt in lab.attempts if attempt.queue_id == submitted.queue_id]


@pytest.mark.parametrize("name", ["dead", "halfday", "orphan"])
def test_retries_are_those_of_the_formula(days: tuple[Lab, tuple[float, ...]], name: str) -> None:
    """Each by the first scan after as long as the message had waited, within the limits; none is left out."""
    lab, (minimal, maximal, run_delay, lifetime, bounce_lifetime) = days
    begun, attempts = _of(lab, name)
    assert attempts[0].at - begun < _LAG
    for before, after in itertools.pairwise(attempts):
        due = before.at + min(max(before.at - begun, minimal), maximal)
        assert due - _LAG <= after.at <= due + run_delay + _LAG
    if name == "halfday":
        assert attempts[-1].status == "sent"
        return
    allowed = min(bounce_lifetime, lifetime) if name == "orphan" else lifetime
    assert attempts[-2].at - begun < allowed + _LAG
    assert attempts[-1].at - begun >= allowed - _LAG


def test_who_hears_of_it(days: tuple[Lab, tuple[float, ...]]) -> None:
    """The sender of delay and failure, the postmaster of copies, and of what cannot be returned at all.

    Nobody hears of the delay of what has no sender.
    """
    lab, _ = days
    to_sender = [(notice.recipient, notice.action) for notice in lab.notices("alice")]
    assert sorted(to_sender) == [
        ("bob@dead.test", "delayed"),
        ("bob@dead.test", "failed"),
        ("bob@halfday.test", "delayed"),
    ]
    subjects = sorted(
        match[1].decode()
        for content in lab.inside.mail("postmaster")
        if (match := re.search(rb"^Subject: (.*)$", content, re.MULTILINE))
    )
    assert subjects == [
        "Postmaster Copy: Undelivered Mail",
        "Postmaster Copy: Undelivered Mail",
        "Postmaster Warning: Delayed Mail",
        "Postmaster Warning: Delayed Mail",
    ]


# -- the command -----------------------------------------------------------------------------------------


def _command(*arguments: str, wrapper: tuple[str, ...] = ()) -> list[str]:
    return [*wrapper, sys.executable, "-m", "pillarbox.tools.pillarbox", "lab", *arguments]


def test_the_command_as_an_ordinary_user() -> None:
    """Starts everything, shows each message, and says what each recipient got."""
    chosen = [f"--scenario={name}" for name in ("polite", "greylist", "recipients", "foe", "friend", "may-*")]
    done = subprocess.run(
        _command(*chosen, "--seed", "7", wrapper=tuple(rootless_prefix())),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd="/",
    )
    assert (done.returncode, done.stderr) == (0, "")
    for flow in (r"00:00:0\d +greylist +taken", r"00:\d\d:\d\d +greylist +sent +bob@greylist.test by mx0"):
        assert re.search(flow, done.stdout), done.stdout
    assert "All 21 recipients got what they should." in done.stdout
    assert "\x1b[" not in done.stdout


def test_the_command_says_what_it_does_not_know() -> None:
    """One line, and EX_USAGE."""
    done = subprocess.run(_command("--scenario", "nosuch"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        64,
        "pillarbox: no scenario nosuch; pillarbox lab --list names them\n",
    )


@pytest.mark.root
def test_a_directory_that_roles_cannot_enter_is_refused(place: Path) -> None:
    """One line that says which, before anything is started."""
    place.chmod(0o700)
    done = subprocess.run(_command("--data", str(place / "lab")), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"pillarbox: {place} is closed to the users that roles become; chmod o+x, or choose another\n"
    )


def test_the_list_names_all() -> None:
    """--list: a line for each."""
    done = subprocess.run(_command("--list"), capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stdout.split("\n") if line] == list(SCENARIOS)


@pytest.mark.parametrize(("moment", "summary"), [("Ctrl-C ends it", False), (" deferred ", True)])
def test_ctrl_c_ends_it(place: Path, moment: str, summary: bool) -> None:
    """While it starts, or with the summary of what is known; without a process that stays."""
    data = place / "data"
    process = subprocess.Popen(
        _command("--scenario", "dead", "--data", str(data)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if moment in line:
            process.send_signal(signal.SIGINT)
            break
    out, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "Traceback" in errors) == (130, False), errors
    assert ("What each recipient got" in out) is summary
    left = [
        pid for pid in os.listdir("/proc") if pid.isdigit() and str(data).encode() in _command_line(int(pid))
    ]
    assert not left


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_scenario_that_is_not_met_is_told(place: Path) -> None:
    """The verdict is no rubber stamp: what differs from the table is said."""
    wrong = Scenario(
        name="wrong",
        about="takes what it should refuse",
        expected={"bob": expired("4.4.1", "Connection refused"), "carol": delivered(0, attempts=2)},
    )
    with Lab([wrong], seed=1, directory=place / "lab") as lab:
        lab.submit_all()
        lab.run(seconds=PATIENCE)
        bob, carol = results(lab)
    assert "mx0.wrong.test has got it" in bob.objections
    assert carol.objections == ["1 attempts instead of 2"]
