"""Services that master_service_disable turns off; each row is what Debian's Postfix listens on."""

import os
from pathlib import Path

import pytest

from pillarbox.config.computed_defaults import HostFacts
from pillarbox.config.reading import read_configuration
from pillarbox.supervisor.disabled_services import without_disabled
from pillarbox.supervisor.transport_services import transport_services

MASTER_CF = """\
smtp inet n - n - - smtpd
2525 inet n - n - - smtpd
relay unix - - n - - smtp
"""
CASES = [
    ("", "smtp 2525 relay"),
    ("inet", "relay"),
    ("INET", "relay"),
    ("smtp/inet", "2525 relay"),
    ("smtp.inet", "2525 relay"),
    ("SMTP/INET", "2525 relay"),
    ("smtp/inet, 2525/inet", "relay"),
    ("!smtp/inet inet", "smtp relay"),
    ("relay/unix", "smtp 2525"),
    ("*/inet", "smtp 2525 relay"),
    ("2*/inet", "smtp 2525 relay"),
    ("inet/smtp", "smtp 2525 relay"),
    ("all", "smtp 2525 relay"),
    ("nonsense", "smtp 2525 relay"),
]


@pytest.mark.parametrize(("value", "served"), CASES)
def test_services_are_off(value: str, served: str, tmp_path: Path) -> None:
    """What is left of master.cf; a transport that is off is not there as a built-in one either."""
    (tmp_path / "main.cf").write_text(f"master_service_disable = {value}\n")
    (tmp_path / "master.cf").write_text(MASTER_CF)
    configuration = without_disabled(read_configuration(os.fspath(tmp_path), facts=HostFacts()))
    assert [service.name for service in configuration.master_cf.services] == served.split()
    transports = {transport.name for transport in transport_services(configuration)}
    assert ("relay" in transports) == ("relay" in served)
    assert {"smtp", "local", "error"} <= transports
