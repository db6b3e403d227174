"""GNU SASL logs in by every mechanism, and hears from us what it hears from Debian's Dovecot.

Its SCRAM is not of our making: it checks the server's signature, too, and refuses to go on without.
"""

import hashlib
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from typing import Final, NamedTuple

import pytest

from fakes import counterparts
from fakes.digest_md5_client import Login
from fakes.digest_md5_client import told as answers
from fakes.dovecot_pair import Server, dovecot_pair
from fakes.mail_system import PATIENCE, PATIENT_WITH_GUESSERS, until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot", "gsasl")]

MECHANISMS: Final = ("PLAIN", "LOGIN", "DIGEST-MD5", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")
SETTINGS: Final = (
    "protocols = imap pop3\nmail_location = maildir:~/Maildir\n"
    "service pop3-login {\n  inet_listener pop3 {\n    port = {pop3}\n  }\n}\n"
    f"auth_mechanisms = {' '.join(MECHANISMS).lower()} anonymous apop\nauth_verbose = yes\n{PATIENT_WITH_GUESSERS}"
)
_NOT_TOLD: Final = re.compile(r"\* (?:OK|CAPABILITY)|Trying")
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9+/=]{24,}")


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    """(ours, theirs)"""
    with dovecot_pair(SETTINGS) as servers:
        yield servers


def told(port: int, mechanism: str, password: str) -> list[str]:
    """The conversation, what changes from one to the next left out."""
    command = [counterparts.program("gsasl") or "gsasl", "--imap", f"--connect=127.0.0.1:{port}", "--quiet"]
    command += [f"--mechanism={mechanism}", "-a", "me", "-p", password, "--no-starttls"]
    done = subprocess.run(
        command,
        input="",
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
    )
    lines = [line for line in (done.stdout + done.stderr).split("\n") if not _NOT_TOLD.match(line)]
    return [re.sub(r" \([0-9.+ ]+ secs\)", "", _CHALLENGE.sub("...", line)) for line in lines]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_gsasl(pair: tuple[Server, Server], mechanism: str) -> None:
    """With the right password, and with a wrong one."""
    ours, theirs = (told(server.port, mechanism, "secret") for server in pair)
    assert any(line.endswith(" OK Logged in") for line in ours), ours
    assert ours == theirs
    ours, theirs = (told(server.port, mechanism, "wrong") for server in pair)
    assert any("NO [AUTHENTICATIONFAILED]" in line for line in ours), ours
    assert ours == theirs


DIGESTS: Final = {
    "no realm": Login(b"me"),
    "empty realm": Login(b"me", realm=b""),
    "realm": Login(b"me", realm=b"dom.test"),
    "a name with a realm, and a realm": Login(b"me@dom.test", realm=b"x.test"),
    "wrong": Login(b"me", b"no"),
    "for somebody": Login(b"me", authorization=b"other"),
    "for himself": Login(b"me", authorization=b"me"),
    "nobody": Login(b""),
    "a malformed URI": Login(b"me", uri=b"x"),
    "a second time": Login(b"me", nonce_count=b"00000002"),
    "a layer": Login(b"me", change=(b"qop=auth", b"qop=auth-int")),
    "another charset": Login(b"me", more=b",charset=latin"),
    "a directive of tomorrow": Login(b"me", more=b",foo=bar"),
    "no name": Login(b"me", change=(b"username=", b"user=")),
    "no nonce-count": Login(b"me", change=(b",nc=00000001", b"")),
    "nothing": Login(whole=b""),
    "another nonce": Login(b"me", change=(b'nonce="', b'nonce="x')),
}
_LOGGED: Final = re.compile(
    r"auth: Info: (?:digest-md5|anonymous)\([^<]*<|imap-login: Info: Login: user=\S+ method=\S+"
)


class Told(NamedTuple):
    """What the client heard, by its login, and what the log says."""

    heard: dict[str, list[bytes]]
    logged: list[str]


def _play(server: Server) -> Told:
    """All logins, one after another."""
    before = len(server.log())
    heard: dict[str, list[bytes]] = {}
    for name, login in {**DIGESTS, "anonymous": Login(whole=b"trace")}.items():
        command = b"a AUTHENTICATE %b\r\n" % (b"ANONYMOUS" if name == "anonymous" else b"DIGEST-MD5")
        said = answers(server.port, login, hello=b"", command=command, goes_on=b"+ ")
        heard[name] = [re.sub(rb"CAPABILITY [^]]*", b"CAPABILITY", line) for line in said]

    def logged() -> list[str]:
        lines = server.log()[before:].split("\n")
        found = [(match[0], line.partition(">): ")[2]) for line in lines if (match := _LOGGED.search(line))]
        return sorted(" ".join(words) for words in found)

    until(lambda: len(logged()) == len(heard) + 1, what=lambda: f"a line for each login: {server.log()}")
    return Told(heard, logged())


def test_digest_md5_and_anonymous(pair: tuple[Server, Server]) -> None:
    """Answers, and what the log says of each; ANONYMOUS is the user anonymous, of whom it says two things."""
    ours, theirs = (_play(server) for server in pair)
    assert ours.heard == theirs.heard
    assert ours.logged == theirs.logged


APOP: Final = (
    "me DIGEST",
    "Me@Dom.Test DIGEST",
    "me WRONG",
    "b/d DIGEST",
    " DIGEST",
    "me",
    "me 12",
    f"me {'z' * 32}",
)
_STAMP: Final = re.compile(rb" (<[0-9a-f]+\.[0-9a-f]+\.[0-9a-f]{8}\.[A-Za-z0-9+/]{22}==@[^>]+>)\r\n")
_OF_APOP: Final = re.compile(
    r"auth: Info: (?:apop|static)\([^<]*<|pop3-login: Info: (?:Login|Disc\S+ Aborted login by logging out \(auth failed, 3)"
)


def _apop(server: Server) -> tuple[list[bytes], list[str]]:
    """What is said to each login, and what the log says."""
    said, before = [], len(server.log())
    for words in APOP:
        with (
            socket.create_connection(("127.0.0.1", server.pop3), PATIENCE) as sock,
            sock.makefile("rb") as file,
        ):
            stamp = _STAMP.search(greeting := file.readline())
            assert stamp is not None, greeting
            digest = hashlib.md5(stamp[1] + b"secret", usedforsecurity=False).hexdigest()
            text = words.replace("DIGEST", digest).replace("WRONG", "0" * 32)
            sock.sendall(b"CAPA\r\nAPOP %b\r\nQUIT\r\n" % text.encode())
            said.append(file.read())
    count = sum("+OK Logged in" in answer.decode() for answer in said)
    until(lambda: server.log()[before:].count("Disconnected") == len(APOP), what="each end is logged")
    found = [line.partition(">): ")[2] for line in server.log()[before:].split("\n") if _OF_APOP.search(line)]
    return said, [*sorted(found), str(count)]


def test_apop(pair: tuple[Server, Server]) -> None:
    """RFC 1939 §7: the greeting has a timestamp; who has the digest of it and of the password is in.

    Of a wrong digest Dovecot's auth server logs nothing.
    """
    (ours, ours_logged), (theirs, logged) = (_apop(server) for server in pair)
    assert ours == theirs
    assert [line for line in ours_logged if line != "Password mismatch"] == logged
    assert logged[-1] == "2"
