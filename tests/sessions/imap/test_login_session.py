"""IMAP before login: what strangers may say, and how they get in."""

import asyncio
import ssl

import pytest

from fakes.scripted_authenticator import ScriptedAuthenticator
from fakes.scripted_transport import ScriptedTransport
from pillarbox.net.tls_faults import TlsFault
from pillarbox.sessions import mailbox_login
from pillarbox.sessions.imap.login_session import ImapLoginSession
from pillarbox.sessions.login import Ticket
from pillarbox.sessions.mailbox_login import HandOver, LoginPolicy, NotLoggedIn
from pillarbox.vocabulary.clock import ManualClock

TICKET = Ticket("me", 7, 4242, b"cookie")
OPEN = LoginPolicy(cleartext_allowed=True)
BASE = b"IMAP4rev1 IMAP4rev2 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+"
GREETING = b"* OK [CAPABILITY " + BASE + b" AUTH=PLAIN AUTH=LOGIN] Dovecot (Debian) ready.\r\n"
EXPOSED = (
    b"* BAD [ALERT] Plaintext authentication not allowed without SSL/TLS, but your client did it anyway."
    b" If anyone was listening, the password was exposed.\r\n"
)


class TlsTransport(ScriptedTransport):
    """A transport on which TLS works, or does not."""

    def __init__(self, *chunks: bytes, fails: bool = False, ends: bool = True) -> None:
        super().__init__(chunks, ends=ends)
        self.fails = fails
        self.tls_begun = False

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """The handshake."""
        if self.fails:
            raise TlsFault("TLS handshake failed", "error:0A0000C1:SSL routines::no shared cipher")
        self.tls_begun = True


def play(
    transport: TlsTransport, *, policy: LoginPolicy = OPEN, secured: bool = False, tls: bool = False
) -> tuple[bytes, HandOver | NotLoggedIn]:
    """A session; what the server said behind its greeting, and the end."""

    async def run() -> HandOver | NotLoggedIn:
        return await ImapLoginSession(
            transport,
            ScriptedAuthenticator(),
            clock=ManualClock(),
            policy=policy,
            secured=secured,
            tls_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None,
        ).run()

    result = asyncio.run(run())
    assert transport.closed is isinstance(result, NotLoggedIn)
    greeting, _, said = bytes(transport.sent).partition(b"\r\n")
    assert greeting.startswith(b"* OK [CAPABILITY ")
    return said, result


LOGINS = [
    ("LOGIN", b"a LOGIN me secret\r\n", b"", "PLAIN"),
    ("LOGIN with literals", b"a LOGIN {2}\r\nme {6+}\r\nsecret\r\n", b"+ OK\r\n", "PLAIN"),
    ("PLAIN", b"a AUTHENTICATE PLAIN\r\nAG1lAHNlY3JldA==\r\n", b"+ \r\n", "PLAIN"),
    ("PLAIN at once", b"a authenticate plain AG1lAHNlY3JldA==\r\n", b"", "PLAIN"),
    (
        "LOGIN by SASL",
        b"a AUTHENTICATE LOGIN\r\nbWU=\r\nc2VjcmV0\r\n",
        b"+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n",
        "LOGIN",
    ),
]


@pytest.mark.parametrize(
    ("sent", "said", "method"), [row[1:] for row in LOGINS], ids=[row[0] for row in LOGINS]
)
def test_a_login_hands_over(sent: bytes, said: bytes, method: str) -> None:
    """The tag is answered by the worker, which also gets what was sent ahead."""
    for chunks in ([sent + b"b SELECT"], [*(sent[i : i + 1] for i in range(len(sent) - 1)), b"\nb SELECT"]):
        answer, result = play(TlsTransport(*chunks))
        assert result == HandOver(TICKET, method, b"a", b"b SELECT")
        assert said == answer


FAILURES = [
    ("wrong password", b"a LOGIN me x\r\n", b"a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"),
    ("no response at all", b"a AUTHENTICATE PLAIN =\r\n", b"a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"),
    ("too old a password", b"a LOGIN expired x\r\n", b"a NO [EXPIRED] Password expired\r\n"),
    ("a reason", b"a LOGIN locked x\r\n", b"a NO [ALERT] Account is locked\r\n"),
    ("database down", b"a LOGIN broken x\r\n", b"a NO [UNAVAILABLE] Temporary authentication failure.\r\n"),
    ("client gives up", b"a AUTHENTICATE PLAIN\r\n*\r\n", b"+ \r\na BAD Authentication aborted by client.\r\n"),
    ("no base64", b"a AUTHENTICATE PLAIN\r\n!!!\r\n", b"+ \r\na BAD Invalid base64 in response\r\n"),
    ("a response without end", b"a AUTHENTICATE PLAIN\r\n" + b"A" * 9000 + b"\r\n",
     b"+ \r\na BAD Invalid base64 in response\r\n"),
    ("no base64 at once", b"a AUTHENTICATE PLAIN dQB\r\n", b"a BAD Invalid base64 data in initial response\r\n"),
    ("unknown mechanism", b"a AUTHENTICATE FOO\r\n", b"a NO [ALERT] Unsupported authentication mechanism.\r\n"),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "said"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES])
def test_a_login_that_fails(sent: bytes, said: bytes) -> None:
    """Dovecot's answers; the client may try again."""
    answer, result = play(TlsTransport(sent + b"b LOGIN me secret\r\n"))
    assert said == answer
    assert result == HandOver(TICKET, "PLAIN", b"b", b"")


def test_what_strangers_may_say() -> None:
    """Any-state commands; the rest has one answer."""
    answer, result = play(
        TlsTransport(
            b'a CAPABILITY x\r\nb NOOP\r\nc ID ("name" "x")\r\nd ENABLE X\r\ne SELECT INBOX\r\nf LOGOUT\r\n'
        )
    )
    assert answer.split(b"\r\n")[:-1] == [
        b"* CAPABILITY " + BASE + b" AUTH=PLAIN AUTH=LOGIN",
        b"a OK Pre-login capabilities listed, post-login capabilities have more.",
        b"b OK NOOP completed.",
        b'* ID ("name" "Dovecot")',
        b"c OK ID completed.",
        b"* ENABLED",
        b"d OK ENABLE ignored in non-authenticated state.",
        b"e BAD Error in IMAP command received by server.",
        b"* BYE Logging out",
        b"f OK Logout completed.",
    ]
    assert result == NotLoggedIn("Aborted login by logging out (no auth attempts in 0 secs)", "", "")


@pytest.mark.parametrize(
    ("sent", "asked"),
    [(b"a CAPABILITY\r\n", True), (b"a CAPABILITY\r\nb NOOP\r\n", True), (b"a NOOP\r\n", False)],
)
def test_a_client_that_asks_for_capabilities(sent: bytes, asked: bool) -> None:
    """The greeting has told them: such a client does not read response codes, and the worker learns it."""
    _, result = play(TlsTransport(sent + b"x LOGIN me secret\r\n"))
    assert result == HandOver(TICKET, "PLAIN", b"x", b"", asked)


def test_the_third_bad_command_ends_the_connection() -> None:
    """As with Dovecot; a good one in between starts the count again."""
    answer, result = play(TlsTransport(b"a FOO\r\nb FOO\r\nc NOOP\r\nd FOO\r\ne FOO\r\nf FOO\r\ng NOOP\r\n"))
    assert answer.count(b" BAD ") == 4
    assert answer.endswith(b"* BYE Too many invalid IMAP commands.\r\n")
    assert result == NotLoggedIn("Too many invalid commands (no auth attempts in 0 secs)", "", "")


def test_passwords_are_not_taken_in_clear_text() -> None:
    """disable_plaintext_auth: LOGINDISABLED, and PRIVACYREQUIRED for who tries (RFC 5530)."""
    transport = TlsTransport(b"a LOGIN me secret\r\nb AUTHENTICATE PLAIN AG1lAHNlY3JldA==\r\n")
    answer, result = play(transport, policy=LoginPolicy(), tls=True)
    refusal = (
        b"NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.\r\n"
    )
    assert answer == EXPOSED + b"a " + refusal + EXPOSED + b"b " + refusal
    assert bytes(transport.sent).startswith(b"* OK [CAPABILITY " + BASE + b" STARTTLS LOGINDISABLED] Dovecot")
    assert result == NotLoggedIn("Connection closed (tried to use disallowed plaintext auth)", "", "PLAIN")


def test_starttls_secures_and_forgets_what_was_sent_ahead() -> None:
    """RFC 3501 §6.2.1, RFC 3207 §4.2: octets from before TLS are nobody's commands."""
    transport = TlsTransport(b"a STARTTLS\r\nb LOGIN eve secret\r\n", b"c STARTTLS\r\nd LOGIN me secret\r\n")
    answer, result = play(transport, policy=LoginPolicy(), tls=True)
    assert transport.tls_begun
    assert answer == b"a OK Begin TLS negotiation now.\r\nc BAD TLS is already active.\r\n"
    assert result == HandOver(TICKET, "PLAIN", b"d", b"")


def test_starttls_that_cannot_be_had() -> None:
    """Without a certificate, and with a client that has no cipher for us."""
    answer, _ = play(TlsTransport(b"a STARTTLS\r\n"))
    assert answer == b"a BAD TLS support isn't enabled.\r\n"
    _, result = play(TlsTransport(b"a STARTTLS\r\n", fails=True), tls=True)
    failed = "SSL_accept() failed: error:0A0000C1:SSL routines::no shared cipher"
    assert result == NotLoggedIn(
        f"Connection closed: {failed} (no auth attempts in 0 secs)", "", "", f"TLS handshaking: {failed}"
    )


def test_the_log_tells_of_those_who_did_not_get_in() -> None:
    """fail2ban reads this line: reason, attempts, user."""
    _, result = play(TlsTransport(b"a LOGIN eve x\r\nb LOGIN eve y\r\n"))
    assert result == NotLoggedIn("Connection closed (auth failed, 2 attempts in 0 secs)", "eve", "PLAIN")
    _, result = play(TlsTransport(b"a AUTHENTICATE PLAIN\r\n"))
    expected = NotLoggedIn("Connection closed (client didn't finish SASL auth, waited 0 secs)", "", "PLAIN")
    assert expected == result


def test_greeting_is_as_configured() -> None:
    """login_greeting, and the capabilities before it."""
    transport = TlsTransport()
    play(transport)
    assert bytes(transport.sent) == GREETING


def test_who_does_not_log_in_has_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three minutes in Dovecot."""
    monkeypatch.setattr(mailbox_login, "LOGIN_TIMEOUT", 0.0)
    answer, result = play(TlsTransport(ends=False))
    assert answer == b"* BYE Disconnected for inactivity.\r\n"
    assert isinstance(result, NotLoggedIn)
    assert result.reason.startswith("Inactivity (")


def test_shutdown_says_bye() -> None:
    """A login process that is replaced tells who has not logged in yet."""
    transport = TlsTransport(ends=False)

    async def run() -> HandOver | NotLoggedIn:
        session = ImapLoginSession(
            transport, ScriptedAuthenticator(), clock=ManualClock(), policy=OPEN, secured=False
        )
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(session.run())
            await transport.rest()
            session.shutdown()
        return task.result()

    assert asyncio.run(run()) == NotLoggedIn("Server shutting down (no auth attempts in 0 secs)", "", "")
    assert transport.take_sent() == b"* BYE Server shutting down.\r\n"


def test_the_oldest_makes_room_for_others() -> None:
    """Too many have not logged in: told to the client, and to the log."""

    async def run() -> tuple[bytes, HandOver | NotLoggedIn]:
        transport = TlsTransport(ends=False)
        session = ImapLoginSession(
            transport, ScriptedAuthenticator(), clock=ManualClock(), policy=OPEN, secured=False
        )
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(session.run())
            await transport.rest()
            session.make_room()
            result = await running
        return bytes(transport.sent), result

    said, result = asyncio.run(run())
    assert said == b"* BYE Connection queue full\r\n"
    assert result == NotLoggedIn("Connection queue full (no auth attempts in 0 secs)", "", "")
