"""POP3 before login."""

import asyncio
import ssl

import pytest

from fakes.scripted_authenticator import ScriptedAuthenticator
from fakes.scripted_transport import ScriptedTransport
from pillarbox.net.tls_faults import TlsFault
from pillarbox.sessions.login import Ticket
from pillarbox.sessions.mailbox_login import HandOver, LoginPolicy, NotLoggedIn
from pillarbox.sessions.pop3_login_session import Pop3LoginSession
from pillarbox.vocabulary.clock import ManualClock

TICKET = Ticket("me", 7, 4242, b"cookie")
OPEN = LoginPolicy(cleartext_allowed=True)


class TlsTransport(ScriptedTransport):
    """A transport on which TLS works, or does not."""

    def __init__(self, *chunks: bytes, fails: bool = False, ends: bool = True) -> None:
        super().__init__(chunks, ends=ends)
        self.fails = fails

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """The handshake."""
        if self.fails:
            raise TlsFault("TLS handshake failed", "error:0A0000C1:SSL routines::no shared cipher")


def play(
    transport: TlsTransport, *, policy: LoginPolicy = OPEN, tls: bool = False
) -> tuple[bytes, HandOver | NotLoggedIn]:
    """A session; what the server said behind its greeting, and the end."""

    async def run() -> HandOver | NotLoggedIn:
        return await Pop3LoginSession(
            transport,
            ScriptedAuthenticator(),
            clock=ManualClock(),
            policy=policy,
            secured=False,
            tls_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None,
        ).run()

    result = asyncio.run(run())
    assert transport.closed is isinstance(result, NotLoggedIn)
    greeting, _, said = bytes(transport.sent).partition(b"\r\n")
    assert greeting == b"+OK Dovecot (Debian) ready."
    return said, result


LOGINS = [
    ("USER and PASS", b"USER me\r\nPASS secret\r\n", b"+OK\r\n", "PLAIN"),
    ("PLAIN", b"AUTH PLAIN\r\nAG1lAHNlY3JldA==\r\n", b"+ \r\n", "PLAIN"),
    ("PLAIN at once", b"auth plain AG1lAHNlY3JldA==\r\n", b"", "PLAIN"),
    ("LOGIN", b"AUTH LOGIN\r\nbWU=\r\nc2VjcmV0\r\n", b"+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n", "LOGIN"),
]


@pytest.mark.parametrize(
    ("sent", "said", "method"), [row[1:] for row in LOGINS], ids=[row[0] for row in LOGINS]
)
def test_a_login_hands_over(sent: bytes, said: bytes, method: str) -> None:
    """The worker says `+OK Logged in.`, and gets what was sent ahead."""
    answer, result = play(TlsTransport(sent + b"STAT\r\n"))
    assert result == HandOver(TICKET, method, b"", b"STAT\r\n")
    assert said == answer


FAILURES = [
    ("wrong password", b"USER me\r\nPASS x\r\n", b"+OK\r\n-ERR [AUTH] Authentication failed.\r\n"),
    ("no user", b"PASS x\r\n", b"-ERR No username given.\r\n"),
    ("a reason", b"USER locked\r\nPASS x\r\n", b"+OK\r\n-ERR [AUTH] Account is locked\r\n"),
    ("database down", b"USER broken\r\nPASS x\r\n", b"+OK\r\n-ERR [SYS/TEMP] Temporary authentication failure.\r\n"),
    ("client gives up", b"AUTH PLAIN\r\n*\r\n", b"+ \r\n-ERR Authentication aborted by client.\r\n"),
    ("no base64", b"AUTH PLAIN\r\n!!!\r\n", b"+ \r\n-ERR [AUTH] Invalid base64 in response\r\n"),
    ("no base64 at once", b"AUTH PLAIN !!!\r\n", b"-ERR [AUTH] Invalid base64 data in initial response\r\n"),
    ("unknown mechanism", b"AUTH FOO\r\n", b"-ERR [AUTH] Unsupported authentication mechanism.\r\n"),
    ("what is there?", b"AUTH\r\n", b"+OK\r\nPLAIN\r\nLOGIN\r\n.\r\n"),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "said"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES])
def test_a_login_that_fails(sent: bytes, said: bytes) -> None:
    """Dovecot's answers (RFC 3206); the client may try again."""
    answer, result = play(TlsTransport(sent + b"USER me\r\nPASS secret\r\n"))
    assert said + b"+OK\r\n" == answer
    assert result == HandOver(TICKET, "PLAIN", b"", b"")


def test_capabilities_before_login() -> None:
    """RFC 2449: STLS where it can be had, USER and SASL for what may be used."""
    answer, _ = play(TlsTransport(b"CAPA\r\n"), tls=True)
    lines = b"CAPA|TOP|UIDL|RESP-CODES|PIPELINING|AUTH-RESP-CODE|STLS|USER|SASL PLAIN LOGIN|.".split(b"|")
    assert answer == b"+OK\r\n" + b"\r\n".join(lines) + b"\r\n"


def test_passwords_are_not_taken_in_clear_text() -> None:
    """disable_plaintext_auth: neither USER nor PLAIN; after STLS both, and what was sent ahead is gone."""
    refusal = b"-ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.\r\n"
    transport = TlsTransport(
        b"USER me\r\nAUTH PLAIN AG1lAHNlY3JldA==\r\nSTLS\r\nUSER eve\r\nPASS secret\r\n",
        b"STLS\r\nUSER me\r\nPASS secret\r\n",
    )
    answer, result = play(transport, policy=LoginPolicy(), tls=True)
    assert answer == (
        refusal + refusal + b"+OK Begin TLS negotiation now.\r\n-ERR TLS is already active.\r\n+OK\r\n"
    )
    assert result == HandOver(TICKET, "PLAIN", b"", b"")


def test_tls_that_cannot_be_had() -> None:
    """Without a certificate, and with a client that has no cipher for us."""
    answer, _ = play(TlsTransport(b"STLS\r\n"))
    assert answer == b"-ERR TLS support isn't enabled.\r\n"
    _, result = play(TlsTransport(b"STLS\r\n", fails=True), tls=True)
    assert isinstance(result, NotLoggedIn)
    assert "no shared cipher" in result.reason


ENDS = [
    (
        "QUIT",
        b"QUIT\r\n",
        b"+OK Logging out\r\n",
        "Aborted login by logging out (no auth attempts in 0 secs)",
    ),
    (
        "three bad commands",
        b"A\r\nB\r\nC\r\nQUIT\r\n",
        b"-ERR Unknown command.\r\n" * 3 + b"-ERR Too many invalid bad commands.\r\n",
        "Disconnected: Too many bad commands (no auth attempts in 0 secs)",
    ),
    (
        "APOP is no bad command",
        b"APOP me x\r\n" * 4 + b"QUIT\r\n",
        b"-ERR APOP not enabled.\r\n" * 4 + b"+OK Logging out\r\n",
        "Aborted login by logging out (no auth attempts in 0 secs)",
    ),
    (
        "no base64",
        b"AUTH PLAIN !!!\r\nQUIT\r\n",
        b"-ERR [AUTH] Invalid base64 data in initial response\r\n+OK Logging out\r\n",
        "Aborted login by logging out (sent invalid base64 in response)",
    ),
    (
        "given up",
        b"AUTH PLAIN\r\n*\r\nQUIT\r\n",
        b"+ \r\n-ERR Authentication aborted by client.\r\n+OK Logging out\r\n",
        "Aborted login by logging out (client didn't finish SASL auth, waited 0 secs)",
    ),
    (
        "given up twice",
        b"AUTH PLAIN !!!\r\nAUTH PLAIN\r\n*\r\nQUIT\r\n",
        b"-ERR [AUTH] Invalid base64 data in initial response\r\n"
        b"+ \r\n-ERR Authentication aborted by client.\r\n+OK Logging out\r\n",
        "Aborted login by logging out (auth failed, 2 attempts in 0 secs)",
    ),
    ("gone", b"", b"", "Connection closed (no auth attempts in 0 secs)"),
]


@pytest.mark.parametrize(("sent", "said", "reason"), [row[1:] for row in ENDS], ids=[row[0] for row in ENDS])
def test_how_it_ends_without_login(sent: bytes, said: bytes, reason: str) -> None:
    """The client's answer, and the log's reason, which fail2ban reads."""
    answer, result = play(TlsTransport(sent))
    assert said == answer
    assert result == NotLoggedIn(reason, "", "PLAIN" if b"AUTH" in sent else "")


def test_shutdown_is_told() -> None:
    """A login process that is replaced tells who has not logged in yet."""
    transport = TlsTransport(ends=False)

    async def run() -> HandOver | NotLoggedIn:
        session = Pop3LoginSession(
            transport, ScriptedAuthenticator(), clock=ManualClock(), policy=OPEN, secured=False
        )
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(session.run())
            await transport.rest()
            session.shutdown()
        return task.result()

    assert asyncio.run(run()) == NotLoggedIn("Server shutting down (no auth attempts in 0 secs)", "", "")
    assert transport.take_sent() == b"-ERR [SYS/TEMP] Server shutting down.\r\n"
