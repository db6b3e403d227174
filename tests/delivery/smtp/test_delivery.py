"""One job: which kept sessions it may use."""

import asyncio

import pytest

from fakes.scripted_server import ScriptedServer
from fakes.zones import ZoneResolver
from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.request import Outcome
from pillarbox.delivery.smtp.configured import open_service
from pillarbox.delivery.smtp.delivery import SmtpDelivery
from pillarbox.delivery.smtp.request import DeliverBySmtp, SmtpDone, SmtpRecipient
from pillarbox.delivery.smtp.session import Session
from pillarbox.delivery.smtp.session_cache import Key, SessionCache
from pillarbox.net.dns.records import RecordType, Srv
from pillarbox.net.system_clock import SystemClock
from pillarbox.queue.content_blocks import QueuedContent
from pillarbox.queue.queue_file import SEND_REQUIRES_TLS, SEND_TLS_OPTIONAL
from pillarbox.queue.records import BytesSource
from pillarbox.vocabulary.clock import ManualClock


def ignore(_place: int, _outcome: Outcome) -> None:
    """Hear an outcome, and wait for the job's end."""


class Asked(SessionCache):
    """A cache without sessions that remembers what it was asked for."""

    def __init__(self) -> None:
        self.keys: list[Key] = []

    def take(self, key: Key) -> Session | None:
        """There is none."""
        self.keys.append(key)
        return None


def key_of(*, send_options: int, **settings: str) -> Key:
    """What a job looks for; nobody listens where it goes."""
    clock = ManualClock()
    service = open_service("smtp", "smtp", Snapshot.of(settings), resolver=ZoneResolver({}), clock=clock)
    recipient = SmtpRecipient(b"a@x.test", b"a@x.test")
    job = DeliverBySmtp(
        job=1,
        service="smtp",
        nexthop="[127.0.0.1]:1",
        queue_id="A1",
        sender=b"s@here.test",
        recipients=[recipient],
        data_offset=0,
        size=10,
        arrival_time=0.0,
        active_time=0.0,
        send_options=send_options,
    )
    cache = Asked()
    content = QueuedContent(BytesSource(b"X\0E\0"), 0)
    delivery = SmtpDelivery(service, job, content=content, cache=cache, clock=SystemClock(), settled=ignore)
    done = asyncio.run(delivery.run())
    assert done.outcomes[0].status == "deferred"
    (key,) = cache.keys
    return key


@pytest.mark.parametrize(("settings", "is_shared"), [({}, False), ({"tls_required_enable": "no"}, True)])
def test_sessions_without_tls_are_not_for_mail_that_needs_it(
    settings: dict[str, str], is_shared: bool
) -> None:
    """A message with TLS-Required: no may have gone in clear text; the next one may not."""
    versions = {"smtp_tls_protocols": ">=TLSv1.2", "smtp_tls_mandatory_protocols": ">=TLSv1.2"}
    settings = {"smtp_tls_security_level": "encrypt", **versions, **settings}
    optional = key_of(send_options=SEND_TLS_OPTIONAL, **settings)
    assert (optional == key_of(send_options=0, **settings)) is is_shared
    assert optional == key_of(send_options=SEND_TLS_OPTIONAL, **settings)


@pytest.mark.parametrize(("settings", "is_shared"), [({}, False), ({"requiretls_enable": "no"}, True)])
def test_sessions_that_are_not_verified_are_not_for_mail_that_needs_it(
    settings: dict[str, str], is_shared: bool
) -> None:
    """A message with REQUIRETLS goes over no session that another one has opened; it outweighs TLS-Required: no."""
    required = key_of(send_options=SEND_REQUIRES_TLS, **settings)
    assert (required == key_of(send_options=0, **settings)) is is_shared
    both = key_of(send_options=SEND_REQUIRES_TLS | SEND_TLS_OPTIONAL, **settings)
    assert (both == required) is not is_shared


def delivered_by_lmtp(server: ScriptedServer, **settings: str) -> Outcome:
    """What becomes of a message for a scripted LMTP server."""
    settings = {"lmtp_tls_security_level": "none", **settings}
    return delivered("lmtp", f"inet:[127.0.0.1]:{server.port}", ZoneResolver({}), **settings)


def delivered(program: str, nexthop: str, resolver: ZoneResolver, **settings: str) -> Outcome:
    """What becomes of a message for a nexthop."""
    return done_with(program, nexthop, resolver, **settings).outcomes[0]


def done_with(
    program: str, nexthop: str, resolver: ZoneResolver, content: bytes = b"N\x01xX\0E\0", /, **settings: str
) -> SmtpDone:
    """What is told of it."""
    snapshot = Snapshot.of(settings)
    service = open_service(program, program, snapshot, resolver=resolver, clock=SystemClock())
    job = DeliverBySmtp(
        job=1,
        service=program,
        nexthop=nexthop,
        queue_id="A1",
        sender=b"s@here.test",
        recipients=[SmtpRecipient(b"a@x.test", b"a@x.test")],
        data_offset=0,
        size=10,
        arrival_time=0.0,
        active_time=0.0,
    )

    async def run() -> SmtpDone:
        async with asyncio.TaskGroup() as tasks:
            cache = SessionCache(discard=Session.quit, tasks=tasks)
            queued = QueuedContent(BytesSource(content), 0)
            return await SmtpDelivery(
                service, job, content=queued, cache=cache, clock=SystemClock(), settled=ignore
            ).run()

    return asyncio.run(run())


UNREACHABLE = [
    # nexthop, settings, what is told of the destination
    ("failing.test", {}, "4.4.3"),
    ("missing.test", {}, None),
    ("missing.test", {"relayhost": "missing.test"}, "4.3.5"),
    ("failing.test", {"smtp_fallback_relay": "missing.test"}, "4.3.5"),
    ("missing.test", {"smtp_fallback_relay": "failing.test"}, "4.4.3"),
]


@pytest.mark.parametrize(("nexthop", "settings", "status"), UNREACHABLE)
def test_a_name_that_cannot_be_looked_up(nexthop: str, settings: dict[str, str], status: str | None) -> None:
    """Where mail is deferred the destination is dead for a while, as if it did not answer."""
    done = done_with("smtp", nexthop, ZoneResolver({}, failing={"failing.test"}), **settings)
    assert done.outcomes[0].status == ("bounced" if status is None else "deferred")
    assert (done.site_fault[0] if done.site_fault is not None else None) == status


def test_servers_that_srv_records_name() -> None:
    """use_srv_lookup: where the records say, on the port that they say; passwords are those of the nexthop."""
    server = ScriptedServer(
        "127.0.0.1", 0, {"EHLO": b"250-mx\r\n250 AUTH PLAIN", "AUTH": b"235 2.7.0 Welcome"}
    )
    zones = ZoneResolver(
        {
            "_submission._tcp.srv.test": {RecordType.SRV: [Srv(1, 1, server.port, "host.test")]},
            "host.test": {RecordType.A: ["127.0.0.1"]},
        }
    )
    settings = {
        "smtp_tls_security_level": "none",
        "smtp_sasl_auth_enable": "yes",
        "smtp_sasl_security_options": "noanonymous",
        "smtp_sasl_password_maps": "inline:{srv.test:submission=user:secret}",
    }
    try:
        outcome = delivered("smtp", "srv.test:submission", zones, use_srv_lookup="submission", **settings)
        assert (outcome.status, outcome.relay) == ("sent", f"host.test[127.0.0.1]:{server.port}")
        assert any(line.startswith(b"AUTH PLAIN") for line in server.said)
        assert delivered("smtp", "srv.test:submission", zones, **settings).dsn == "5.4.4"
    finally:
        server.close()


@pytest.mark.parametrize(
    ("parameter", "kind"), [("smtp_header_checks", "header"), ("smtp_body_checks", "body")]
)
def test_checks_that_cannot_be_made(parameter: str, kind: str) -> None:
    """The mail waits, and the destination is left alone for a while: smtp(8) says so."""
    server = ScriptedServer("127.0.0.1", 0)
    try:
        done = done_with(
            "smtp",
            f"[127.0.0.1]:{server.port}",
            ZoneResolver({}),
            b"N\x04A: bN\x00N\x01xX\0E\0",
            smtp_tls_security_level="none",
            **{parameter: "fail:x"},
        )
    finally:
        server.close()
    text = "local data error while talking to 127.0.0.1[127.0.0.1]"
    assert (done.outcomes[0].status, done.outcomes[0].dsn, done.outcomes[0].text) == (
        "deferred",
        "4.3.0",
        text,
    )
    assert done.site_fault == ("4.3.0", text)
    assert server.transactions == []


FINAL = [
    # lmtp_assume_final, whether the server offers DSN, the action of a notice, whether we send one
    ("no", False, "relayed", True),
    ("yes", False, "delivered", True),
    ("yes", True, "relayed", False),
]


@pytest.mark.parametrize(("assumes", "dsn", "action", "tells"), FINAL)
def test_who_is_the_last_server(assumes: str, dsn: bool, action: str, tells: bool) -> None:
    """lmtp_assume_final: one that does not offer DSN has delivered what it has taken."""
    offers = b"250-x\r\n250 DSN" if dsn else b"250 x"
    server = ScriptedServer("127.0.0.1", 0, {"LHLO": offers}, lmtp=True)
    try:
        outcome = delivered_by_lmtp(server, lmtp_assume_final=assumes)
    finally:
        server.close()
    assert (outcome.status, outcome.action, outcome.tells_success) == ("sent", action, tells)


@pytest.mark.parametrize(("enforced", "status"), [("no", "sent"), ("yes", "deferred")])
def test_an_address_that_connections_cannot_come_from(enforced: str, status: str) -> None:
    """smtp_bind_address: without it, unless smtp_bind_address_enforce."""
    server = ScriptedServer("127.0.0.1", 0, lmtp=True)
    try:
        outcome = delivered_by_lmtp(
            server, lmtp_bind_address="192.0.2.99", lmtp_bind_address_enforce=enforced
        )
    finally:
        server.close()
    assert outcome.status == status
    if status == "deferred":
        assert (outcome.dsn, outcome.text) == ("4.4.0", "server configuration error")


def test_an_address_that_they_can_come_from() -> None:
    """The server sees it."""
    server = ScriptedServer("127.0.0.1", 0, lmtp=True)
    try:
        outcome = delivered_by_lmtp(server, lmtp_bind_address="127.0.0.7")
    finally:
        server.close()
    assert outcome.status == "sent"
    assert server.clients == ["127.0.0.7"]


def test_a_nexthop_that_is_none_is_no_reason_to_return_mail() -> None:
    """A slip in a transport table: Postfix's smtp(8) ends there, and the mail waits."""
    outcome = delivered("smtp", "[2001:db8::1", ZoneResolver({}))
    assert (outcome.status, outcome.dsn) == ("deferred", "4.3.5")


KEPT = [
    # smtp_connection_cache_destinations by the port of the server, whether the connection is kept
    ("127.0.0.1", True),
    ("[127.0.0.1]", False),
    ("inline:{{ {{ 127.0.0.1 = x }} }}", True),
    ("inline:{{ {{ other.test = x }} }}, regexp:{{ {{ /^127/ x }} }}", True),
    ("!127.0.0.1, static:x", False),
    ("inline:{{ {{ other.test = x }} }}", False),
    ("fail:x", False),
    ("", False),
]


@pytest.mark.parametrize(("destinations", "kept"), KEPT)
def test_whose_connections_are_kept(destinations: str, kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name or by table, though no more mail waits."""
    keys: list[Key] = []

    def keep(_: SessionCache, key: Key, session: Session) -> bool:
        keys.append(key)
        return False

    monkeypatch.setattr(SessionCache, "keep", keep)
    server = ScriptedServer("127.0.0.1", 0, lmtp=True)
    try:
        listed = destinations.format(port=server.port)
        outcome = delivered_by_lmtp(server, lmtp_connection_cache_destinations=listed)
    finally:
        server.close()
    assert (outcome.status, bool(keys)) == ("sent", kept)
