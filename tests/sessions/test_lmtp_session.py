"""LMTP sessions: what is said to whom, and what is stored."""

import asyncio
import os

import pytest

from fakes.scripted_transport import ScriptedTransport
from pillarbox.net.system_clock import SystemClock
from pillarbox.sessions import lmtp_session
from pillarbox.sessions.lmtp_session import LmtpEnded, LmtpPolicy, LmtpSession, Message, Recipient


class Users:
    """Mailboxes in memory."""

    def __init__(self) -> None:
        self.stored: list[tuple[str, str, bytes]] = []
        self.files = 0
        self.is_full = False
        self.faults: list[OSError] = []

    async def exists(self, user: str) -> bool | None:
        """By name."""
        return {
            "me@b.example": True,
            "you@b.example": True,
            "full@b.example": True,
            "odd@b.example": None,
        }.get(user, False)

    async def has_room(self, recipient: Recipient) -> bytes:
        """Not if the mailbox is full."""
        return b"552 5.2.2 No room" if recipient.user.startswith("full") else b"250 2.1.5 OK"

    async def deliver(self, recipient: Recipient, content: Message) -> bytes:
        """Kept, unless the mailbox is full."""
        if recipient.user.startswith("full"):
            return b"552 5.2.2 Quota exceeded (mailbox for user is full)"
        text = b"".join(content.content)
        if content.file >= 0:
            self.files += 1
            text = os.pread(content.file, 1 << 20, 0)
        self.stored.append((recipient.user, recipient.detail, content.head + text))
        return b"250 2.0.0 Saved"

    def new_file(self) -> int:
        """In memory."""
        if self.is_full:
            raise OSError(28, "No space left on device")
        return os.memfd_create("message")

    def tell_fault(self, error: OSError) -> None:
        """Kept."""
        self.faults.append(error)


def play(
    script: bytes,
    policy: LmtpPolicy | None = None,
    remote: str = "192.0.2.1",
    *,
    step: int = 0,
    is_full: bool = False,
) -> tuple[list[bytes], Users, LmtpEnded]:
    """Replies, what was stored, and how it ended; with `step` the script comes in pieces of so many octets."""
    users = Users()
    users.is_full = is_full
    step = step or len(script)
    transport = ScriptedTransport([script[at : at + step] for at in range(0, len(script), step)])
    session = LmtpSession(
        transport,
        users,
        clock=SystemClock(),
        policy=policy or LmtpPolicy(b"mx", b"ready."),
        remote=remote,
        session_id=bytes(16),
        date=lambda _: b"DATE",
    )
    ended = asyncio.run(session.run())
    return bytes(transport.sent).split(b"\r\n")[:-1], users, ended


ID = b"A" * 22


def test_each_recipient_has_his_reply() -> None:
    """In the order of RCPT; one that is full stops nobody."""
    replies, users, ended = play(
        b"LHLO client\r\nMAIL FROM:<s@c.example>\r\nRCPT TO:<me+box@b.example>\r\nRCPT TO:<nobody@b.example>\r\n"
        b"RCPT TO:<odd@b.example>\r\nRCPT TO:<full@b.example>\r\nRCPT TO:<you@b.example>\r\nDATA\r\n"
        b"Subject: x\r\n\r\n..hello\r\n.\r\nQUIT\r\n"
    )
    assert replies == [
        b"220 mx ready.",
        b"250-mx",
        b"250-8BITMIME",
        b"250-CHUNKING",
        b"250-ENHANCEDSTATUSCODES",
        b"250 PIPELINING",
        b"250 2.1.0 OK",
        b"250 2.1.5 OK",
        b"550 5.1.1 <nobody@b.example> User doesn't exist: nobody@b.example",
        b"451 4.3.0 <odd@b.example> Temporary internal error",
        b"250 2.1.5 OK",
        b"250 2.1.5 OK",
        b"354 OK",
        b"250 2.0.0 <me+box@b.example> " + ID + b" Saved",
        b"552 5.2.2 <full@b.example> Quota exceeded (mailbox for user is full)",
        b"250 2.0.0 <you@b.example> " + ID + b":R5 Saved",
        b"221 2.0.0 Bye",
    ]
    head = (
        b"Return-Path: <s@c.example>\nReceived: from client ([192.0.2.1])\n\tby mx with LMTP\n\tid "
        + ID
        + b"\n\t(envelope-from <s@c.example>); DATE\n"
    )
    assert users.stored == [
        ("me@b.example", "box", head + b"Subject: x\n\n.hello\n"),
        ("you@b.example", "", head + b"Subject: x\n\n.hello\n"),
    ]
    assert ended == LmtpEnded("Logged out", "READY")


def test_one_recipient_is_named_in_the_header() -> None:
    """Delivered-To: and `for`; from a Unix socket without an address; switched off by the configuration."""
    script = b"LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<me@b.example>\r\nDATA\r\nx\r\n.\r\n"
    _, users, ended = play(script, remote="")
    assert users.stored[0][2] == (
        b"Return-Path: <>\nDelivered-To: me@b.example\nReceived: from c\n\tby mx with LMTP\n\tid "
        + ID
        + b"\n\t(envelope-from <>)\n\tfor <me@b.example>; DATE\nx\n"
    )
    assert ended == LmtpEnded("Connection closed", "READY")
    policy = LmtpPolicy(b"mx", b"ready.", adds_received=False, delivery_address="none")
    _, users, _ = play(script, policy)
    assert users.stored[0][2] == b"Return-Path: <>\nx\n"


@pytest.mark.parametrize(
    ("parameter", "delivered_to", "received_for"),
    [(b" ORCPT=rfc822;orig@x", b"Delivered-To: orig@x\n", b"orig@x"), (b"", b"", b"me@b.example")],
)
def test_the_original_recipient_is_named_if_it_is_wanted(
    parameter: bytes, delivered_to: bytes, received_for: bytes
) -> None:
    """lmtp_hdr_delivery_address = original: what ORCPT has, as Dovecot does it."""
    script = b"LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<me@b.example>%b\r\nDATA\r\nx\r\n.\r\n" % parameter
    _, users, _ = play(script, LmtpPolicy(b"mx", b"ready.", delivery_address="original"), remote="")
    assert users.stored[0][2] == (
        b"Return-Path: <>\n%bReceived: from c\n\tby mx with LMTP\n\tid %b\n\t(envelope-from <>)\n\tfor <%b>; DATE\nx\n"
        % (delivered_to, ID, received_for)
    )


ORDER = [
    (b"MAIL FROM:<a@b>", b"250 2.1.0 OK"),
    (b"RCPT TO:<a@b>", b"503 5.5.0 MAIL needed first"),
    (b"RCPT TO:<a b>", b"503 5.5.0 MAIL needed first"),
    (b"MAIL FROM:<>\r\nMAIL FROM:<a b>", b"503 5.5.0 MAIL already given"),
    (b"DATA", b"503 5.5.0 MAIL needed first"),
    (b"LHLO x\r\nMAIL FROM:<>\r\nMAIL FROM:<>", b"503 5.5.0 MAIL already given"),
    (b"LHLO x\r\nMAIL FROM:<>\r\nDATA", b"503 5.5.0 No valid recipients"),
    (b"LHLO x\r\nMAIL FROM:<>\r\nBDAT 4 LAST\r\nhi", b"503 5.5.0 No valid recipients"),
    (
        b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<me@b.example>\r\nBDAT 1\r\nxDATA",
        b"503 5.5.0 Bad sequence of commands",
    ),
    *(
        (
            b"MAIL FROM:<>\r\nRCPT TO:<me@b.example>\r\nBDAT 2 X\r\nab" + text,
            b"503 5.5.0 Previous data chunk failed, issue RSET first",
        )
        for text in (b"BDAT 2 LAST\r\n", b"DATA")
    ),
    (b"LHLO x\r\nMAIL FROM:<>\r\nRSET\r\nRCPT TO:<me@b.example>", b"503 5.5.0 MAIL needed first"),
    (b"HELO x", b"500 5.5.1 Unknown command"),
]


@pytest.mark.parametrize(("script", "reply"), ORDER)
def test_order(script: bytes, reply: bytes) -> None:
    """Out of turn is told so, in Dovecot's words."""
    replies, _, _ = play(script + b"\r\n")
    assert replies[-1] == reply


def test_chunks_make_one_message() -> None:
    """BDAT, CRLF cut in two; the next transaction starts afresh."""
    replies, users, _ = play(
        b"LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<me@b.example>\r\nBDAT 4\r\na\r\n\rBDAT 3 LAST\r\n\nb\nMAIL FROM:<>\r\n"
    )
    assert replies[-3:] == [
        b"250 2.0.0 Added 4 octets",
        b"250 2.0.0 <me@b.example> " + ID + b" Saved",
        b"250 2.1.0 OK",
    ]
    assert users.stored[0][2].endswith(b"DATE\na\n\nb\n")


def test_named_twice_is_one_delivery() -> None:
    """Each RCPT has a reply of its own, and the second transaction a number."""
    to = b"RCPT TO:<me@b.example>\r\n"
    script = b"MAIL FROM:<>\r\n" + to + to + b"RCPT TO:<you@b.example>\r\nDATA\r\nx\r\n.\r\n"
    replies, users, _ = play(script + script, remote="")
    saved = [reply for reply in replies if reply.endswith(b" Saved")]
    me, you = b"250 2.0.0 <me@b.example> " + ID, b"250 2.0.0 <you@b.example> " + ID
    assert saved == [
        *(me + b" Saved", me + b" Saved", you + b":R3 Saved"),
        *(me + b":T2 Saved", me + b":T2 Saved", you + b":T2:R3 Saved"),
    ]
    assert [user for user, _, _ in users.stored] == ["me@b.example", "you@b.example"] * 2
    assert b"Received: from unknown\n\tby mx with LMTP\n\tid " + ID + b":T2\n" in users.stored[2][2]


@pytest.mark.parametrize("step", [1, 7, 0])
def test_a_large_message_is_in_a_file(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The octets are those of a small one, for each recipient, however they come; nothing stays open."""
    script = (
        b"LHLO c\r\nMAIL FROM:<s@c.example>\r\nRCPT TO:<me@b.example>\r\nRCPT TO:<you@b.example>\r\nDATA\r\n"
        b"Subject: x\r\n\r\n..dot\r\nlone \r here\r\n" + b"line\r\n" * 20 + b".\r\n"
        b"MAIL FROM:<s@c.example>\r\nRCPT TO:<me@b.example>\r\nBDAT 4 LAST\r\nab\r\rQUIT\r\n"
    )
    expected, small, _ = play(script, step=step)
    assert 0 == small.files
    monkeypatch.setattr(lmtp_session, "SPILL_AT", 2)
    before = len(os.listdir("/proc/self/fd"))
    replies, large, _ = play(script, step=step)
    assert 3 == large.files
    assert before == len(os.listdir("/proc/self/fd"))
    assert (expected, small.stored) == (replies, large.stored)


def test_no_room_for_a_large_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client may try again; the rest of it is read."""
    monkeypatch.setattr(lmtp_session, "SPILL_AT", 2)
    replies, users, _ = play(
        b"LHLO c\r\nMAIL FROM:<s@c.example>\r\nRCPT TO:<me@b.example>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n",
        step=9,
        is_full=True,
    )
    assert [b"451 4.3.0 <me@b.example> Temporary internal error", b"221 2.0.0 Bye"] == replies[-2:]
    assert ([], 1) == (users.stored, len(users.faults))


def test_who_is_over_quota_is_refused_at_rcpt() -> None:
    """lmtp_rcpt_check_quota."""
    script = (
        b"LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<full@b.example>\r\nDATA\r\nRCPT TO:<me@b.example>\r\n"
        b"DATA\r\nx\r\n.\r\nQUIT\r\n"
    )
    replies, users, _ = play(script, LmtpPolicy(b"mx", b"ready.", checks_quota=True))
    assert replies[7:10] == [
        b"552 5.2.2 <full@b.example> No room",
        b"503 5.5.0 No valid recipients",
        b"250 2.1.5 OK",
    ]
    assert [user for user, _, _ in users.stored] == ["me@b.example"]
