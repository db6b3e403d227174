"""The lab's scenarios for Debian's Postfix and for us: the same log, the same words to the hosts, the same notices.

Every scenario is gone through to its end: first attempt, delay, and the end of its time in the queue.  Queue ids,
times and process ids are taken out.  Differences stand in lab_differences.txt, each with its reason.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.host import Host
from fakes.lab_beside_postfix import Played, Product, Trial
from fakes.logs import until_logged
from fakes.smtp_submission import SmtpClient
from pillarbox.lab.behaviour import Behaviour
from pillarbox.lab.catalogue import SCENARIOS
from pillarbox.lab.scenario import Scenario, host

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "unshare", "ip"),
]

RETRIED = Scenario(
    name="retried", about="busy for good", hosts=(host(Behaviour(replies={"connect": "421 4.3.2 Busy"})),)
)
ORPHAN = Scenario(
    name="orphan",
    about="a notice that cannot be delivered: the postmaster hears of it",
    hosts=(host(Behaviour(replies={"RCPT": "550 5.1.1 Unknown"})),),
    sender="",
)
_NOT_HERE = {
    "silentdns",  # a minute of the C library's patience
    "tls-optional",  # Postfix 3.10 has it
    "cachedlogin",  # which attempt is the one of the delay notice is a matter of speed, and their texts differ
}
COMPARED = [
    ORPHAN,
    *(
        scenario
        for scenario in SCENARIOS.values()
        if scenario.messages == 1
        and not scenario.client
        and not scenario.at
        and scenario.name not in _NOT_HERE
        and "REQUIRETLS" not in scenario.parameters  # Postfix 3.11 has it
    ),
]
PARTS = ("log", "wire", "notices")


class Comparison:
    """What both made of each scenario."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.theirs: dict[str, Played] = trial.play("postfix")
        self.ours: dict[str, Played] = trial.play("pillarbox")


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparison]:
    """Once for all scenarios."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    trial = Trial(directory, [*COMPARED, RETRIED])
    try:
        yield Comparison(trial)
    finally:
        trial.end()


def differences() -> Mapping[str, str]:
    """scenario:part → reason."""
    text = (Path(__file__).parent / "lab_differences.txt").read_text()
    rows = [line.split("\t") for line in text.split("\n") if line and not line.startswith("#")]
    return {f"{row[0]}:{row[1]}": row[3] for row in rows}


@pytest.mark.parametrize("name", [scenario.name for scenario in COMPARED])
def test_the_same_as_postfix(comparison: Comparison, name: str) -> None:
    """Log lines, words on the wire, and all notices: failure, delay, and the postmaster's copies."""
    known = differences()
    for part in PARTS:
        theirs, ours = getattr(comparison.theirs[name], part), getattr(comparison.ours[name], part)
        if f"{name}:{part}" in known:
            assert theirs != ours, f"{name}:{part} is on the list of differences, and there is none"
        else:
            assert theirs == ours, part


def test_the_list_names_scenarios() -> None:
    """No entry for what is not compared."""
    names = {scenario.name for scenario in COMPARED}
    assert all(key.split(":")[0] in names and key.split(":")[1] in PARTS for key in differences())


# -- retries, live ---------------------------------------------------------------------------------------

_MINIMAL, _MAXIMAL, _RUN_DELAY, _LIFETIME = 3, 6, 1, 14
"""After one second Postfix may come back while its agent still has the file, which costs the message a minute."""
_EARLY: Final = 3
"""Seconds by which Postfix may be early: it cuts the fraction off its clock and off a message's age (qmgr_active.c), and
what is due within a second is due."""


def test_retries_at_short_backoffs(comparison: Comparison) -> None:
    """Both try again when the formula says, and give up at the same age."""
    products: tuple[Product, ...] = ("postfix", "pillarbox")
    ids: dict[Product, str] = {}
    for product in products:
        machine = comparison.trial.hosts[product]
        machine.output(
            f"postconf -e minimal_backoff_time={_MINIMAL}s maximal_backoff_time={_MAXIMAL}s "
            f"queue_run_delay={_RUN_DELAY}s maximal_queue_lifetime={_LIFETIME}s && postfix stop"
        )
        machine.start_postfix()
        machine.until_answers(25)
        with SmtpClient(machine) as client:
            ids[product] = client.submit(
                sender="alice@pillarbox.test",
                recipients=["bob@retried.test"],
                message=b"Subject: again\r\n\r\nAnd again.\r\n",
            )
    ages: dict[Product, list[float]] = {}
    for product in products:
        log = _until_removed(comparison.trial.hosts[product], ids[product])
        ages[product] = [float(age) for age in re.findall(rf"{ids[product]}: to=.* delay=([0-9.]+),", log)]
        assert re.search(rf"{ids[product]}: from=.*status=expired, returned to sender", log)
    for product, seen in ages.items():
        for before, after in itertools.pairwise(seen):
            due = before + min(max(before, _MINIMAL), _MAXIMAL)
            assert due - _EARLY <= after, (product, seen)
        assert len(seen) > 2
        assert seen[-1] >= _LIFETIME - 1, (product, seen)


def _until_removed(host: Host, queue_id: str) -> str:
    """The log, when the message is gone."""
    until_logged(host, f"{queue_id}: removed")
    return host.log()
