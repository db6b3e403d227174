"""A message over a session whose server is a list of replies: what is said, and what comes of each recipient."""

import asyncio

import pytest

from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.smtp.configured import open_service
from pillarbox.delivery.smtp.conversation import Conversation
from pillarbox.delivery.smtp.destination import Destination
from pillarbox.delivery.smtp.mail_exchangers import Target
from pillarbox.delivery.smtp.request import DeliverBySmtp, SmtpRecipient
from pillarbox.delivery.smtp.session import Session
from pillarbox.delivery.smtp.tls_policy import TlsPolicy
from pillarbox.delivery.smtp.transaction import Transaction
from pillarbox.net.dns.stub_resolver import StubResolver
from pillarbox.net.system_clock import SystemClock


class Server:
    """A wire whose other end answers each packet from a script."""

    idle_limit = 0.0

    def __init__(self, *replies: bytes) -> None:
        self._replies = list(replies)
        self.heard = b""

    async def receive(self) -> bytes:
        """The next reply."""
        return self._replies.pop(0) if self._replies else b""

    def send(self, data: bytes) -> None:
        """Listen."""
        self.heard += data

    async def drain(self) -> None:
        """All was taken."""

    def close(self) -> None:
        """Gone."""

    def abort(self) -> None:
        """Gone at once."""


def converse(server: Server, *recipients: bytes, trace_only: bool) -> list[tuple[str, str]]:
    """Status and text for each recipient, and goodbye."""
    service = open_service(
        "smtp", "smtp", Snapshot.of({}), resolver=StubResolver(clock=SystemClock()), clock=SystemClock()
    )
    job = DeliverBySmtp(
        job=1,
        service="smtp",
        nexthop="x.test",
        queue_id="A1",
        sender=b"s@here.test",
        recipients=[SmtpRecipient(address, address) for address in recipients],
        data_offset=0,
        size=10,
        arrival_time=0.0,
        active_time=0.0,
        trace_only=trace_only,
    )

    async def run() -> list[tuple[str, str]]:
        session = Session(
            Conversation(server, Target("mx.x.test", "192.0.2.1", 25)),
            discarded=frozenset(),
            rules=service.rules,
            destination=Destination("x.test", "x.test", 25, mx=True),
            policy=TlsPolicy(level="none"),
            tell=lambda _: None,
        )
        await session.greet()
        verdicts = await Transaction(session, job, job.recipients).run([b"Subject: x\r\n\r\nx\r\n"])
        await session.quit()
        return [(verdict.status, verdict.text) for verdict in verdicts]

    return asyncio.run(run())


_MAIL = b"250 2.1.0 Ok\r\n"
_OK, _NO = b"250 2.1.5 Ok\r\n", b"550 5.1.1 Unknown\r\n"
_SAID = b"EHLO %s\r\nMAIL FROM:<s@here.test>\r\nRCPT TO:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nRSET\r\nQUIT\r\n"


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_trace_ends_after_the_recipients(pipelining: bool) -> None:
    """RCPT's reply is the last word; RSET and QUIT follow, no message does."""
    offer = (
        b"220 mx ESMTP\r\n",
        b"250-mx.x.test\r\n250 PIPELINING\r\n" if pipelining else b"250 mx.x.test\r\n",
    )
    server = Server(*offer, _MAIL, _OK, _NO, _MAIL, b"221 Bye\r\n")
    refused = "host mx.x.test[192.0.2.1] said: 550 5.1.1 Unknown (in reply to RCPT TO command)"
    assert converse(server, b"a@x.test", b"b@x.test", trace_only=True) == [
        ("2.1.5", "250 2.1.5 Ok"),
        ("5.1.1", refused),
    ]
    name = server.heard.partition(b"\r\n")[0].removeprefix(b"EHLO ")
    assert server.heard == _SAID % name


def test_a_sender_that_is_refused() -> None:
    """MAIL's refusal is every recipient's."""
    server = Server(b"220 mx ESMTP\r\n", b"250 mx.x.test\r\n", b"553 5.1.8 No\r\n", _MAIL, b"221 Bye\r\n")
    (verdict,) = converse(server, b"a@x.test", trace_only=True)
    assert verdict == (
        "5.1.8",
        "host mx.x.test[192.0.2.1] said: 553 5.1.8 No (in reply to MAIL FROM command)",
    )
    assert b"RCPT" not in server.heard


def test_mail_goes_out_in_the_same_way() -> None:
    """Without a trace the message follows."""
    server = Server(
        b"220 mx ESMTP\r\n",
        b"250 mx.x.test\r\n",
        _MAIL,
        _OK,
        b"354 Go\r\n",
        b"250 2.0.0 Queued\r\n",
        b"221 Bye\r\n",
    )
    assert converse(server, b"a@x.test", trace_only=False) == [("2.0.0", "250 2.0.0 Queued")]
    assert server.heard.endswith(b"DATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n")
