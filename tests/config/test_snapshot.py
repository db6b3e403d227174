"""Snapshots: which value counts, typed groups, and faults that name the line."""

from collections.abc import Callable
from typing import Any, Literal

import msgspec
import pytest

from pillarbox.config import computed_defaults
from pillarbox.config.computed_defaults import COMPUTED, HostFacts
from pillarbox.config.parameter import READERS, Declaration, declarations, parameter, settings_group
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.local_recipients import LocalRecipients
from pillarbox.config.parameters.logging import Logging
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.parameters.smtp_access import SmtpAccess
from pillarbox.config.parameters.smtp_server import SmtpServer
from pillarbox.config.postfix_parameters import GROUPS
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.unserved_parameters import treatment
from pillarbox.config.value import Value
from pillarbox.config.value_types import PatternFiles
from pillarbox.vocabulary.faults import ConfigurationFault

Reader = Callable[[str, Declaration, PatternFiles], Any]

FACTS = HostFacts(
    "mx.example.org",
    (
        ("lo", "127.0.0.1/8"),
        ("lo", "::1/128"),
        ("eth0", "192.0.2.7/24"),
        ("eth1", "10.1.2.3/20"),
        ("eth1", "130.5.6.7/24"),
        ("eth0", "2001:db8::7/64"),
    ),
)


def test_order_of_sources() -> None:
    """An override comes before main.cf, main.cf before the default."""
    snapshot = Snapshot.of({"relayhost": "[a.example]", "smtpd_timeout": "10s"})
    over = snapshot.with_overrides({"relayhost": Value("[b.example]", "master.cf", 3)})
    assert ("[b.example]", "master.cf, line 3") == (over.value("relayhost"), over.where("relayhost"))
    assert ("10s", "main.cf, line 2") == (over.value("smtpd_timeout"), over.where("smtpd_timeout"))
    assert ("300s", "built-in default") == (over.value("queue_run_delay"), over.where("queue_run_delay"))
    assert ("", "built-in default") == (over.value("no_such"), over.where("no_such"))
    assert "command line" == over.with_overrides({"relayhost": "x"}).where("relayhost")


def test_overrides_are_seen_by_other_values() -> None:
    """A default that refers to a parameter sees what the service set."""
    snapshot = Snapshot.of({"myhostname": "a.example"}).with_overrides({"myhostname": "b.example"})
    assert "b.example ESMTP Postfix" == snapshot.group(Identity).smtpd_banner


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
@pytest.mark.parametrize("level", ["0", "1", "2", "3.6", "3.11"])
@pytest.mark.parametrize("stress", ["", "yes"])
def test_every_default_is_of_its_type(group: type[object], level: str, stress: str) -> None:
    """All groups can be built from defaults, at every compatibility level, under stress or not."""
    snapshot = Snapshot.of({"compatibility_level": level, "stress": stress}, facts=FACTS)
    settings: object = snapshot.group(group)
    assert settings == snapshot.group(group)
    for declared in declarations(group):
        assert declared.parse(snapshot.value(declared.name), files={}) == getattr(settings, declared.field)


def test_values_are_typed() -> None:
    """Times in seconds, lists as tuples, words in their own spelling."""
    snapshot = Snapshot.of(
        {
            "maximal_queue_lifetime": "3",
            "queue_run_delay": "2m",
            "hash_queue_names": "deferred  defer,active",
            "smtpd_forbid_bare_newline": "Reject",
            "soft_bounce": "YES",
            "maillog_file_permissions": "0644",
            "2bounce_notice_recipient": "root",
        }
    )
    manager = snapshot.group(QueueManager)
    assert (3 * 86400.0, 120.0) == (manager.maximal_queue_lifetime, manager.queue_run_delay)
    assert ("deferred", "defer", "active") == manager.hash_queue_names
    assert (True, "root") == (manager.soft_bounce, manager.two_bounce_notice_recipient)
    assert "reject" == snapshot.group(SmtpServer).smtpd_forbid_bare_newline
    assert 0o644 == snapshot.group(Logging).maillog_file_permissions


FAULTS = [
    ("smtpd_timeout", "5x", SmtpServer, '"5x" is not a time such as 300s, 5m, 1h, 2d or 1w'),
    ("smtpd_timeout", "0", SmtpServer, '"0" is below the minimum of 1'),
    ("smtpd_recipient_limit", "many", SmtpServer, '"many" is not a number of digits only'),
    ("disable_vrfy_command", "true", SmtpServer, '"true" is neither yes nor no'),
    ("reject_code", "600", SmtpAccess, '"600" is above the maximum of 599'),
    (
        "mynetworks",
        "! 10.0.0.1",
        Identity,
        '"!" with nothing after it',
    ),
    (
        "smtpd_forbid_bare_newline",
        "maybe",
        SmtpServer,
        '"maybe" is none of: normalize, yes, reject, note, no',
    ),
]


@pytest.mark.parametrize(("name", "text", "group", "message"), FAULTS, ids=lambda value: str(value)[:30])
def test_faults_name_file_line_parameter_and_cure(name: str, text: str, group: type, message: str) -> None:
    """`FILE, line N: parameter NAME: what (how to mend)`."""
    snapshot = Snapshot.of({"myorigin": "x", name: text})
    with pytest.raises(ConfigurationFault) as caught:
        snapshot.group(group)
    assert str(caught.value).startswith(f"main.cf, line 2: parameter {name}: {message}")
    assert caught.value.mend != ""


def test_a_mistake_in_a_value_that_is_referred_to_is_found_there() -> None:
    """A fault in expansion names the line that has the mistake."""
    with pytest.raises(ConfigurationFault, match=r"main.cf, line 2: truncated macro reference"):
        Snapshot.of({"relayhost": "$helper", "helper": "${"}).group(QueueManager)


def test_msgpack_round_trip() -> None:
    """A role gets the snapshot that the supervisor made."""
    snapshot = Snapshot.of({"mydestination": "/etc/names, bücher.example"}, facts=FACTS)
    snapshot = msgspec.structs.replace(snapshot, pattern_files={"/etc/names": ("a.example",)})
    snapshot = snapshot.with_overrides({"service_name": "smtp"})
    assert snapshot == Snapshot.decode(snapshot.encode())
    assert ("a.example", "bücher.example") == snapshot.group(Identity).mydestination.names


HOSTS = [  # name of the host, settings, myhostname, mydomain
    ("full name", "mx.example.org", {}, "mx.example.org", "example.org"),
    ("short name", "mx", {}, "mx.localdomain", "localdomain"),
    ("short name, domain set", "mx", {"mydomain": "example.net"}, "mx.example.net", "example.net"),
    ("name set", "mx", {"myhostname": "a.b.example"}, "a.b.example", "b.example"),
    ("name set without dot", "mx.example.org", {"myhostname": "a"}, "a", "localdomain"),
    ("name refers to domain", "mx", {"myhostname": "a.$mydomain", "mydomain": "x.org"}, "a.x.org", "x.org"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("hostname", "values", "myhostname", "mydomain"), [pytest.param(*case[1:], id=case[0]) for case in HOSTS]
)
def test_computed_names(hostname: str, values: dict[str, str], myhostname: str, mydomain: str) -> None:
    """myhostname and mydomain come from the host and from each other."""
    identity = Snapshot.of(values, facts=HostFacts(hostname)).group(Identity)
    assert (myhostname, mydomain) == (identity.myhostname, identity.mydomain)


def test_names_that_wait_for_each_other() -> None:
    """myhostname may refer to mydomain although that is derived from myhostname."""
    identity = Snapshot.of({"myhostname": "a.$mydomain"}).group(Identity)
    assert ("a.localdomain", "localdomain") == (identity.myhostname, identity.mydomain)


STYLES = [
    ("host", {}, "127.0.0.1/32 192.0.2.7/32 10.1.2.3/32 130.5.6.7/32 [::1]/128 [2001:db8::7]/128"),
    ("subnet", {}, "127.0.0.0/8 192.0.2.0/24 10.1.0.0/20 130.5.6.0/24 [::1]/128 [2001:db8::]/64"),
    ("class", {}, "127.0.0.0/8 192.0.2.0/24 10.0.0.0/8 130.5.0.0/16 [::1]/128 [2001:db8::7]/128"),
    ("host", {"inet_protocols": "ipv4"}, "127.0.0.1/32 192.0.2.7/32 10.1.2.3/32 130.5.6.7/32"),
    ("host", {"inet_interfaces": "loopback-only"}, "127.0.0.1/32 [::1]/128"),
    ("host", {"inet_interfaces": "192.0.2.7, [2001:db8::7]"}, "192.0.2.7/32 [2001:db8::7]/128"),
]


@pytest.mark.parametrize(("style", "values", "expected"), STYLES)
def test_computed_networks(style: str, values: dict[str, str], expected: str) -> None:
    """mynetworks follows mynetworks_style, inet_interfaces and inet_protocols."""
    snapshot = Snapshot.of({"mynetworks_style": style} | values, facts=FACTS)
    assert expected == snapshot.value("mynetworks")


def test_defaults_of_parameters_that_are_not_served() -> None:
    """A reference to a known parameter gives Postfix's default, also one named after a service."""
    snapshot = Snapshot.of({"a": "$smtp_connect_timeout $foo_destination_recipient_limit"})
    assert "30s 50" == snapshot.value("a")


def test_old_levels_keep_old_defaults() -> None:
    """compatibility_level decides: at 0 relay_domains has mydestination, at 2 nothing."""
    old, new = (Snapshot.of({"compatibility_level": level}).group(LocalRecipients) for level in ("0", "2"))
    assert (3, 0) == (len(old.relay_domains.names), len(new.relay_domains.names))


def test_groups_are_declared_once() -> None:
    """A declaration gives field, default, bounds and doc."""

    @settings_group
    class Sample:
        """A group for this test."""

        a_time: Literal["x", "y"] = parameter("x", doc="A word.", name="other", differs="because")

    (declared,) = declarations(Sample)
    assert ("other", "a_time", "x", ("x", "y"), "because") == (
        declared.name,
        declared.field,
        declared.default,
        declared.choices,
        declared.differs,
    )


def test_what_is_not_set_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the thousand values of each service, those that are set, or refer to others, are read: no more."""
    for group in GROUPS:
        Snapshot().group(group)
    read: list[str] = []
    for kind, reader in list(READERS.items()):

        def watched(text: str, declared: Declaration, files: PatternFiles, reader: Reader = reader) -> object:
            read.append(declared.name)
            return reader(text, declared, files)

        monkeypatch.setitem(READERS, kind, watched)
    for group in GROUPS:
        Snapshot.of({"smtpd_recipient_limit": "7"}, facts=FACTS).group(group)
    declared_names = {declared.name for group in GROUPS for declared in declarations(group)}
    refer = {name for name in declared_names if "$" in treatment(name).default or name in COMPUTED}
    assert {"smtpd_recipient_limit"} == set(read) - refer


def test_a_service_is_read_as_main_cf_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of this host are worked out once for all services, and from scratch where a service says so."""
    snapshot = Snapshot.of({}, facts=FACTS)
    computed: list[str] = []

    def block(_interface: object, style: str) -> str:
        computed.append(style)
        return style

    monkeypatch.setattr(computed_defaults, "_block", block)
    for style in ("subnet", "subnet", "class"):
        own = snapshot.with_overrides({"mynetworks_style": style, "inet_interfaces": "192.0.2.7"})
        assert style == own.value("mynetworks")
    assert ["subnet", "class"] == computed
