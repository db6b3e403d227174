"""Parameters that are not served: none is ignored in silence."""

import os
from pathlib import Path

import pytest

from pillarbox.config.computed_defaults import HostFacts
from pillarbox.config.findings import findings, start_warnings
from pillarbox.config.postfix_parameters import SERVED
from pillarbox.config.reading import Configuration, read_configuration
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.treatment import Kind
from pillarbox.config.unserved_parameters import treatment, unserved
from pillarbox.vocabulary.faults import ConfigurationFault


def test_no_parameter_is_both_served_and_not() -> None:
    """A parameter that gets served leaves the tables."""
    assert set() == set(SERVED) & set(unserved())


def test_every_reason_is_given() -> None:
    """What is not served says why."""
    assert [] == [name for name, treated in unserved().items() if not treated.reason]
    assert {Kind.LATER, Kind.REFUSED, Kind.NO_EFFECT} == {treated.kind for treated in unserved().values()}


def test_every_default_can_be_expanded() -> None:
    """Defaults in the tables are valid main.cf values."""
    snapshot = Snapshot.of()
    for name in unserved():
        snapshot.value(name)
    assert "$smtp_tls_per_site" == unserved()["tlsproxy_client_per_site"].default
    # What has an old name counts only if it is set, be it by a value that appends to it.
    assert ("1h", "") == tuple(map(snapshot.value, ("postscreen_dnsbl_max_ttl", "tlsproxy_client_level")))
    assert snapshot.value("default_rbl_reply").startswith("$rbl_code Service unavailable; $rbl_class")


TREATMENTS = [
    ("queue_run_delay", Kind.SERVED),
    ("content_filter", Kind.SERVED),
    ("smtpd_milters", Kind.REFUSED),
    ("non_smtpd_milters", Kind.REFUSED),
    ("smtpd_tls_req_ccert", Kind.SERVED),
    ("transport_maps", Kind.SERVED),
    ("canonical_maps", Kind.SERVED),
    ("smtp_helo_name", Kind.SERVED),
    ("smtp_header_checks", Kind.SERVED),
    ("max_use", Kind.NO_EFFECT),
    ("daemon_directory", Kind.NO_EFFECT),
    ("smtp_destination_concurrency_limit", Kind.SERVED),
    ("best_mx_transport", Kind.SERVED),
    ("smtp_delivery_slot_cost", Kind.SERVED),
    ("maildrop_time_limit", Kind.SERVED),
    ("my_own_name", Kind.UNKNOWN),
]


@pytest.mark.parametrize(("name", "kind"), TREATMENTS)
def test_treatment(name: str, kind: Kind) -> None:
    """Each parameter has its kind; names of one's own have none."""
    assert kind is treatment(name).kind


def test_findings() -> None:
    """What is set to something else than its default is told, refusals first, with file and line."""
    snapshot = Snapshot.of(
        {
            "biff": "no",  # is served
            "my_own_name": "x",
            "smtp_tls_enable_rpk": "yes",
            "queue_run_delay": "1s",
            "smtpd_milters": "inet:127.0.0.1:8891",
        }
    ).with_overrides({"non_smtpd_milters": "inet:127.0.0.1:8892"})
    assert [
        "main.cf, line 5: parameter smtpd_milters: milters are not served yet, and without them unfiltered "
        "mail would pass (remove it to start without it)",
        "command line: parameter non_smtpd_milters: milters are not served yet, and without them unfiltered "
        "mail would pass (remove it to start without it)",
        "main.cf, line 3: parameter smtp_tls_enable_rpk is ignored: this part of the SMTP client is not served yet",
    ] == [finding.text for finding in findings(snapshot)]


def configuration(directory: Path, main: str, master: str) -> Configuration:
    """Both files, read."""
    (directory / "main.cf").write_text(main)
    (directory / "master.cf").write_text(master)
    return read_configuration(os.fspath(directory), facts=HostFacts())


def test_a_start_warns_once_of_each_setting(tmp_path: Path) -> None:
    """Warnings of syntax, and of settings in main.cf and of each service, once each."""
    found = configuration(
        tmp_path,
        "max_use = 8\nmax_use = 9\n",
        "smtp inet n - n - - smtpd\nx inet n - n - - smtpd -o max_use=1\n",
    )
    assert (
        f"{tmp_path}/main.cf, line 2: overriding earlier entry: max_use=8",
        f"{tmp_path}/main.cf, line 2: parameter max_use has no effect: a role serves many clients at once "
        "and lives until a reload",
        f"{tmp_path}/master.cf, line 2: parameter max_use has no effect: a role serves many clients at once and "
        "lives until a reload",
    ) == start_warnings(found)


def test_a_start_is_refused_for_what_must_not_be_ignored(tmp_path: Path) -> None:
    """The first such setting is told with its line, also one of a service."""
    found = configuration(
        tmp_path,
        "smtpd_milters = inet:127.0.0.1:8891\n",
        "x inet n - n - - smtpd -o smtpd_milters=a:b\n",
    )
    with pytest.raises(ConfigurationFault) as caught:
        start_warnings(found)
    assert (
        f"{tmp_path}/main.cf, line 1: parameter smtpd_milters: milters are not served yet, and without them "
        "unfiltered mail would pass; 1 more like it (remove it to start without it)"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("mysql:/etc/postfix/users.cf", "mysql"),
        ("hash:/etc/aliases, proxy:pgsql:/x", "pgsql"),
        ("pipemap:{inline:{a=b}, ldap:users}", "ldap"),
        ("texthash:/etc/mysql:x, regexp:/etc/ldap.re", None),
        ("inline:{a=nis, b=cdb:}", None),
    ],
)
def test_a_start_is_refused_for_tables_that_cannot_be_asked(
    tmp_path: Path, value: str, kind: str | None
) -> None:
    """With the parameter and its line, and what can be had instead."""
    found = configuration(tmp_path, f"virtual_alias_maps = {value}\nmysql_note = mysql:/x\n", "")
    if kind is None:
        assert start_warnings(found) == ()
        return
    with pytest.raises(ConfigurationFault) as caught:
        start_warnings(found)
    said = f"main.cf, line 1: parameter virtual_alias_maps: unsupported dictionary type: {kind} ("
    assert str(caught.value).startswith(f"{tmp_path}/{said}")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("content_filter", ""),
        ("smtpd_tls_req_ccert", "no"),
        ("smtpd_proxy_ehlo", "$myhostname"),
        ("canonical_classes", "envelope_sender envelope_recipient,header_sender  header_recipient"),
    ],
)
def test_a_value_equal_to_the_default_is_no_finding(name: str, text: str) -> None:
    """Spelling out a default, in any way, is not reported."""
    assert [] == findings(Snapshot.of({name: text}))
