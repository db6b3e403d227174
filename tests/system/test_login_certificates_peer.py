"""Clients of IMAP and POP3 with and without certificates, at Debian's Dovecot and at ours: replies and log lines."""

import base64
import datetime
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from fakes.certificates import NOW, issue
from fakes.dovecot_pair import Server, dovecot_pair
from fakes.mail_system import PATIENCE, PATIENT_WITH_GUESSERS, until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

_COMMON: Final = f"""\
protocols = imap pop3
mail_location = maildir:~/Maildir
auth_mechanisms = plain external
auth_verbose = yes
passdb {{
  driver = static
  args = nopassword=y
}}
ssl = yes
ssl_cert = <{{directory}}/server.pem
ssl_key = <{{directory}}/server.key
ssl_key_password = geheim
ssl_verify_client_cert = yes
auth_ssl_username_from_cert = yes
service pop3-login {{
  inet_listener pop3 {{
    port = {{pop3}}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service imap-login {{
  inet_listener imaps {{
    port = 0
  }}
}}
{PATIENT_WITH_GUESSERS}"""
WORLDS: Final = {
    "asked": "ssl_ca = <{directory}/authority.crt\n",
    "required": "ssl_ca = <{directory}/authority.crt\nauth_ssl_require_client_cert = yes\n",
    "no name": "ssl_ca = <{directory}/bare.crt\nssl_require_crl = no\nauth_ssl_require_client_cert = yes\n"
    "ssl_cert_username_field = emailAddress\n",
}
CLIENTS: Final = ("in the clear", "", "known", "stranger", "revoked")
_VARIES: Final = re.compile(
    r"^\w+ +\d+ [0-9:]+ |mpid=\d+|<[A-Za-z0-9+/]{16}>|in \d+ secs|waited \d+ secs| \([0-9.+ ]+ secs\)"
    r"|\[CAPABILITY [^]]*\]|AUTH=.*"
)
_OTHER: Final = base64.b64encode(b"other")
IMAP: Final = (
    b"a AUTHENTICATE EXTERNAL " + _OTHER,
    b"a AUTHENTICATE EXTERNAL =",
    b"a LOGIN other secret",
    b"a LOGOUT",
)
POP3: Final = (b"AUTH EXTERNAL " + _OTHER, b"AUTH EXTERNAL", b"", b"USER other", b"PASS secret", b"QUIT")


def _authority(directory: Path) -> None:
    """Certificates; bare.crt is the authority's, authority.crt has its list of revoked ones, too."""
    text = issue(directory, "authority").read_bytes()
    for name in ("server", "known", "revoked"):
        issue(directory, name, signer="authority")
    issue(directory, "stranger")
    server = serialization.load_pem_private_key((directory / "server.pem").read_bytes(), None)
    (directory / "server.key").write_bytes(
        server.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"geheim"),
        )
    )
    key = serialization.load_pem_private_key(text, None)
    certificate = x509.load_pem_x509_certificate(text)
    (directory / "bare.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    revoked = x509.load_pem_x509_certificate((directory / "revoked.pem").read_bytes())
    entry = x509.RevokedCertificateBuilder().serial_number(revoked.serial_number).revocation_date(NOW).build()
    revocations = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(certificate.subject)
        .last_update(NOW - datetime.timedelta(days=1))
        .next_update(NOW + datetime.timedelta(days=9))
        .add_revoked_certificate(entry)
        .sign(key, hashes.SHA256())  # type: ignore[arg-type]
    )
    (directory / "authority.crt").write_bytes(
        (directory / "bare.crt").read_bytes() + revocations.public_bytes(serialization.Encoding.PEM)
    )


@pytest.fixture(scope="module", params=WORLDS)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Server, Path]]:
    """(ours, theirs), and where the certificates are."""
    directory = tmp_path_factory.mktemp("certificates")
    _authority(directory)
    settings = (_COMMON + WORLDS[request.param]).replace("{directory}", str(directory))
    with ExitStack() as stack:
        servers = stack.enter_context(dovecot_pair(settings))
        yield *servers, directory


def _conversation(server: Server, directory: Path, client: str, protocol: str) -> list[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if client not in ("", "in the clear"):
        context.load_cert_chain(directory / f"{client}.pem")
    said: list[str] = []
    before = len(server.log())
    sock = socket.create_connection(
        ("127.0.0.1", server.pop3 if protocol == "pop3" else server.port), PATIENCE
    )
    with ExitStack() as stack:
        file = stack.enter_context(sock.makefile("rb"))
        file.readline()
        if client != "in the clear":
            sock.sendall(b"STLS\r\n" if protocol == "pop3" else b"a STARTTLS\r\n")
            file.readline()
            sock = context.wrap_socket(sock)
            file = stack.enter_context(sock.makefile("rb"))
        stack.enter_context(sock)
        is_in = waits = False
        for command in POP3 if protocol == "pop3" else IMAP:
            if (command == b"" and not waits) or (is_in and command[:4] in (b"a LO", b"USER", b"PASS")):
                if command != b"a LOGOUT":
                    continue
            sock.sendall(command + b"\r\n")
            while line := file.readline():
                said.append(line.decode().rstrip())
                if line[:2] in (b"a ", b"+ ", b"+O", b"-E") or line == b"+\r\n":
                    break
            waits = line[:2] == b"+ "
            is_in = is_in or b"ogged in" in line
    until(lambda: "Disconnected" in server.log()[before:], what="the end is logged")
    # What comes whenever it comes: that the server has started, and what its session tells.
    others = ("starting up", f"{protocol}(", f"{protocol}: ")
    lines = [line for line in server.log()[before:].split("\n") if not any(other in line for other in others)]
    return [_VARIES.sub("", line) for line in [*said, *sorted(_VARIES.sub("", line) for line in lines)]]


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_who_comes_in(
    pair: tuple[Server, Server, Path],
    protocol: str,
    subtests: pytest.Subtests,
    request: pytest.FixtureRequest,
) -> None:
    """By a certificate alone, by a name with one, and not at all."""
    ours, theirs, directory = pair
    came_in = set()
    for client in CLIENTS:
        with subtests.test(client):
            mine, other = (_conversation(server, directory, client, protocol) for server in (ours, theirs))
            assert mine == other
            if any("method=EXTERNAL" in line and "Login: user=<known>" in line for line in mine):
                came_in.add(client)
    assert came_in == (set() if "no name" in request.node.name else {"known"})


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    """Both start, and who needs no TLS has his mail; ours does not offer what cannot be had, and says so."""
    path = tmp_path / "garbage.pem"
    path.write_text("no certificate\n")
    settings = f"""\
protocols = imap
mail_location = maildir:~/Maildir
ssl = yes
ssl_cert = <{path}
ssl_key = <{path}
service imap-login {{
  inet_listener imaps {{
    port = 0
  }}
}}
"""
    with dovecot_pair(settings) as (ours, theirs):
        for server in (ours, theirs):
            with closing(server.imap()) as talk:
                assert talk.say(b"SELECT INBOX")[-1].startswith(b"x OK ")
        assert re.search(r"Warning: .*garbage\.pem.*: TLS is not offered", ours.log())
