"""The auth server's sockets as strangers use them: Dovecot's protocol, good and bad, over the real ones."""

import base64
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes.mail_system import PATIENCE, USER, MailSystem

pytestmark = pytest.mark.system


class Line:
    """A connection to one of the sockets; lines of fields."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(path))
        self._lines = self.sock.makefile("rb")

    def say(self, *fields: bytes) -> None:
        """One line."""
        self.sock.sendall(b"\t".join(fields) + b"\n")

    def hear(self) -> list[bytes]:
        """The next line's fields; [b""] at the end."""
        try:
            return self._lines.readline().rstrip(b"\n").split(b"\t")
        except ConnectionResetError:
            return [b""]

    def hear_until(self, word: bytes) -> list[list[bytes]]:
        """Lines up to the one that begins so."""
        heard = [self.hear()]
        while heard[-1][0] not in (word, b""):
            heard.append(self.hear())
        return heard

    def close(self) -> None:
        """End it."""
        self._lines.close()
        self.sock.close()


@contextmanager
def line_to(path: Path) -> Iterator[Line]:
    """A connection for a while."""
    line = Line(path)
    try:
        yield line
    finally:
        line.close()


def sasl_socket(system: MailSystem) -> Path:
    """What Postfix calls smtpd_sasl_path = private/auth."""
    return system.data / "spool" / "private" / "auth"


def run_socket(system: MailSystem, name: str) -> Path:
    """A socket of the mailbox half's own."""
    return system.data / "run" / name


def plain(user: str, password: str) -> bytes:
    """resp= of AUTH PLAIN (RFC 4616)."""
    return b"resp=" + base64.b64encode(b"\0%s\0%s" % (user.encode(), password.encode()))


def shake_hands(line: Line, pid: int = 77) -> dict[bytes, list[list[bytes]]]:
    """The greetings of both sides; the server's by their first word."""
    line.say(b"VERSION", b"1", b"2")
    line.say(b"CPID", b"%d" % pid)
    said: dict[bytes, list[list[bytes]]] = {}
    for fields in line.hear_until(b"DONE"):
        said.setdefault(fields[0], []).append(fields[1:])
    return said


def test_greeting_and_logins(mail_system: MailSystem) -> None:
    """VERSION, MECH, SPID, CUID, COOKIE, DONE; then right and wrong logins, several at once, in any order."""
    with line_to(sasl_socket(mail_system)) as line:
        said = shake_hands(line)
        assert said[b"VERSION"][0][0] == b"1"
        assert [b"PLAIN", b"plaintext"] in said[b"MECH"]
        assert len(said[b"COOKIE"][0][0]) == 32
        service = b"service=smtp"
        line.say(b"AUTH", b"1", b"PLAIN", service, b"secured", plain(USER, mail_system.password))
        line.say(b"AUTH", b"2", b"PLAIN", service, b"secured", b"no-penalty", plain(USER, "wrong"))
        line.say(b"AUTH", b"3", b"LOGIN", service, b"secured")
        answers: dict[bytes, list[bytes]] = {}
        while len(answers) < 3:
            fields = line.hear()
            if fields[0] == b"CONT":
                prompt = base64.b64decode(fields[2])
                answer = USER if prompt.lower().startswith(b"username") else mail_system.password
                line.say(b"CONT", fields[1], base64.b64encode(answer.encode()))
            else:
                answers[fields[1]] = [fields[0], *fields[2:]]
        assert answers[b"1"][:2] == [b"OK", b"user=" + USER.encode()]
        assert answers[b"2"][0] == b"FAIL"
        assert b"temp" not in answers[b"2"]
        assert answers[b"3"][0] == b"OK"


BAD = [
    pytest.param(b"VERSION\t1\t2\nCPID\t1\nAUTH\t1\tNOSUCH\tservice=smtp\n", id="unknown mechanism"),
    pytest.param(b"VERSION\t1\t2\nCPID\t1\nAUTH\t1\tPLAIN\tservice=smtp\tresp=%%%\n", id="no base64"),
    pytest.param(b"VERSION\t1\t2\nCPID\t1\nCONT\t99\tAAAA\n", id="no such exchange"),
    pytest.param(b"VERSION\t1\t2\nCPID\t1\nAUTH\tx\tPLAIN\n", id="no number"),
    pytest.param(b"VERSION\t1\t2\nCPID\t1\nAUTH\n", id="too few fields"),
    pytest.param(b"VERSION\t9\t0\nCPID\t1\n", id="another version"),
    pytest.param(b"GET / HTTP/1.0\r\n\r\n", id="HTTP"),
    pytest.param(b"A" * 100_000, id="no line end"),
    pytest.param(b"\0\1\t\n" * 1000, id="rubbish"),
]


@pytest.mark.parametrize("said", BAD)
@pytest.mark.parametrize("door", ["sasl", "auth-login", "auth-master"])
def test_bad_clients(mail_system: MailSystem, said: bytes, door: str) -> None:
    """Whoever does not speak the protocol hears FAIL or is let go; the others are served as before."""
    path = sasl_socket(mail_system) if door == "sasl" else run_socket(mail_system, door)
    with line_to(path) as line:
        try:
            line.sock.sendall(said)
            line.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        heard = line.hear_until(b"")
        assert not [fields for fields in heard if fields[0] in (b"OK", b"USER")]
    with line_to(sasl_socket(mail_system)) as line:
        shake_hands(line)
        line.say(b"AUTH", b"1", b"PLAIN", b"service=smtp", b"secured", plain(USER, mail_system.password))
        assert line.hear()[0] == b"OK"
    mail_system.until_healthy()


def test_a_login_is_redeemed_once(mail_system: MailSystem) -> None:
    """REQUEST on the master socket: by pid, id and cookie of the login's own connection, and only once.

    A login that came through smtpd's door cannot be redeemed at all.
    """
    master_path = run_socket(mail_system, "auth-master")
    for door, redeemable in (
        (run_socket(mail_system, "auth-login"), True),
        (sasl_socket(mail_system), False),
    ):
        with line_to(door) as line, line_to(master_path) as master:
            cookie = shake_hands(line, pid=os.getpid())[b"COOKIE"][0][0]
            for number in (b"5", b"6"):
                login = plain(USER, mail_system.password)
                line.say(b"AUTH", number, b"PLAIN", b"service=imap", b"secured", login)
                assert line.hear()[0] == b"OK"
            master.say(b"VERSION", b"1", b"1")
            pid = b"%d" % os.getpid()
            tries = [
                (b"2", pid, b"9", cookie),  # another login
                (b"3", b"1", b"5", cookie),  # another process
                (b"4", pid, b"5", cookie),
                (b"5", pid, b"5", cookie),  # once more
                (b"6", pid, b"6", b"0" * 32),  # another's cookie
            ]
            results: dict[bytes, bytes] = {}
            for number, *wanted in tries:
                master.say(b"REQUEST", number, *wanted)
                answer = master.hear()
                while answer[0] in (b"VERSION", b"SPID"):
                    answer = master.hear()
                results[number] = answer[0]
            refused = dict.fromkeys((b"2", b"3", b"5", b"6"), b"FAIL")
            assert results == {**refused, b"4": b"USER" if redeemable else b"FAIL"}, door


def test_who_may_open_which_socket(mail_system: MailSystem) -> None:
    """Only the roles that need them: no socket that checks passwords or redeems logins is open to others."""
    for path in (
        sasl_socket(mail_system),
        *(run_socket(mail_system, name) for name in ("auth-login", "auth-master")),
    ):
        facts = path.stat()
        assert stat.S_ISSOCK(facts.st_mode)
        assert stat.S_IMODE(facts.st_mode) & 0o007 == 0, path


def test_many_connections_that_say_nothing(mail_system: MailSystem) -> None:
    """200 silent clients keep nobody from logging in."""
    silent = [Line(sasl_socket(mail_system)) for _ in range(200)]
    try:
        with line_to(sasl_socket(mail_system)) as line:
            shake_hands(line)
            line.say(b"AUTH", b"1", b"PLAIN", b"service=smtp", b"secured", plain(USER, mail_system.password))
            assert line.hear()[0] == b"OK"
    finally:
        for line in silent:
            line.close()
    mail_system.until_healthy()
