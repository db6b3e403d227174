"""Names that mean nothing: where they stand, and what may be meant."""

from pathlib import Path

import pytest

from pillarbox.config.computed_defaults import HostFacts
from pillarbox.config.reading import Configuration, read_configuration
from pillarbox.config.unknown_names import unknown_names
from pillarbox.config.value_checks import check_values
from pillarbox.vocabulary.faults import ConfigurationFault


def configuration(directory: Path, main_cf: str, master_cf: str = "") -> Configuration:
    """As read from files."""
    (directory / "main.cf").write_text(main_cf)
    (directory / "master.cf").write_text(master_cf)
    return read_configuration(str(directory), facts=HostFacts(hostname="mail.example.test"))


def test_typing_errors_are_told_of(tmp_path: Path) -> None:
    """In main.cf with their line; a name that a value uses is none, one that is used and not set is."""
    found = configuration(
        tmp_path,
        "smtpd_helo_requird = yes\nours = x\nmydestination = $ours\nfoo = $nobody\nslow_destination_rate_delay = 1s\n"
        "dovecot_destination_recipient_limit = 1\npolicy_time_limit = 3600\n"
        "comand_time_limit = 9\n",
        "slow unix - - n - 1 smtp -o syslog_nam=x\n",
    )
    assert list(unknown_names(found)) == [
        f"{tmp_path}/main.cf, line 1: unused parameter: smtpd_helo_requird=yes (is smtpd_helo_required meant?)",
        f"{tmp_path}/main.cf, line 4: unused parameter: foo=$nobody",
        f"{tmp_path}/main.cf, line 6: unused parameter: dovecot_destination_recipient_limit=1 "
        "(there is no service dovecot in master.cf that it is about)",
        f"{tmp_path}/main.cf, line 7: unused parameter: policy_time_limit=3600 "
        "(there is no service policy in master.cf that it is about)",
        f"{tmp_path}/main.cf, line 8: unused parameter: comand_time_limit=9 (is command_time_limit meant?)",
        f"{tmp_path}/main.cf: undefined parameter: nobody",
        f"{tmp_path}/master.cf: unused parameter: syslog_nam=x (is syslog_name meant?)",
    ]


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("mail.example.test", True),
        ("mail", True),
        ("under_score.test", True),
        ("a..b", False),
        (".a", False),
        ("a.", False),
        ("-a.b", False),
        ("a-.b", False),
        ("a b", False),
        ("192.0.2.1", False),
        ("x" * 64 + ".test", False),
        ("gr\u00fcn.test", False),
    ],
)
def test_names_of_hosts(tmp_path: Path, name: str, good: bool) -> None:
    """A name that no greeting may have is refused at the start, as Postfix does."""
    found = configuration(tmp_path, f"myhostname = {name}\nmydomain = example.test\n")
    if good:
        check_values(found)
        return
    with pytest.raises(
        ConfigurationFault, match=r"main.cf, line 1: parameter myhostname: bad parameter value: "
    ):
        check_values(found)


def test_a_default_that_is_anothers_value_comes_from_there(tmp_path: Path) -> None:
    """A table of virtual_alias_maps that is missing is found by its line, whoever opens it first."""
    found = configuration(tmp_path, "\nvirtual_alias_maps = hash:/none\n")
    assert found.snapshot.where("virtual_alias_domains") == f"{tmp_path}/main.cf, line 2"
    assert found.snapshot.where("relay_domains") == "built-in default"
