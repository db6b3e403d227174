"""A configuration directory: both files, service by service, with what they refer to."""

import os
from pathlib import Path

import pytest

from pillarbox.config.computed_defaults import HostFacts
from pillarbox.config.host_facts import host_facts
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.logging import Logging
from pillarbox.config.parameters.smtp_server import SmtpServer
from pillarbox.config.reading import Configuration, read_configuration
from pillarbox.vocabulary.faults import ConfigurationFault

FACTS = HostFacts("mx.example.org")


def read(directory: Path, main: str = "", master: str = "") -> Configuration:
    """Write both files and read them."""
    (directory / "main.cf").write_text(main)
    (directory / "master.cf").write_text(master)
    return read_configuration(os.fspath(directory), facts=FACTS)


def test_an_empty_directory_gives_the_defaults(tmp_path: Path) -> None:
    """Both files may be missing."""
    found = read_configuration(os.fspath(tmp_path), facts=FACTS)
    assert ((), (), "mx.example.org") == (
        found.warnings,
        found.master_cf.services,
        found.snapshot.group(Identity).myhostname,
    )
    assert os.fspath(tmp_path) == found.snapshot.value("config_directory")


def test_a_service_has_its_own_settings(tmp_path: Path) -> None:
    """`-o` comes before main.cf, and knows the service's name."""
    found = read(
        tmp_path,
        "smtpd_timeout = 20s\nsyslog_name = mail\n",
        "submission inet n - n - - smtpd\n"
        "  -o syslog_name=postfix/$service_name -o smtpd_timeout=${process_name?7}\n",
    )
    (service,) = found.master_cf.services
    own = found.for_service(service)
    assert ("postfix/submission", 7.0) == (
        own.group(Logging).syslog_name,
        own.group(SmtpServer).smtpd_timeout,
    )
    assert f"{tmp_path}/master.cf, line 1" == own.where("smtpd_timeout")
    assert 20.0 == found.snapshot.group(SmtpServer).smtpd_timeout


def test_warnings_of_both_files(tmp_path: Path) -> None:
    """Warnings of syntax are collected."""
    assert 2 == len(read(tmp_path, "a = 1\na = 2\n", " x\n").warnings)


def test_files_of_patterns_travel_with_the_settings(tmp_path: Path) -> None:
    """`/file/name` items are read with the configuration; comments and empty lines in them are skipped."""
    names = tmp_path / "names"
    names.write_text("# our domains\na.example\n\nb.example, c.example\n")
    found = read(tmp_path, f"mydestination = {names} d.example\n", "smtp inet n - n - - smtpd\n")
    expected = ("a.example", "b.example", "c.example", "d.example")
    assert expected == found.snapshot.group(Identity).mydestination.names
    assert expected == found.for_service(found.master_cf.services[0]).group(Identity).mydestination.names


def test_a_missing_file_of_patterns_is_a_table_that_cannot_be_opened(tmp_path: Path) -> None:
    """Whoever opens it hears of it; nobody else does."""
    found = read(tmp_path, "\nmynetworks = 192.0.2.1 !/no/such/file\n")
    networks = found.snapshot.group(Identity).mynetworks
    assert networks.tables == ("non-existent:/no/such/file",)


def test_braces_that_do_not_match_are_told_when_the_group_is_built(tmp_path: Path) -> None:
    """A list that cannot be taken apart names no files, and is a fault of its own parameter."""
    found = read(tmp_path, "mydestination = {a\n")
    with pytest.raises(ConfigurationFault, match="parameter mydestination: missing '}' in"):
        found.snapshot.group(Identity)


def test_myorigin_may_be_a_file(tmp_path: Path) -> None:
    """Debian's `myorigin = /etc/mailname` stands for the first line of that file."""
    name = tmp_path / "mailname"
    name.write_text("mail.example.org\n")
    found = read(tmp_path, f"myorigin = {name}\n")
    assert "mail.example.org" == found.snapshot.group(Identity).myorigin
    name.write_text("\n")
    with pytest.raises(ConfigurationFault, match=r"main.cf, line 1: parameter myorigin: .* is empty"):
        read(tmp_path, f"myorigin = {name}\n")


@pytest.mark.parametrize("name", ["main.cf", "names"])
def test_text_that_is_not_utf8_is_refused(tmp_path: Path, name: str) -> None:
    """Values must be UTF-8, in main.cf and in files of patterns; comments need not be."""
    (tmp_path / "names").write_bytes(b"gr\xfcn.example\n" if name == "names" else b"")
    (tmp_path / "main.cf").write_bytes(
        b"# gr\xfcn\nmydestination = %s\n" % (b"gr\xfcn" if name == "main.cf" else bytes(tmp_path / "names"))
    )
    with pytest.raises(ConfigurationFault, match="not UTF-8 text"):
        read_configuration(os.fspath(tmp_path), facts=FACTS)


def test_host_facts_has_the_loopback_address() -> None:
    """The kernel's answer is read: this host has a name and at least its loopback address."""
    facts = host_facts()
    assert "" != facts.hostname
    assert any(address.startswith("127.") for _name, address in facts.interfaces)
