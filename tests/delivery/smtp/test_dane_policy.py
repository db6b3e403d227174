"""Levels dane and dane-only: what the DNS says of a server, and what is left where it says nothing."""

import asyncio

import pytest

from fakes.zones import ZoneResolver, Zones
from pillarbox.config.parameters.dane import Dane
from pillarbox.config.parameters.smtp_client import MailExchange, SmtpClient
from pillarbox.config.parameters.smtp_client_tls import SmtpClientTls
from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.smtp.dane_policy import DanePolicies, NoPolicy, dane_rules
from pillarbox.delivery.smtp.destination import read_destinations
from pillarbox.delivery.smtp.mail_exchangers import MailExchangers, Rules, Target
from pillarbox.delivery.smtp.policy_table import TlsPolicy
from pillarbox.delivery.smtp.tls_policy import TlsPolicies
from pillarbox.net.dns.host_lookup import HostLookup
from pillarbox.net.dns.records import Mx, RecordType, Tlsa
from pillarbox.observability.events import Event, Warned
from pillarbox.vocabulary.clock import ManualClock

GOOD = Tlsa(3, 1, 1, b"x" * 32)
OTHER = Tlsa(3, 1, 1, b"y" * 32)
A = {RecordType.A: ["192.0.2.1"]}
ZONES: Zones = {
    "signed.test": {RecordType.MX: [Mx(10, "mx.signed.test")]},
    "mx.signed.test": A,
    "_25._tcp.mx.signed.test": {RecordType.TLSA: [GOOD]},
    "_587._tcp.mx.signed.test": {RecordType.TLSA: [OTHER]},
    "bare.signed.test": {RecordType.MX: [Mx(10, "bare.signed.test")], **A},
    "pkix.signed.test": {RecordType.MX: [Mx(10, "pkix.signed.test")], **A},
    "_25._tcp.pkix.signed.test": {RecordType.TLSA: [Tlsa(1, 0, 1, b"x" * 32)]},
    "short.signed.test": {RecordType.MX: [Mx(10, "short.signed.test")], **A},
    "_25._tcp.short.signed.test": {RecordType.TLSA: [Tlsa(3, 1, 1, b"x")]},
    "failing.signed.test": {RecordType.MX: [Mx(10, "failing.signed.test")], **A},
    "elsewhere.signed.test": {RecordType.MX: [Mx(10, "mx.plain.test")]},
    "plain.test": {RecordType.MX: [Mx(10, "mx.plain.test")]},
    "mx.plain.test": A,
    "_25._tcp.mx.plain.test": {RecordType.TLSA: [GOOD]},
    "outsourced.test": {RecordType.MX: [Mx(10, "mx.signed.test")]},
    "delegated.signed.test": {RecordType.MX: [Mx(10, "delegated.signed.test")], **A},
    "_25._tcp.delegated.signed.test": {RecordType.CNAME: ["tlsa.signed.test"]},
    "tlsa.signed.test": {RecordType.TLSA: [OTHER]},
    "strayed.signed.test": {RecordType.MX: [Mx(10, "strayed.signed.test")], **A},
    "_25._tcp.strayed.signed.test": {RecordType.CNAME: ["tlsa.plain.test"]},
    "tlsa.plain.test": {RecordType.TLSA: [OTHER]},
    "alias.signed.test": {RecordType.MX: [Mx(10, "mail.signed.test")]},
    "mail.signed.test": {RecordType.CNAME: ["mx.signed.test"]},
    "halfalias.signed.test": {RecordType.MX: [Mx(10, "out.signed.test")]},
    "out.signed.test": {RecordType.CNAME: ["mx.plain.test"]},
    "_25._tcp.out.signed.test": {RecordType.TLSA: [OTHER]},
    "bothalias.signed.test": {RecordType.MX: [Mx(10, "own.signed.test")]},
    "own.signed.test": {RecordType.CNAME: ["bare.signed.test"]},
    "_25._tcp.own.signed.test": {RecordType.TLSA: [OTHER]},
    "plainalias.test": {RecordType.MX: [Mx(10, "mail.plain.test")]},
    "mail.plain.test": {RecordType.CNAME: ["mx.signed.test"]},
    "moved.test": {RecordType.CNAME: ["signed.test"]},
}
FAILING = {"_25._tcp.failing.signed.test"}


class Asked:
    """A nexthop at a level, with settings: the policy for its first server, and what was said."""

    def __init__(self, nexthop: str, level: str, **settings: str) -> None:
        values = {"smtp_tls_security_level": level, "smtp_dns_support_level": "dnssec", **settings}
        snapshot = Snapshot.of(values)
        client, tls = snapshot.group(SmtpClient), snapshot.group(SmtpClientTls)
        self.resolver = ZoneResolver(ZONES, failing=FAILING, signed=["signed.test", "moved.test"])
        policies = TlsPolicies(tls, (), grades={"medium": "HIGH"})
        rules = dane_rules(snapshot.group(Dane), client, tls, snapshot.group(MailExchange), lmtp=False)
        self._dane = DanePolicies(self.resolver, policies, rules)
        self._exchangers = MailExchangers(
            self.resolver,
            HostLookup(self.resolver, clock=ManualClock()),
            rules=Rules(),
            shuffle=lambda _: None,
        )
        (self.destination,) = read_destinations(
            nexthop, port="25", ports={}, lmtp=nexthop.startswith("unix:")
        )
        self._policy = policies.policy(self.destination)
        self.warnings: list[str] = []
        self.policy: TlsPolicy | None = None
        self.refusal: tuple[str, str] | None = None
        asyncio.run(self._ask())

    async def _ask(self) -> None:
        target: Target = (await self._exchangers.route(self.destination)).targets[0]
        try:
            self.policy = await self._dane.of(self._policy, self.destination, target, tell=self._tell)
        except NoPolicy as fault:
            self.refusal = fault.status, fault.text

    def _tell(self, event: Event) -> None:
        assert isinstance(event, Warned)
        self.warnings.append(event.reason)

    @property
    def outcome(self) -> str:
        """The level, or why there is none."""
        return self.policy.level if self.policy is not None else (self.refusal or ("", ""))[1]


NONE, INSECURE = "no TLSA records found", "non DNSSEC destination"
CASES = [  # nexthop, level and host of dane, those of dane-only
    ("signed.test", "dane", "dane-only", "mx.signed.test", GOOD),
    ("[mx.signed.test]", "dane", "dane-only", "mx.signed.test", GOOD),
    ("[mx.signed.test]:587", "dane", "dane-only", "mx.signed.test", OTHER),
    ("moved.test", "dane", "dane-only", "mx.signed.test", GOOD),
    ("alias.signed.test", "dane", "dane-only", "mx.signed.test", GOOD),
    ("delegated.signed.test", "dane", "dane-only", "delegated.signed.test", OTHER),
    ("halfalias.signed.test", "dane", "dane-only", "out.signed.test", OTHER),
    ("bothalias.signed.test", "dane", "dane-only", "own.signed.test", OTHER),
    ("outsourced.test", "half-dane", INSECURE, "mx.signed.test", GOOD),
    ("bare.signed.test", "may", NONE, "", None),
    ("elsewhere.signed.test", "may", NONE, "", None),
    ("strayed.signed.test", "may", NONE, "", None),
    ("plain.test", "may", INSECURE, "", None),
    ("[mx.plain.test]", "may", NONE, "", None),
    ("[192.0.2.1]", "may", NONE, "", None),
    ("pkix.signed.test", "encrypt", "TLSA records unusable", "", None),
    ("short.signed.test", "encrypt", "TLSA records unusable", "", None),
]


@pytest.mark.parametrize(("nexthop", "dane", "only", "host", "record"), CASES, ids=[row[0] for row in CASES])
def test_levels(nexthop: str, dane: str, only: str, host: str, record: Tlsa | None) -> None:
    """RFC 7672 §2.2: which servers have to show which certificate."""
    for level, expected in (("dane", dane), ("dane-only", only)):
        asked = Asked(nexthop, level)
        assert asked.outcome == expected
        if asked.policy is None:
            assert asked.refusal == ("4.7.5", expected)
            continue
        assert asked.policy.tlsa == ((record,) if record is not None else ())
        assert asked.policy.is_required is (expected != "may")
        assert asked.policy.servername == host
        if record is not None:
            assert asked.policy.match[0] == host


def test_names_of_authorities_certificates() -> None:
    """RFC 7672 §3.2.2: the TLSA base domain, and the next-hop domain, as asked for and behind its alias."""
    assert Asked("signed.test", "dane").policy.match == ("mx.signed.test", "signed.test")  # type: ignore[union-attr]
    moved = Asked("moved.test", "dane").policy
    assert moved is not None
    assert moved.match == ("mx.signed.test", "signed.test", "moved.test")


@pytest.mark.parametrize("level", ["dane", "dane-only"])
def test_what_cannot_be_looked_up_waits(level: str) -> None:
    """Whoever keeps answers from us must not get the mail in clear text (RFC 7672 §2.1.2)."""
    asked = Asked("failing.signed.test", level)
    assert asked.refusal == ("4.7.5", "TLSA lookup error for failing.signed.test:25")
    (warning,) = asked.warnings
    assert warning.startswith(
        "DANE TLSA lookup problem: Host or domain name not found. Name service error for "
    )


@pytest.mark.parametrize(
    ("policy", "expected"), [("may", "may"), ("encrypt", "encrypt"), ("dane", "half-dane")]
)
def test_insecure_mx_records(policy: str, expected: str) -> None:
    """smtp_tls_dane_insecure_mx_policy; without TLSA records it means nothing."""
    settings = {"smtp_tls_dane_insecure_mx_policy": policy}
    assert Asked("outsourced.test", "dane", **settings).outcome == expected
    assert Asked("plain.test", "dane", **settings).outcome == "may"


def test_no_questions_about_insecure_hosts() -> None:
    """Unless smtp_tls_force_insecure_host_tlsa_lookup asks for them (RFC 7672 §2.2.2: some servers fail at them)."""

    def asked_for(**settings: str) -> list[str]:
        asked = Asked("[mx.plain.test]", "dane", **settings)
        return [name for name, kind in asked.resolver.asked if kind is RecordType.TLSA]

    assert asked_for() == []
    assert asked_for(smtp_tls_force_insecure_host_tlsa_lookup="yes") == ["_25._tcp.mx.plain.test"]


WITHOUT = [
    ({"smtp_dns_support_level": ""}, "with dnssec lookups disabled"),
    ({"smtp_host_lookup": "native"}, "with dnssec lookups disabled"),
    ({"ignore_mx_lookup_error": "yes"}, "with MX lookup errors ignored"),
]


@pytest.mark.parametrize(("settings", "why"), WITHOUT)
def test_configurations_without_proofs(settings: dict[str, str], why: str) -> None:
    """dane goes on as may, dane-only does not go on; both say why."""
    asked = Asked("signed.test", "dane", **settings)
    assert asked.outcome == "may"
    assert asked.warnings == [f"signed.test: dane configured {why}"]
    asked = Asked("signed.test", "dane-only", **settings)
    assert asked.refusal == ("4.7.5", "client TLS configuration problem")
    assert asked.warnings == [f"signed.test: dane-only configured {why}"]


def test_unusable_records_are_told() -> None:
    """The admin of the other side will ask."""
    assert Asked("pkix.signed.test", "dane").warnings == [
        f"_25._tcp.pkix.signed.test unsupported TLSA certificate usage: 1 0 1 {'78' * 32}"
    ]
    assert Asked("short.signed.test", "dane").warnings == [
        "short.signed.test[192.0.2.1]:25: unusable TLSA RR: 3 1 1 78",
        "short.signed.test[192.0.2.1]:25: all TLSA records unusable, fallback to unauthenticated TLS",
    ]


def test_unix_sockets_have_no_records() -> None:
    """LMTP over a socket at level dane is a mistake."""
    asked = Asked("unix:private/lmtp", "dane")
    assert asked.refusal == ("4.7.5", "client TLS configuration problem")
    assert asked.warnings == [
        'unix:private/lmtp: the "dane" security level is invalid for delivery via unix-domain sockets'
    ]


def test_other_levels_ask_nothing() -> None:
    """No TLSA question without dane."""
    asked = Asked("signed.test", "encrypt")
    assert asked.outcome == "encrypt"
    assert all(kind is not RecordType.TLSA for _, kind in asked.resolver.asked)


def test_protocols_and_ciphers_follow_the_level() -> None:
    """Mandatory protocols and ciphers count as soon as TLS is needed, those of may where it is not."""
    settings = {"smtp_tls_mandatory_ciphers": "high", "smtp_tls_ciphers": "medium"}
    grades = {
        nexthop: Asked(nexthop, "dane", **settings).policy.ciphers  # type: ignore[union-attr]
        for nexthop in ("signed.test", "pkix.signed.test", "plain.test")
    }
    assert grades == {"signed.test": "high", "pkix.signed.test": "high", "plain.test": "medium"}
