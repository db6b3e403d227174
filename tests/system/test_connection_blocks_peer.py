"""Blocks local_name, remote, local and protocol of dovecot.conf: Debian's Dovecot and ours with the same file."""

import datetime
import re
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import pytest

from fakes.dovecot_pair import Server, dovecot_pair
from fakes.mail_system import PATIENCE, until
from pillarbox.net.self_signed import make_self_signed

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

NAMES: Final = ("outside.example", "mx.example", "net.example", "four.example")
SETTINGS: Final = """\
protocols = imap pop3
ssl = yes
disable_plaintext_auth = yes
login_greeting = Outside.
mail_location = maildir:~/Maildir
ssl_cert = <CERTIFICATES/outside.example.pem
ssl_key = <CERTIFICATES/outside.example.key
local_name mx.example {
  ssl_cert = <CERTIFICATES/mx.example.pem
  ssl_key = <CERTIFICATES/mx.example.key
}
local_name *.net.example {
  ssl_cert = <CERTIFICATES/net.example.pem
  ssl_key = <CERTIFICATES/net.example.key
}
service imap-login {
  inet_listener imaps {
    port = 0
  }
}
protocol imap {
  mail_max_userip_connections = 2
}
service pop3-login {
  inet_listener pop3 {
    port = {pop3}
  }
  inet_listener pop3s {
    port = 0
  }
}
protocol pop3 {
  mail_max_userip_connections = 3
}
remote 127.0.0.2 {
  disable_plaintext_auth = no
}
remote 127.0.0.0/29 {
  login_greeting = From nearby.
}
remote 127.0.0.4 {
  ssl_cert = <CERTIFICATES/four.example.pem
  ssl_key = <CERTIFICATES/four.example.key
  login_greeting = Four.
}
remote 127.0.0.5 {
  ssl = no
}
remote 127.0.0.6 {
  ssl = required
}
"""


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    """(ours, theirs)"""
    with tempfile.TemporaryDirectory(prefix="certificates-") as directory:
        certificates = Path(directory)
        certificates.chmod(0o755)
        now = datetime.datetime.now(datetime.UTC)
        for name in NAMES:
            for path in make_self_signed(certificates, host=name, now=now):
                path.rename(certificates / f"{name}{path.suffix}")
        with dovecot_pair(SETTINGS.replace("CERTIFICATES", directory)) as servers:
            yield servers


def connect(server: Server, source: str) -> socket.socket:
    """A client with that address."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE, source_address=(source, 0))


def greeting(server: Server, source: str) -> bytes:
    """What a client hears: greeting, STARTTLS and LOGINDISABLED in it, and what becomes of a login in clear."""
    with closing(connect(server, source)) as sock, sock.makefile("rb") as lines:
        first = lines.readline()
        capabilities = first.partition(b"[CAPABILITY ")[2].partition(b"]")[0].split()
        told = sorted({b"STARTTLS", b"LOGINDISABLED", b"AUTH=PLAIN"} & set(capabilities))
        sock.sendall(b"a LOGIN me secret\r\n")
        answer = lines.readline()
        while answer.startswith(b"* "):
            answer = lines.readline()
        return b"|".join([first.rpartition(b"] ")[2].strip(), *told, b" ".join(answer.split()[:3])[:20]])


def certificate(server: Server, source: str, host: str | None) -> str:
    """Whose certificate a client sees that asks for `host`."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    found = []
    for path in NAMES:
        context = ssl.create_default_context(cafile=str(_certificates(server) / f"{path}.pem"))
        context.check_hostname = False
        with closing(connect(server, source)) as sock, sock.makefile("rb") as lines:
            lines.readline()
            sock.sendall(b"a STARTTLS\r\n")
            if not lines.readline().startswith(b"a OK"):
                return "no TLS"
            try:
                with context.wrap_socket(sock, server_hostname=host):
                    found.append(path)
            except ssl.SSLCertVerificationError:
                continue
    return " ".join(found)


def _certificates(server: Server) -> Path:
    for line in server.configuration.read_text().split("\n"):
        if line.startswith("ssl_cert"):
            return Path(line.partition("<")[2]).parent
    raise AssertionError("no ssl_cert")


SOURCES: Final = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.9")


@pytest.mark.parametrize("source", SOURCES)
def test_greetings_and_clear_text_by_address(pair: tuple[Server, Server], source: str) -> None:
    """Each client hears from ours what it hears from Dovecot."""
    ours, theirs = (greeting(server, source) for server in pair)
    assert ours == theirs


def test_what_the_addresses_hear(pair: tuple[Server, Server]) -> None:
    """The blocks are for different clients indeed."""
    said = {source: greeting(pair[0], source) for source in SOURCES}
    assert said["127.0.0.2"].startswith(b"From nearby.|AUTH=PLAIN|STARTTLS|a OK")
    assert said["127.0.0.3"].startswith(b"From nearby.|LOGINDISABLED|STARTTLS|a NO")
    assert said["127.0.0.4"].startswith(b"Four.|")
    assert said["127.0.0.5"].startswith(b"From nearby.|LOGINDISABLED|a NO")
    assert said["127.0.0.9"].startswith(b"Outside.|LOGINDISABLED|STARTTLS|a NO")


@pytest.mark.parametrize(
    ("source", "host", "expected"),
    [
        ("127.0.0.1", None, "outside.example"),
        ("127.0.0.1", "mx.example", "mx.example"),
        ("127.0.0.1", "MX.example", "mx.example"),
        ("127.0.0.1", "imap.net.example", "net.example"),
        ("127.0.0.1", "net.example", "outside.example"),
        ("127.0.0.1", "unknown.example", "outside.example"),
        ("127.0.0.4", "unknown.example", "four.example"),
        ("127.0.0.5", "mx.example", "no TLS"),
    ],
)
def test_certificates_by_name(
    pair: tuple[Server, Server], source: str, host: str | None, expected: str
) -> None:
    """SNI chooses, then the address; who has both fails with Dovecot ("Conflict in setting ssl_cert")."""
    assert [certificate(server, source, host) for server in pair] == [expected, expected]


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize(("service", "limit"), [("imap", 2), ("pop3", 3)])
def test_connections_of_a_user_by_protocol(
    pair: tuple[Server, Server], service: str, limit: int, secured: bool
) -> None:
    """mail_max_userip_connections of a protocol: one more is too many, and the log has no `Login:` for it."""
    user = f"{service}-{'tls' if secured else 'plain'}"
    wanted = f"user=<{user}>"
    told = []
    for server in pair:
        with ExitStack() as held:
            answers = [_log_in(held, server, service, user, secured=secured) for _ in range(limit + 1)]
            refused = re.compile(rb"a NO \[LIMIT\]|-ERR \[IN-USE\]")
            assert [bool(refused.match(answer)) for answer in answers] == [False] * limit + [True], answers
            until(lambda log=server.log: log().count(wanted) == limit + 1, what="all is logged")  # type: ignore[misc]
        lines_of_log = re.findall(rf".{{16}}({service}-login: .*{wanted}.*)", server.log())
        told.append([re.sub(r"mpid=\d+|session=<.*>", "", line) for line in lines_of_log])
        told[-1].append(answers[-1].decode())
    assert told[0] == told[1]
    assert "Info: Disconnected: Maximum number of connections" in told[0][limit]
    assert ("TLS" in told[0][0]) is secured


def _log_in(held: ExitStack, server: Server, service: str, user: str, *, secured: bool) -> bytes:
    """The answer to a login; the connection stays as long as `held`."""
    sock = held.enter_context(
        socket.create_connection(
            ("127.0.0.1", server.port if service == "imap" else server.pop3), PATIENCE, ("127.0.0.2", 0)
        )
    )
    lines = sock.makefile("rb")
    lines.readline()
    if secured:
        sock.sendall(b"a STARTTLS\r\n" if service == "imap" else b"STLS\r\n")
        lines.readline()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        sock = held.enter_context(context.wrap_socket(sock))
        lines = held.enter_context(sock.makefile("rb"))
    if service == "imap":
        sock.sendall(b"a LOGIN %b secret\r\n" % user.encode())
        return lines.readline()
    sock.sendall(b"USER %b\r\nPASS secret\r\n" % user.encode())
    lines.readline()
    return lines.readline()
