"""A message over a session whose server is a list of replies: what is said, and what comes of each recipient."""

import asyncio

import pytest

from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.smtp.configured import open_service
from pillarbox.delivery.smtp.conversation import Conversation
from pillarbox.delivery.smtp.destination import Destination
from pillarbox.delivery.smtp.mail_exchangers import Target
from pillarbox.delivery.smtp.policy_table import TlsPolicy
from pillarbox.delivery.smtp.request import DeliverBySmtp, SmtpRecipient
from pillarbox.delivery.smtp.session import Session
from pillarbox.delivery.smtp.transaction import Stale, Transaction, Verdict
from pillarbox.net.dns.stub_resolver import StubResolver
from pillarbox.net.system_clock import SystemClock
from pillarbox.tables.ehlo_keywords import DiscardedKeywords


class Server:
    """A wire whose other end answers each packet from a script."""

    idle_limit = 0.0
    is_full = False

    def __init__(self, *replies: bytes) -> None:
        self._replies = list(replies)
        self.packets: list[bytes] = []

    @property
    def heard(self) -> bytes:
        """All of them."""
        return b"".join(self.packets)

    async def receive(self) -> bytes:
        """The next reply."""
        return self._replies.pop(0) if self._replies else b""

    def send(self, data: bytes) -> None:
        """Listen."""
        self.packets.append(data)

    async def drain(self) -> None:
        """All was taken."""

    def close(self) -> None:
        """Gone."""

    def abort(self) -> None:
        """Gone at once."""


def converse(
    server: Server,
    *recipients: bytes,
    trace_only: bool = False,
    uses: int = 0,
    is_last: bool = False,
    protocol: str = "smtp",
    settings: dict[str, str] | None = None,
) -> list[tuple[str, str]]:
    """Status and text for each recipient, and goodbye.  `uses`: messages that went over the session before."""
    service = open_service(
        protocol,
        protocol,
        Snapshot.of(settings or {}),
        resolver=StubResolver(clock=SystemClock()),
        clock=SystemClock(),
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
            discarded=DiscardedKeywords,
            rules=service.rules,
            destination=Destination("x.test", "x.test", 25, mx=True),
            policy=TlsPolicy(level="none"),
            tell=lambda _: None,
        )
        await session.greet()
        await session.hello(esmtp=session.speaks_esmtp)
        session.uses = uses
        verdicts: dict[int, Verdict] = {}
        transaction = Transaction(session, job, job.recipients, heard=verdicts.__setitem__, is_last=is_last)
        await transaction.run([b"Subject: x\r\n\r\nx\r\n"])
        await session.quit()
        return [(verdict.status, verdict.text) for _, verdict in sorted(verdicts.items())]

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


_PIPELINING = (b"220 mx ESMTP\r\n", b"250-mx.x.test\r\n250 PIPELINING\r\n")
_PLAIN = (b"220 mx ESMTP\r\n", b"250 mx.x.test\r\n")
_RESET = b"250 2.0.0 Reset\r\n"
_ENVELOPE = b"MAIL FROM:<s@here.test>\r\nRCPT TO:<a@x.test>\r\nDATA\r\n"
_CONTENT = b"Subject: x\r\n\r\nx\r\n.\r\n"


def test_a_session_that_was_kept_is_tested_in_the_packet_of_the_envelope() -> None:
    """RFC 2920 §3.1 lets RSET stand anywhere in a group of commands."""
    server = Server(*_PIPELINING, _RESET + _MAIL + _OK + b"354 Go\r\n", b"250 2.0.0 Queued\r\n")
    assert converse(server, b"a@x.test", uses=1) == [("2.0.0", "250 2.0.0 Queued")]
    assert server.packets[1:] == [b"RSET\r\n" + _ENVELOPE, _CONTENT, b"QUIT\r\n"]


def test_a_session_that_was_kept_is_tested_alone_where_nothing_may_be_said_ahead() -> None:
    """Without PIPELINING each command waits for its reply."""
    server = Server(*_PLAIN, _RESET, _MAIL, _OK, b"354 Go\r\n", b"250 2.0.0 Queued\r\n")
    assert converse(server, b"a@x.test", uses=1) == [("2.0.0", "250 2.0.0 Queued")]
    assert server.packets[1:3] == [b"RSET\r\n", b"MAIL FROM:<s@here.test>\r\n"]


@pytest.mark.parametrize("offer", [_PIPELINING, _PLAIN])
@pytest.mark.parametrize("said", [b"421 4.4.2 Idle for too long\r\n", b"500 What?\r\n354 Go\r\n", b""])
def test_a_session_that_is_not_good_any_more(offer: tuple[bytes, bytes], said: bytes) -> None:
    """Nobody's fate is known: the message goes over another session, and no content has gone over this one."""
    server = Server(*offer, said)
    with pytest.raises(Stale):
        converse(server, b"a@x.test", uses=1)
    assert b"Subject" not in server.heard


def test_the_last_message_takes_the_goodbye_along() -> None:
    """As with Postfix: the final dot and QUIT in one packet, and QUIT's reply is not waited for."""
    server = Server(*_PIPELINING, _MAIL + _OK + b"354 Go\r\n", b"250 2.0.0 Queued\r\n221 2.0.0 Bye\r\n")
    assert converse(server, b"a@x.test", is_last=True) == [("2.0.0", "250 2.0.0 Queued")]
    assert server.packets[1:] == [_ENVELOPE, _CONTENT + b"QUIT\r\n"]


@pytest.mark.parametrize(
    ("offer", "settings"), [(_PLAIN, {}), (_PIPELINING, {"smtp_skip_quit_response": "no"})]
)
def test_a_goodbye_that_has_to_wait(offer: tuple[bytes, bytes], settings: dict[str, str]) -> None:
    """Without PIPELINING, and where its reply is wanted."""
    replies = (_MAIL, _OK, b"354 Go\r\n", b"250 2.0.0 Queued\r\n", b"221 2.0.0 Bye\r\n")
    server = Server(*offer, *replies)
    converse(server, b"a@x.test", is_last=True, settings=settings)
    assert server.packets[-2:] == [_CONTENT, b"QUIT\r\n"]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (b"354 Go\r\n", ("2.0.0", "354 Go")),
        (
            b"554 5.1.1 After all not\r\n",
            ("5.1.1", "host mx.x.test[192.0.2.1] said: 554 5.1.1 After all not (in reply to DATA command)"),
        ),
    ],
)
def test_a_probe_that_goes_as_far_as_data(pipelining: bool, last: bytes, expected: tuple[str, str]) -> None:
    """smtp_address_verify_target = data: nothing is said to a server that waits for a message."""
    server = Server(
        b"220 mx ESMTP\r\n",
        b"250-mx.x.test\r\n250 PIPELINING\r\n" if pipelining else b"250 mx.x.test\r\n",
        _MAIL,
        _OK,
        last,
        b"250 Ok\r\n",
        b"221 Bye\r\n",
    )
    settings = {"smtp_address_verify_target": "data"}
    assert converse(server, b"a@x.test", trace_only=True, settings=settings) == [expected]
    assert server.heard.endswith(b"DATA\r\n" if last.startswith(b"354") else b"DATA\r\nRSET\r\nQUIT\r\n")


@pytest.mark.parametrize(("quoted", "shown"), [("yes", b'"a b"@x.test'), ("no", b"a b@x.test")])
def test_local_parts_that_want_quotes(quoted: str, shown: bytes) -> None:
    """smtp_quote_rfc821_envelope."""
    server = Server(b"220 mx ESMTP\r\n", b"250 mx.x.test\r\n", _MAIL, _NO, b"221 Bye\r\n")
    converse(server, b'"a b"@x.test', trace_only=False, settings={"smtp_quote_rfc821_envelope": quoted})
    assert b"RCPT TO:<%s>\r\n" % shown in server.heard


def test_a_recipient_without_orcpt_is_named_by_its_original() -> None:
    """As smtp(8) says of copies, which have no original recipient of RFC 3461 in the queue."""
    server = Server(
        b"220 mx ESMTP\r\n",
        b"250-mx.x.test\r\n250 DSN\r\n",
        _MAIL,
        _OK,
        _MAIL,
        b"221 Bye\r\n",
    )
    converse(server, b"a+b@x.test", trace_only=True)
    assert b"RCPT TO:<a+b@x.test> ORCPT=rfc822;a+2Bb@x.test\r\n" in server.heard


_LMTP = (b"220 mx\r\n", b"250-mx.x.test\r\n250 PIPELINING\r\n")
_DONE = "sending end of data -- message may be sent more than once"
_UNKNOWN = ("4.4.2", f"lost connection with mx.x.test[192.0.2.1] while {_DONE}")
_GARBLED = [  # protocol, what comes after 354, fates of a and b
    ("smtp", b"oops\r\n250 2.0.0 Queued\r\n221 Bye\r\n", [("2.0.0", "oops 250 2.0.0 Queued")] * 2),
    ("smtp", b"oops\r\n221 Bye\r\n", [_UNKNOWN] * 2),
    ("lmtp", b"250 A\r\noops\r\n250 B\r\n221 Bye\r\n", [("2.0.0", "250 A"), ("2.0.0", "oops 250 B")]),
    ("lmtp", b"oops\r\n250 A\r\n250 B\r\n221 Bye\r\n", [("2.0.0", "oops 250 A"), ("2.0.0", "250 B")]),
    ("lmtp", b"oops\r\n250 B\r\n221 Bye\r\n", [_UNKNOWN] * 2),
    ("lmtp", b"250 A\r\noops\r\n221 Bye\r\n", [("2.0.0", "250 A"), _UNKNOWN]),
]


@pytest.mark.parametrize(("protocol", "end", "fates"), _GARBLED)
def test_what_is_no_reply_at_the_end_of_data(protocol: str, end: bytes, fates: list[tuple[str, str]]) -> None:
    """Besides the replies it does no harm; where it stands for one, QUIT's reply makes nobody's mail delivered."""
    server = Server(*(_LMTP if protocol == "lmtp" else _PIPELINING), _MAIL + _OK * 2 + b"354 Go\r\n", end)
    assert converse(server, b"a@x.test", b"b@x.test", is_last=True, protocol=protocol) == fates
