"""smtp_requiretls_policy: which word counts for which destination."""

import pytest

from fakes.zones import ZoneResolver
from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.smtp.configured import open_service
from pillarbox.delivery.smtp.policy_table import BadPolicy
from pillarbox.delivery.smtp.requirement import Requirement, RequirementPolicy
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.faults import ConfigurationFault

ENFORCED, STARTTLS, OPPORTUNISTIC, NONE = sorted(Requirement, reverse=True)


def policy_of(program: str = "smtp", **settings: str) -> RequirementPolicy | None:
    """As a service has it."""
    snapshot = Snapshot.of({"mydomain": "here.test", **settings})
    return open_service(
        program, program, snapshot, resolver=ZoneResolver({}), clock=ManualClock()
    ).requirement


DEFAULT = [
    ("example.org", ENFORCED),
    ("here.test", OPPORTUNISTIC),
    ("mail.HERE.test", OPPORTUNISTIC),
    ("nothere.test", ENFORCED),
    ("localhost", OPPORTUNISTIC),
    ("192.0.2.1", OPPORTUNISTIC),
    ("2001:db8::1", OPPORTUNISTIC),
]


@pytest.mark.parametrize(("host", "expected"), DEFAULT)
def test_own_hosts_may_do_without(host: str, expected: Requirement) -> None:
    """The default: the world has to keep what a sender asks for, this site as it can."""
    policy = policy_of()
    assert policy is not None
    assert policy.of(host) is expected


_TABLE = "inline:{{.example = disable}, {.foo.example = enforce}, {bar.foo.example = opportunistic+starttls}}"
TABLES = [
    ("foo.example", NONE),
    ("x.foo.example", ENFORCED),
    ("bar.foo.example", STARTTLS),
    ("bücher.foo.example", ENFORCED),
    ("other", OPPORTUNISTIC),
]


@pytest.mark.parametrize(("host", "expected"), TABLES)
def test_the_nearest_parent_counts(host: str, expected: Requirement) -> None:
    """Tables in their order, each asked for the name and then for its parents."""
    policy = policy_of(smtp_requiretls_policy=f"{_TABLE}, Opportunistic")
    assert policy is not None
    assert policy.of(host) is expected


def test_nothing_is_enforced() -> None:
    """Without a word that fits the sender is right."""
    policy = policy_of(smtp_requiretls_policy="regexp:{{/^a/ disable}}")
    assert policy is not None
    assert policy.of("a.test") is NONE
    assert policy.of("b.test") is ENFORCED


@pytest.mark.parametrize(
    "word", ["error", "inline:{{x.test = maybe}}", "inline:{{x.test = enforce, disable}}"]
)
def test_what_cannot_be_read_makes_mail_wait(word: str) -> None:
    """It is no licence to send."""
    policy = policy_of(smtp_requiretls_policy=word)
    assert policy is not None
    with pytest.raises(BadPolicy):
        policy.of("x.test")


def test_an_unknown_word_is_refused_at_start() -> None:
    """With the parameter's place."""
    with pytest.raises(ConfigurationFault, match="best-effort"):
        policy_of(smtp_requiretls_policy="best-effort")


def test_lmtp_is_opportunistic() -> None:
    """Mail stores seldom know the extension."""
    policy = policy_of("lmtp")
    assert policy is not None
    assert policy.of("example.org") is OPPORTUNISTIC


def test_it_can_be_turned_off() -> None:
    """requiretls_enable = no, for a transport inside."""
    assert policy_of(requiretls_enable="no") is None
