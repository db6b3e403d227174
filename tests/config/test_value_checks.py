"""Values that some program of Postfix's ends for are refused before a start, with its words where it has some."""

from pathlib import Path

import pytest

from pillarbox.config.host_facts import host_facts
from pillarbox.config.reading import Configuration, read_configuration
from pillarbox.config.value_checks import NEVER_EMPTY, check_values
from pillarbox.vocabulary.faults import ConfigurationFault


def configuration(directory: Path, main_cf: str, master_cf: str = "") -> Configuration:
    """Of these files."""
    (directory / "main.cf").write_text(f"myhostname = mail.example.test\n{main_cf}\n")
    (directory / "master.cf").write_text(master_cf)
    return read_configuration(str(directory), facts=host_facts())


def refused(found: Configuration) -> str:
    """Why."""
    with pytest.raises(ConfigurationFault) as fault:
        check_values(found)
    return str(fault.value)


@pytest.mark.parametrize("name", NEVER_EMPTY)
def test_some_must_not_be_empty(name: str, tmp_path: Path) -> None:
    """Each with its line."""
    said = refused(configuration(tmp_path, f"{name} ="))
    assert f"main.cf, line 2: bad string length 0 < 1: {name} =" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("default_verp_delimiters =", "bad string length 0 < 2: default_verp_delimiters ="),
        ("default_verp_delimiters = +", "bad string length 1 < 2: default_verp_delimiters = +"),
        ("default_verp_delimiters = +==", "bad string length 3 > 2: default_verp_delimiters = +=="),
        (
            "default_verp_delimiters = ==x",
            "bad string length 3 > 2: default_verp_delimiters = ==x",
        ),
        (
            "default_verp_delimiters = +x",
            "parameters default_verp_delimiters and verp_delimiter_filter: bad second VERP delimiter character",
        ),
        (
            "verp_delimiter_filter = x",
            "parameters default_verp_delimiters and verp_delimiter_filter: bad first VERP delimiter character",
        ),
        ("myorigin = one.test two.test", "myorigin parameter setting must not contain multiple values: one.test two.test"),
        ("mynetworks_style = net", 'unknown mynetworks mask style value "net" in "net"'),
        ("undisclosed_recipients_header = none", 'parameter undisclosed_recipients_header: bad header text "none"'),
        ("notify_classes = bounces", 'parameter notify_classes: unknown value "bounces" in "bounces"; there are: bounce, '),
        ("notify_classes = Bounce", 'parameter notify_classes: unknown value "Bounce" in "Bounce"; there are: bounce, '),
        ("smtpd_timeout = 5W", 'parameter smtpd_timeout: "5W" is not a time such as 300s'),
        ("smtpd_timeout = 4000w", 'parameter smtpd_timeout: "4000w" is too long a time'),
        ("hopcount_limit = 2147483648", 'parameter hopcount_limit: "2147483648" is too large'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(line: str, said: str, tmp_path: Path) -> None:
    """With the line."""
    assert f"main.cf, line 2: {said}" in refused(configuration(tmp_path, line))


@pytest.mark.parametrize(
    "line",
    [
        "mynetworks_style = net\nmynetworks = 192.0.2.0/24",
        "message_size_limit = 5000000000",
        "body_checks_size_limit = 0",
        "tcp_windowsize = 100000",
        "hopcount_limit = +5",
        "masquerade_classes =",
        "default_verp_delimiters = -=",
    ],
)
def test_what_is_taken(line: str, tmp_path: Path) -> None:
    """As by Postfix."""
    check_values(configuration(tmp_path, line))


def test_options_of_services_are_looked_at(tmp_path: Path) -> None:
    """With the line of master.cf."""
    said = refused(configuration(tmp_path, "", "smtp inet n - n - - smtpd -o smtpd_banner=\n"))
    assert said.startswith(f"{tmp_path}/master.cf, line 1: bad string length 0 < 1: smtpd_banner =")
