"""The catalogue of scenarios: whatever is in it can be served, and what it needs of main.cf is known."""

import re
from pathlib import Path

from pillarbox.config.findings import start_warnings
from pillarbox.config.host_facts import host_facts
from pillarbox.config.reading import read_configuration
from pillarbox.lab.catalogue import SCENARIOS
from pillarbox.lab.internet import Internet
from pillarbox.lab.lab import Submission, content
from pillarbox.lab.places import Places
from pillarbox.vocabulary.clock import ManualClock


def test_all_scenarios_have_zones_hosts_and_settings(tmp_path: Path) -> None:
    """Zones can be read, texts expanded, and main.cf and master.cf give no reason to warn."""
    internet = Internet(SCENARIOS.values(), places=Places(), seed=1, directory=tmp_path, clock=ManualClock())
    main_cf, services = internet.settings()
    assert "{" not in services.replace("{ ", "").replace("inline:{", "")
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n" + main_cf)
    (tmp_path / "master.cf").write_text(services)
    configuration = read_configuration(str(tmp_path), facts=host_facts())
    names = {scenario.name for scenario in SCENARIOS.values() if scenario.service}
    assert {service.name for service in configuration.master_cf.services} == names | {"impatient"}
    assert not start_warnings(configuration)


def test_only_who_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    """Five seconds for silent hosts; the others are waited for as long as on any host, however busy the machine is."""
    internet = Internet(SCENARIOS.values(), places=Places(), seed=1, directory=tmp_path, clock=ManualClock())
    main_cf, services = internet.settings()
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
