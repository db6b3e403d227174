"""What is logged of clients whose TLS handshake fails: as Postfix and Dovecot log it, for those who ban by it."""

import re
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.certificates import issue
from fakes.debian_postfix import PORT, DebianPostfix
from fakes.dovecot_pair import Server, dovecot_pair
from fakes.failed_handshakes import BREAKS, fail
from fakes.mail_system import MailSystem, until
from system.conftest import new_system

pytestmark = [pytest.mark.system, pytest.mark.root]

WRAPPED: Final = 1465
_WRAPPED_SERVICE: Final = (
    "tlsmgr unix - - n 1000? 1 tlsmgr\n"
    f"127.0.0.1:{WRAPPED} inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes -o syslog_name=postfix/submissions\n"
)
_PLACE_IN_SOURCE: Final = re.compile(r":\.\./\S+\.c:\d+:(?=SSL)|:\.\./\S+\.c:\d+(?=:$)")


@pytest.fixture
def certificate() -> Iterator[Path]:
    """Key and certificate in one file that Postfix and Dovecot can read."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield issue(Path(directory), "pillarbox.test")


def _lines(log: str, program: str) -> list[str]:
    """What the servers said, without times, process ids and places in OpenSSL's source."""
    found = re.findall(rf"(?m) postfix/{program}\[\d+\]: (.*)$", log)
    return [_PLACE_IN_SOURCE.sub(": " if ":SSL alert" in line else "", line) for line in found]


def _told(log: Callable[[], str], program: str, port: int, begin: bytes) -> list[list[str]]:
    """The lines about each way to fail."""

    def about(how: str) -> list[str]:
        before = len(_lines(log(), program))
        fail(port, how, begin=begin)
        until(
            lambda: any("disconnect from" in line for line in _lines(log(), program)[before:]),
            what=lambda: f"the end of a client that {how}: {log()}",
        )
        return [how, *_lines(log(), program)[before:]]

    return [about(how) for how in BREAKS]


@pytest.mark.peer("postfix")
def test_the_smtp_servers_lines(certificate: Path) -> None:
    """`SSL_accept error`, OpenSSL's reason, `lost connection after STARTTLS`, `starttls=0/1`."""
    tls = {
        "smtpd_tls_security_level": "may",
        "smtpd_tls_chain_files": str(certificate),
        "smtpd_tls_protocols": ">=TLSv1.2",
        "smtpd_tls_loglevel": "1",
    }
    ours: MailSystem = new_system("root")
    try:
        ours.make_home()
        ours.configure(**tls)
        ours.start()
        base = certificate.parent / "postfix"
        base.mkdir()
        with DebianPostfix(base, settings=tls, services=_WRAPPED_SERVICE) as theirs:
            for begin, program, port, our_port in (
                (b"EHLO c.test\r\nSTARTTLS\r\n", "smtpd", PORT, ours.port("smtp")),
                (b"", "submissions/smtpd", WRAPPED, ours.port("submissions")),
            ):
                told = _told(theirs.log, program, port, begin)
                assert _told(ours.log, program, our_port, begin) == told
    finally:
        ours.end()


def _without_certificate(port: int, wrapped_port: int) -> list[bytes]:
    """What clients hear."""
    with socket.create_connection(("127.0.0.1", port), 30) as sock, sock.makefile("rb") as replies:
        heard = [replies.readline()[:4]]
        for command in (b"EHLO c.test", b"STARTTLS", b"MAIL FROM:<a@c.test>", b"NOOP", b"QUIT"):
            sock.sendall(command + b"\r\n")
            heard.append(replies.readline())
            while heard[-1][3:4] == b"-":
                heard.append(replies.readline())
    with socket.create_connection(("127.0.0.1", wrapped_port), 30) as sock:
        heard.append(sock.recv(100))
    return heard


def _of_clients(log: str) -> list[str]:
    return [line for line in _lines(log, r"\S*smtpd") if "from localhost" in line]


@pytest.mark.peer("postfix")
def test_without_a_certificate(certificate: Path) -> None:
    """Where TLS must be and the certificate is gone: mail waits at 454; a port that begins with TLS hangs up."""
    tls = {
        "smtpd_tls_security_level": "encrypt",
        "smtpd_tls_cert_file": "/nonexistent.pem",
        "smtpd_tls_key_file": "",
    }
    tls |= {"smtpd_discard_ehlo_keywords": "etrn, vrfy, dsn, size, requiretls"}
    ours: MailSystem = new_system("root")
    try:
        ours.make_home()
        ours.configure(**tls)
        ours.start()
        base = certificate.parent / "postfix"
        base.mkdir()
        with DebianPostfix(base, settings=tls, services=_WRAPPED_SERVICE) as theirs:
            heard = _without_certificate(PORT, WRAPPED)
            assert b"454 4.7.0 TLS not available due to local problem\r\n" in heard
            assert _without_certificate(ours.port("smtp"), ours.port("submissions")) == heard
            until(lambda: sum("disconnect" in line for line in _of_clients(theirs.log())) == 2, what="both")
            told = sorted(_of_clients(theirs.log()))
            assert any("Wrapper-mode request dropped" in line for line in told)
            # Of the service, Postfix says what stands in the first column of master.cf.
            told = [line.replace(f"127.0.0.1:{WRAPPED}", "submissions") for line in told]
            until(lambda: sorted(_of_clients(ours.log())) == told, what=lambda: f"{told}: {ours.log()}")
            assert "/nonexistent.pem: No such file or directory: disabling TLS support" in ours.log()
    finally:
        ours.end()


@pytest.mark.peer("dovecot")
def test_the_login_lines(certificate: Path) -> None:
    """`Disconnected: Connection closed: SSL_accept() failed: … (no auth attempts in 0 secs)`."""
    settings = (
        f"ssl = yes\nssl_cert = <{certificate}\nssl_key = <{certificate}\nprotocols = imap lmtp\n"
        "service imap-login {\n  inet_listener imap {\n    ssl = yes\n  }\n  inet_listener imaps {\n    port = 0\n  }\n}\n"
    )
    with dovecot_pair(settings) as servers:
        ours, theirs = ([_login_line(server, how) for how in BREAKS] for server in servers)
    assert ours == theirs


def _login_line(server: Server, how: str) -> list[str]:
    """What is said of a client that fails, without times, sessions and the size of what was to be read."""
    before = len(_login_lines(server))
    fail(server.port, how)
    until(lambda: len(_login_lines(server)) > before, what=f"the end of a client that {how}")
    return [how, *_login_lines(server)[before:]]


def _login_lines(server: Server) -> list[str]:
    unsteady = r"^.*imap-login: Info: |, session=<.*|(?<=\()size=\d+(?=\))|(?<=\()[^()]* \d secs(?=\))"
    return [re.sub(unsteady, "", line) for line in server.log().splitlines() if "imap-login" in line]
