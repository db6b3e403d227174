"""What peers, disks and admins do wrong: the documented answer, nothing lost, and the system goes on."""

import os
import random
import re
import socket

import pytest

from fakes.mail_system import PATIENCE, STANDARD_PORTS, USER, MailSystem

pytestmark = pytest.mark.system


class Client:
    """A connection, by hand."""

    def __init__(self, system: MailSystem, service: str, *, greeted: bool = True) -> None:
        self.sock = socket.create_connection(("127.0.0.1", system.port(service)), timeout=PATIENCE)
        self.lines = self.sock.makefile("rb")
        if greeted:
            self.lines.readline()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.lines.close()
        self.sock.close()

    def ask(self, line: bytes, *, until_tag: bytes = b"") -> bytes:
        """Send a line; one reply line, or all up to the one that begins with the tag."""
        self.sock.sendall(line + b"\r\n")
        reply = self.lines.readline()
        while reply and not reply.startswith(until_tag):
            reply = self.lines.readline()
        return reply

    def rest(self) -> bytes:
        """All that comes until the server closes."""
        try:
            return self.lines.read()
        except ConnectionResetError:
            return b""


GARBAGE_REPLY = {
    "smtp": rb"220 [^\r]+\r\n(?:(?:500 5\.5\.2|502 5\.5\.2|221 2\.7\.0|421 4\.7\.0|554 5\.5\.0) [^\r]+\r\n)*",
    "imap": rb"\* OK [^\r]+\r\n(?:(?:\S+ BAD|\* BYE) [^\r]+\r\n)*",
    "pop3": rb"\+OK [^\r]+\r\n(?:-ERR [^\r]+\r\n)*",
}
GARBAGE_REPLY |= {"submission": GARBAGE_REPLY["smtp"]}


@pytest.mark.parametrize("service", list(STANDARD_PORTS))
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_garbage(mail_system: MailSystem, service: str, seed: int) -> None:
    """1000 random octets: documented error replies or a closed connection, on the TLS ports an alert at most."""
    garbage = random.Random(seed).randbytes(1000) + b"\r\n"
    with Client(mail_system, service, greeted=False) as client:
        greeting = client.lines.readline() if service in GARBAGE_REPLY else b""
        try:
            client.sock.sendall(garbage)
            client.sock.shutdown(socket.SHUT_WR)
        except OSError:  # it has closed already
            pass
        answer = greeting + client.rest()
    if service in GARBAGE_REPLY:
        assert re.fullmatch(GARBAGE_REPLY[service], answer), answer
    else:
        assert len(answer) < 100  # RFC 8446 §6: an alert is 7 octets
    assert mail_system.accepts(USER)
    mail_system.until_healthy()


HALF_CLOSED = {
    "smtp": (
        b"EHLO client.example\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<%(user)s>\r\nRSET\r\nQUIT\r\n",
        b"221 2.0.0 Bye\r\n",
    ),
    "imap": (b'a LOGIN %(user)s "%(password)s"\r\nb SELECT INBOX\r\nc LOGOUT\r\n', b"c OK "),
    "pop3": (b"USER %(user)s\r\nPASS %(password)s\r\nSTAT\r\nQUIT\r\n", b"+OK Logging out"),
}


@pytest.mark.parametrize("service", HALF_CLOSED)
def test_half_closed_clients(mail_system: MailSystem, service: str) -> None:
    """`printf … | nc -N`: a client that says all it has to say and shuts down its side gets all replies."""
    script, last = HALF_CLOSED[service]
    with Client(mail_system, service) as client:
        if (
            service == "smtp"
        ):  # before EHLO is answered nothing may follow it (smtpd_forbid_unauth_pipelining)
            hello, _, script = script.partition(b"\r\n")
            assert client.ask(hello, until_tag=b"250 ").startswith(b"250 ")
        filled = {b"user": USER.encode(), b"password": mail_system.password.encode()}
        client.sock.sendall(script % filled)
        client.sock.shutdown(socket.SHUT_WR)
        replies = client.rest()
    assert last in replies, replies
    assert b"BAD" not in replies


def test_smtp_lines_too_long(mail_system: MailSystem) -> None:
    """A command beyond line_length_limit is refused with 500 and the session goes on (RFC 5321 §4.5.3.1)."""
    with Client(mail_system, "smtp") as client:
        assert client.ask(b"NOOP " + b"A" * 100_000).startswith((b"500 5.5.2 ", b"250 2.0.0 ")), "NOOP"
        assert client.ask(b"XYZZY" * 20_000).startswith(b"500 5.5.2 ")
        assert client.ask(b"HELO client.example") == b"250 pillarbox.test\r\n"
        assert client.ask(b"MAIL FROM:<" + b"a" * 5000 + b"@example.test>")[:3] in (b"501", b"553", b"500")
        assert client.ask(b"MAIL FROM:<a@example.test> SIZE=99999999999").startswith(b"552 5.3.4 ")
        assert client.ask(b"MAIL FROM:<a@example.test> SIZE=1_0").startswith(b"501 ")
        assert client.ask(b"RCPT TO:<" + USER.encode() + b">").startswith(b"503 5.5.1 ")
        assert client.ask(b"QUIT") == b"221 2.0.0 Bye\r\n"


def test_smtp_message_too_big(mail_system: MailSystem) -> None:
    """More than message_size_limit is read to its end and refused with 552; the session goes on."""
    with Client(mail_system, "smtp") as client:
        for size in (53_000_000, 100):
            assert client.ask(b"HELO client.example").startswith(b"250 ")
            assert client.ask(b"MAIL FROM:<a@example.test>").startswith(b"250 2.1.0 ")
            assert client.ask(b"RCPT TO:<" + USER.encode() + b">").startswith(b"250 2.1.5 ")
            assert client.ask(b"DATA").startswith(b"354 ")
            line = b"x" * 98 + b"\r\n"
            for _ in range(size // 10_000_000):
                client.sock.sendall(line * 100_000)
            client.sock.sendall(line * (size % 10_000_000 // 100))
            expected = b"552 5.3.4 " if size > 1000 else b"250 2.0.0 Ok: queued as "
            assert client.ask(b".").startswith(expected)


def test_smtp_too_many_errors(mail_system: MailSystem) -> None:
    """smtpd_hard_error_limit: 421 4.7.0 and the end."""
    mail_system.configure(smtpd_error_sleep_time="0s")
    assert mail_system.stop() == 0
    mail_system.start()
    with Client(mail_system, "smtp") as client:
        replies = [client.ask(b"XYZZY") for _ in range(20)]
        assert set(replies) == {b"500 5.5.2 Error: command not recognized\r\n"}
        assert client.ask(b"XYZZY") == b"421 4.7.0 pillarbox.test Error: too many errors\r\n"
        assert client.rest() == b""


def test_smtp_pipelining_before_it_is_allowed(mail_system: MailSystem) -> None:
    """smtpd_forbid_unauth_pipelining: a client that talks past HELO is a bot (RFC 2920 §3.1)."""
    with Client(mail_system, "smtp") as client:
        client.sock.sendall(b"HELO a\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n")
        assert b"554 5.5.0 Error: SMTP protocol synchronization\r\n" in client.rest()


IMAP_BAD = [
    pytest.param(b"a XYZZY", rb"a BAD .*", id="unknown command"),
    pytest.param(b"a", rb"(?:a|\*) BAD .*", id="tag alone"),
    pytest.param(b"a NOOP " + b"A" * 200_000, rb"a BAD .*", id="line of 200 kB"),
    pytest.param(b"a LOGIN {99999999999}", rb"a (?:BAD|NO) .*", id="literal of 99 GB"),
    pytest.param(b"a LOGIN {1_0}", rb"a BAD .*", id="literal with underscore"),
    pytest.param(b"a LOGIN {-1}", rb"a BAD .*", id="negative literal"),
    pytest.param(b'a LOGIN "open', rb"a BAD .*", id="open quote"),
    pytest.param(b"a LOGIN (" + b"(" * 5000, rb"a BAD .*", id="deep parentheses"),
    pytest.param(b"a LOGIN me\0 x", rb"a (?:BAD|NO) .*", id="NUL"),
]


@pytest.mark.parametrize(("line", "reply"), IMAP_BAD)
@pytest.mark.parametrize("logged_in", [False, True], ids=["before login", "after login"])
def test_imap_bad_commands(mail_system: MailSystem, line: bytes, reply: bytes, logged_in: bool) -> None:
    """A command that cannot be understood gets BAD with its tag, and the session goes on (RFC 3501 §7.1.3)."""
    with Client(mail_system, "imap") as client:
        if logged_in:
            client.ask(b'l LOGIN %s "%s"' % (USER.encode(), mail_system.password.encode()), until_tag=b"l OK")
            line = line.replace(b" LOGIN ", b" SELECT ")
        answer = client.ask(line)
        assert re.fullmatch(reply + rb"\r\n", answer), answer
        assert client.ask(b"b NOOP", until_tag=b"b ").startswith(b"b OK ")
        assert client.ask(b"c LOGOUT", until_tag=b"c ").startswith(b"c OK ")
        assert client.rest() == b""


def test_first_session_of_a_worker_is_closed(mail_system: MailSystem) -> None:
    """A worker that is forked for a session does not inherit its socket: after LOGOUT the connection is closed."""
    for number in range(4):
        user = f"first-{number}@pillarbox.test"
        mail_system.add_user(user, "password")
        with Client(mail_system, "imap") as client:
            client.ask(b"a LOGIN " + user.encode() + b" password", until_tag=b"a OK")
            client.ask(b"b LOGOUT", until_tag=b"b OK")
            assert client.rest() == b""


def test_pop3_bad_commands(mail_system: MailSystem) -> None:
    """-ERR for each, and the end after too many (Dovecot allows three)."""
    with Client(mail_system, "pop3") as client:
        assert client.ask(b"USER " + b"A" * 20_000) == b"-ERR Line is too long.\r\n"
        assert client.ask(b"QUIT") == b"+OK Logging out\r\n"
    with Client(mail_system, "pop3") as client:
        assert client.ask(b"USER " + USER.encode()).startswith(b"+OK")
        assert client.ask(b"PASS " + mail_system.password.encode()).startswith(b"+OK")
        for line in (
            b"RETR",
            b"RETR 99999",
            b"RETR 1_0",
            b"RETR 18446744073709551617",
            b"TOP 1",
            b"DELE -1",
            b"LIST x",
        ):
            assert client.ask(line).startswith(b"-ERR "), line
        assert client.ask(b"QUIT").startswith(b"+OK")


# -- configuration -------------------------------------------------------------------------------------------

MISTAKES = [
    pytest.param(
        "default_transport = nosuch",
        "parameter default_transport: unknown transport: nosuch (one of ",
        id="transport",
    ),
    pytest.param(
        "cleanup_service_name = nosuch",
        "parameter cleanup_service_name: nosuch is no service of cleanup(8) (a line of master.cf such as: ",
        id="cleanup",
    ),
    pytest.param(
        "address_verify_map = texthash:/x",
        "parameter address_verify_map: texthash:/x: a cache cannot be kept in such a table (btree:, hash: or lmdb: and a name)",
        id="cache",
    ),
    pytest.param(
        "queue_run_delay = soon",
        'parameter queue_run_delay: "soon" is not a time such as 300s, 5m, 1h, 2d or 1w (',
        id="time",
    ),
    pytest.param(
        "message_size_limit = 1_0",
        'parameter message_size_limit: "1_0" is not a number of digits only (',
        id="number",
    ),
    pytest.param(
        "smtputf8_enable = perhaps",
        'parameter smtputf8_enable: "perhaps" is neither yes nor no (',
        id="yes or no",
    ),
    pytest.param(
        "smtpd_proxy_filter = 127.0.0.1:1x",
        "parameter smtpd_proxy_filter: 1x: garbage after numerical service",
        id="filter before the queue",
    ),
    pytest.param(
        "smtpd_milters = inet:127.0.0.1:1",
        "parameter smtpd_milters: milters are not served yet, ",
        id="milter",
    ),
    pytest.param(
        "virtual_mailbox_maps = sdbm:/x",
        "parameter virtual_mailbox_maps: unsupported dictionary type: sdbm (",
        id="table",
    ),
    pytest.param(
        "myhostname",
        "missing '=' after attribute name: \"myhostname\" (expected: name = value)",
        id="grammar",
    ),
]


def test_mistakes_in_main_cf(rootless_system: MailSystem) -> None:
    """Each mistake is refused at the start in one line: file, line number, what stands there, how to mend it."""
    rootless_system.make_home()
    path = rootless_system.data / "etc" / "main.cf"
    good = path.read_text()
    number = good.count("\n") + 1
    for case in MISTAKES:
        line, what = case.values
        path.write_text(f"{good}{line}\n")
        (rootless_system.root / "screen").write_text("")
        rootless_system.launch()
        assert rootless_system.process is not None
        assert rootless_system.process.wait(PATIENCE) == 1, case.id
        told = rootless_system.screen()
        place = f"pillarbox: {path}, line {number}"
        assert told.startswith((f"{place}: {what}", f"{place}, {what}")), (case.id, told)
        assert told.count("\n") == 1, told
    path.write_text(good)
    rootless_system.start()
    assert rootless_system.stop() == 0


def test_mistakes_in_master_cf(rootless_system: MailSystem) -> None:
    """A service whose program is not served, and a line with too few fields, are refused with their place."""
    rootless_system.make_home()
    path = rootless_system.data / "etc" / "master.cf"
    good = path.read_text()
    number = good.count("\n") + 1
    for line, what in (
        (
            "mail unix - n n - 0 qmqpd",
            'program "qmqpd" of service mail is not served (put a # before the line)',
        ),
        ("smtp inet n -", 'missing "chroot" field'),
    ):
        path.write_text(f"{good}{line}\n")
        (rootless_system.root / "screen").write_text("")
        rootless_system.launch()
        assert rootless_system.process is not None
        assert rootless_system.process.wait(PATIENCE) == 1, line
        told = rootless_system.screen()
        assert told.startswith(f"pillarbox: {path}, line {number}: "), told
        assert what in told
        assert told.count("\n") == 1


def test_damaged_password_file(fresh_system: MailSystem) -> None:
    """A user who stands there twice: logins fail for the time being, mail for others is kept, mended is mended."""
    fresh_system.start()
    users = fresh_system.data / "etc" / "users"
    good = users.read_bytes()
    users.write_bytes(good + good)
    with Client(fresh_system, "pop3") as client:
        client.ask(b"USER " + USER.encode())
        answer = client.ask(b"PASS " + fresh_system.password.encode())
        assert answer.startswith(b"-ERR [SYS/TEMP] "), answer  # RFC 3206 §4
    users.write_bytes(good)
    with Client(fresh_system, "pop3") as client:
        client.ask(b"USER " + USER.encode())
        assert client.ask(b"PASS " + fresh_system.password.encode()).startswith(b"+OK")
    assert os.path.samefile(users, fresh_system.data / "etc" / "users")
    assert fresh_system.stop() == 0
