"""What tables say of a destination's TLS."""

import pytest

from pillarbox.delivery.smtp.destination import Destination
from pillarbox.delivery.smtp.policy_table import (
    BadPolicy,
    ExternalPolicy,
    TlsPolicy,
    find_policy,
    fits_pattern,
    read_policy,
    site_level,
)
from pillarbox.tables.opening import open_tables
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.clock import ManualClock


def tables(*texts: str) -> tuple[LookupTable, ...]:
    """Tables between braces."""
    return open_tables([f"inline:{text}" for text in texts], where="main.cf", clock=ManualClock())


STS = (
    "secure match=mx1.example.test:.example.test servername=hostname policy_type=sts policy_domain=Example.test "
    "policy_ttl=86400 { policy_string = version: STSv1 } { policy_string = mode: enforce } "
    "mx_host_pattern=mx1.example.test mx_host_pattern=*.Mail.example.test"
)
POLICIES = [
    ("none", TlsPolicy("none")),
    ("MAY", TlsPolicy("may")),
    ("may connection_reuse=yes", TlsPolicy("may", reuse=True)),
    ("may connection_reuse=yes,connection_reuse=no", TlsPolicy("may", reuse=False)),
    ("encrypt enable_rpk=yes", TlsPolicy("encrypt")),
    ("secure tafile=/a tafile=/b", TlsPolicy("secure", anchors=("/a", "/b"))),
    ("secure match=a.test match=b.test:c.test", TlsPolicy("secure", ("a.test", "b.test", "c.test"))),
    ("fingerprint match=aa:bb|cc match=dd", TlsPolicy("fingerprint", ("aa:bb", "cc", "dd"))),
    ("encrypt { protocols = >=TLSv1.2,\n !TLSv1.3 }", TlsPolicy("encrypt", protocols=">=TLSv1.2, !TLSv1.3")),
    (
        STS,
        TlsPolicy(
            "secure",
            ("mx1.example.test", ".example.test"),
            servername="hostname",
            external=ExternalPolicy(
                kind="sts",
                domain="example.test",
                strings=("version: STSv1", "mode: enforce"),
                patterns=("mx1.example.test", "*.mail.example.test"),
            ),
        ),
    ),
    (
        "may policy_type=no-policy-found policy_failure=sts-policy-fetch-error",
        TlsPolicy("may", external=ExternalPolicy(kind="no-policy-found", failure="sts-policy-fetch-error")),
    ),
]


@pytest.mark.parametrize(("text", "expected"), POLICIES, ids=lambda value: str(value)[:40])
def test_policies(text: str, expected: TlsPolicy) -> None:
    """Levels and attributes, also with blanks between braces."""
    assert read_policy(text) == expected


BAD = [
    ("", "invalid empty policy"),
    ("must", 'invalid security level "must"'),
    ("may colour=red", 'invalid attribute name: "colour"'),
    ("may match", "malformed attribute/value pair \"match\": missing '=' after attribute name"),
    ("secure match=", 'attribute "match" has empty value'),
    ("may ciphers=high ciphers=high", 'attribute "ciphers" is specified multiple times'),
    ("may match=x", 'attribute "match" invalid at security level "may"'),
    ("encrypt tafile=/x", 'attribute "tafile" invalid at security level "encrypt"'),
    ("may connection_reuse=maybe", 'attribute "connection_reuse" has bad value: "maybe"'),
    ("may policy_type=dane", 'attribute "policy_type" has an unexpected value: "dane"'),
    (
        "may policy_type=sts policy_failure=x",
        'attribute "policy_failure" has an unexpected value: "x"',
    ),
    (
        "may policy_domain=x.test",
        "one of the attributes policy_ttl, policy_string, policy_domain, mx_host_pattern, policy_failure without "
        "policy_type",
    ),
    ("may policy_type=sts policy_ttl=-1", None),
]


@pytest.mark.parametrize(("text", "reason"), BAD)
def test_what_cannot_be_read(text: str, reason: str | None) -> None:
    """A policy that is half understood could be too weak."""
    with pytest.raises(BadPolicy) as caught:
        read_policy(text)
    assert reason is None or str(caught.value) == reason


def test_the_place_is_told() -> None:
    """Of what cannot be read, and of what means nothing."""
    made = tables("{ { a.test = may x=1 } { b.test = none match=x } }")
    with pytest.raises(BadPolicy, match=r'^lmtp_tls_policy_maps, next-hop destination "a.test": invalid'):
        find_policy(made, Destination("a.test", "a.test"), parameter="lmtp_tls_policy_maps")
    found = find_policy(made, Destination("b.test", "b.test"), parameter="smtp_tls_policy_maps")
    assert found is not None
    assert found.ignored == (
        'smtp_tls_policy_maps, next-hop destination "b.test": ignoring attribute "match=x" with TLS disabled',
    )


PATTERNS = [
    ("mx1.example.test", True),
    ("MX1.example.test.", True),
    ("a.mail.example.test", True),
    ("a.b.mail.example.test", False),
    ("mail.example.test", False),
    ("a.dotted.test", True),
    ("dotted.test", False),
    ("example.test", False),
    ("test", False),
]


@pytest.mark.parametrize(("host", "fits"), PATTERNS)
def test_servers_of_an_sts_policy(host: str, fits: bool) -> None:
    """A star is one label (RFC 8461 §4.1)."""
    assert fits_pattern(host, ("mx1.example.test", "*.mail.example.test", ".dotted.test")) is fits


SITES = [
    # nexthop, host, level of main.cf, expected
    ("none.test", "mx.test", "verify", "none"),
    ("may.test", "mx.test", "none", "may"),
    ("may.test", "mx.test", "secure", "secure"),
    ("must.test", "mx.test", "none", "verify"),
    ("loose.test", "mx.test", "verify", "encrypt"),
    ("other.test", "mx.loose.test", "may", "encrypt"),
    ("may.test", "mx.none.test", "encrypt", "none"),
    ("none.test", "mx.must.test", "may", "verify"),
    ("[may.test]:25", "MAY.test", "none", "may"),
    ("other.test", "mx.test", "encrypt", None),
]


@pytest.mark.parametrize(("nexthop", "host", "default", "expected"), SITES)
def test_tables_of_sites(nexthop: str, host: str, default: str, expected: str | None) -> None:
    """The stronger word of nexthop and server counts; NONE is stronger than MAY."""
    made = tables(
        "{ {none.test=NONE} {may.test=MAY} {must.test=MUST} {loose.test=Must_NoPeerMatch} }",
        "{ {mx.none.test=none} {mx.must.test=must} {mx.loose.test=must_nopeermatch} {none.test=MUST} }",
    )
    assert expected == site_level(made, nexthop, host, default=default, parameter="smtp_tls_per_site")
