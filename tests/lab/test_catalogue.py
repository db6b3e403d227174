"""The catalogue of scenarios: whatever is in it can be served, and what it needs of main.cf is known."""

import re
from pathlib import Path

import pytest

from pillarbox.config.findings import start_warnings
from pillarbox.config.host_facts import host_facts
from pillarbox.config.reading import read_configuration
from pillarbox.lab.catalogue import SCENARIOS
from pillarbox.lab.internet import Internet
from pillarbox.lab.lab import Submission, content
from pillarbox.lab.places import Places
from pillarbox.vocabulary.clock import ManualClock


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """What the scenarios need in main.cf and in master.cf."""
    directory = tmp_path_factory.mktemp("lab")
    internet = Internet(SCENARIOS.values(), places=Places(), seed=1, directory=directory, clock=ManualClock())
    return internet.settings()


def test_all_scenarios_have_zones_hosts_and_settings(configured: tuple[str, str], tmp_path: Path) -> None:
    """Zones can be read, texts expanded, and main.cf and master.cf give no reason to warn."""
    main_cf, services = configured
    assert "{" not in services.replace("{ ", "").replace("inline:{", "")
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n" + main_cf)
    (tmp_path / "master.cf").write_text(services)
    configuration = read_configuration(str(tmp_path), facts=host_facts())
    names = {scenario.name for scenario in SCENARIOS.values() if scenario.service}
    assert {service.name for service in configuration.master_cf.services} == names | {"impatient"}
    assert not start_warnings(configuration)


def test_only_who_says_nothing_is_not_waited_for(configured: tuple[str, str]) -> None:
    """Five seconds for silent hosts; the others are waited for as long as on any host, however busy the machine is."""
    main_cf, services = configured
    hurried = set(re.findall(r"\{ (\S+) = impatient: \}", main_cf))
    assert hurried == {"may-nohandshake.test"} | {
        f"silent-{phase}.test" for phase in ("greeting", "hello", "mail", "rcpt", "data", "end")
    }
    assert "timeout" not in main_cf
    assert services.count("_timeout=5s") == services.count("_timeout=")


def test_each_scenario_says_what_is_to_come() -> None:
    """A recipient at least, and a sentence about it."""
    for scenario in SCENARIOS.values():
        assert scenario.expected
        assert scenario.about
        assert scenario.name == scenario.name.lower()


def test_messages_are_always_the_same() -> None:
    """And whole: a header, an empty line, CRLF."""
    for scenario in SCENARIOS.values():
        message = content(Submission(scenario=scenario, number=0, at=0.0))
        assert message == content(Submission(scenario=scenario, number=0, at=0.0))
        assert b"\r\n\r\n" in message
        assert b"\n" not in message.replace(b"\r\n", b"")
