"""TLSRPT: who wants reports, and what the host's reporter hears of a session (RFC 8460)."""

import asyncio
import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from delivery.smtp.test_delivery import delivered
from fakes.certificates import issue
from fakes.scripted_server import BREAK_TLS, ScriptedServer
from fakes.zones import ZoneResolver
from pillarbox.delivery.smtp.policy_table import ExternalPolicy, TlsPolicy
from pillarbox.delivery.smtp.tls_reports import Facts, Reporter, Wish, described
from pillarbox.net.dns.records import Mx, RecordType, Tlsa
from pillarbox.observability.events import Event

RECORD = "v=TLSRPTv1; rua=mailto:tls@example.test"
WISHES: list[tuple[list[bytes], str | None, int]] = [
    ([RECORD.encode()], RECORD, 0),
    ([b"v=TLSRPTv1 ;rua=x", b"v=spf1 -all"], "v=TLSRPTv1 ;rua=x", 0),
    ([b"v=TLSRPTv1"], None, 1),
    ([b"v=TLSRPTv2; rua=x"], None, 0),
    ([RECORD.encode(), b"v=TLSRPTv1; rua=y"], None, 1),
]


@pytest.mark.parametrize(("texts", "record", "warnings"), WISHES)
def test_who_wants_reports(texts: list[bytes], record: str | None, warnings: int) -> None:
    """One record of the right version, and no more (RFC 8460 §3)."""
    told: list[Event] = []
    zones = ZoneResolver(
        {"_smtp._tls.example.test": {RecordType.TXT: texts}}, failing={"_smtp._tls.broken.test"}
    )
    reporter = Reporter("/nonexistent", zones, monotonic=lambda: 0.0)
    reporter.tell = told.append
    found = asyncio.run(reporter.wish("example.test"))
    assert found == (Wish("example.test", record) if record is not None else None)
    assert len(told) == warnings
    assert asyncio.run(reporter.wish("other.test")) is None
    assert len(told) == warnings
    assert asyncio.run(reporter.wish("broken.test")) is None
    assert len(told) == warnings + 1


POLICIES: list[tuple[TlsPolicy, dict[str, Any]]] = [
    (TlsPolicy("may"), {"policy-type": 9}),
    (
        TlsPolicy("dane", servername="mx.test", tlsa=(Tlsa(3, 1, 1, b"\xab\xcd"),)),
        {"policy-type": 1, "policy-domain": "mx.test", "policy-string": ["3 1 1 ABCD"]},
    ),
    (
        TlsPolicy(
            "secure",
            external=ExternalPolicy(
                kind="sts", domain="example.test", strings=("version: STSv1",), patterns=("*.example.test",)
            ),
        ),
        {
            "policy-type": 2,
            "policy-domain": "example.test",
            "policy-string": ["version: STSv1"],
            "mx-host": ["*.example.test"],
        },
    ),
]


@pytest.mark.parametrize(("policy", "expected"), POLICIES, ids=["none", "dane", "sts"])
def test_policies(policy: TlsPolicy, expected: dict[str, Any]) -> None:
    """As sys4's library has them."""
    assert described(policy) == expected


def test_a_reporter_that_is_not_there() -> None:
    """It is told once a minute, and nothing else happens."""
    told: list[Event] = []
    now = [100.0]
    reporter = Reporter("/nonexistent/socket", ZoneResolver({}), monotonic=lambda: now[0])
    reporter.tell = told.append
    facts = Facts(sender_address="192.0.2.1", server="mx.test", server_address="192.0.2.2")
    for second, count in ((100.0, 1), (130.0, 1), (161.0, 2)):
        now[0] = second
        reporter.report(Wish("x.test", RECORD), TlsPolicy("may"), facts, "good")
        assert len(told) == count


def test_a_policy_that_could_not_be_had(tmp_path: Path) -> None:
    """policy_failure of a policy table is what failed, whatever TLS was like."""
    reporter = Reporter(str(tmp_path / "tlsrpt"), ZoneResolver({}), monotonic=lambda: 0.0)
    policy = TlsPolicy("may", external=ExternalPolicy(kind="sts", failure="sts-policy-fetch-error"))
    facts = Facts(sender_address="192.0.2.1", server="mx.test", server_address="192.0.2.2")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hears:
        hears.bind(str(tmp_path / "tlsrpt"))
        reporter.report(Wish("x.test", RECORD), policy, facts, "good")
        (told,) = json.loads(hears.recv(10000))["policies"]
    assert (told["failure-details"][0]["c"], told["t"], told["f"]) == (301, 1, 1)


SESSIONS = [
    # level, what the server does with TLS, the outcome of RFC 8460 §4.3 as a number; 0: good
    ("may", "good", 0),
    ("may", "none", 201),
    ("encrypt", "none", 201),
    ("encrypt", "broken", 205),
    ("verify", "good", 203),
    ("none", "good", None),
]


@pytest.mark.parametrize(("level", "tls", "code"), SESSIONS)
def test_sessions(tmp_path: Path, level: str, tls: str, code: int | None) -> None:
    """One datagram for each session in which TLS was to be."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issue(tmp_path, "server"))
    offer = b"250-mx.test\r\n250 8BITMIME" if tls == "none" else b"250-mx.test\r\n250 STARTTLS"
    replies: dict[str, Any] = {"EHLO": offer}
    if tls == "broken":
        replies["STARTTLS"] = BREAK_TLS
    server = ScriptedServer("127.0.0.1", 0, replies, tls=context)
    zones = ZoneResolver(
        {
            "_smtp._tls.x.test": {RecordType.TXT: [RECORD.encode()]},
            "x.test": {RecordType.MX: [Mx(1, "mx.test")]},
            "mx.test": {RecordType.A: ["127.0.0.1"]},
        }
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as reporter:
        reporter.bind(str(tmp_path / "tlsrpt"))
        reporter.setblocking(False)
        settings = {
            "smtp_tls_security_level": level,
            "smtp_tls_protocols": ">=TLSv1.2",
            "smtp_tls_mandatory_protocols": ">=TLSv1.2",
            "smtp_tlsrpt_enable": "yes",
            "smtp_tlsrpt_socket_name": "tlsrpt",
            "queue_directory": str(tmp_path),
        }
        try:
            delivered("smtp", f"x.test:{server.port}", zones, **settings)
        finally:
            server.close()
        if code is None:
            with pytest.raises(BlockingIOError):
                reporter.recv(1)
            return
        told = json.loads(reporter.recv(10000))
        with pytest.raises(BlockingIOError):
            reporter.recv(1)
    assert (told["d"], told["pr"]) == ("x.test", RECORD)
    (policy,) = told["policies"]
    assert (policy["policy-type"], policy["t"], policy["f"]) == (9, int(code > 0), int(code > 0))
    if code:
        (failure,) = policy["failure-details"]
        assert failure == {
            "c": code,
            "s": "127.0.0.1",
            "n": "mx.test",
            "h": offer.decode(),
            "r": "127.0.0.1",
        }
