"""Clients with and without certificates, at Debian's Postfix and at ours: the same replies, log lines and headers."""

import difflib
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.certificates import fingerprint, issue, key_fingerprint
from fakes.host import PACKAGED, Host
from fakes.logs import until_logged
from fakes.mail_system import until
from fakes.pillarbox_host import INSTALLED, install
from fakes.postfix_services import SERVICES

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "unshare")]

_MAIN_CF: Final = """\
compatibility_level = 3.6
myhostname = mail.here.test
mydestination = mail.here.test
inet_protocols = ipv4
alias_maps =
alias_database =
home_mailbox = Maildir/
mailbox_command =
biff = no
maillog_file = /var/log/mail.log
mynetworks = 192.0.2.99
smtpd_peername_lookup = no
smtpd_tls_chain_files = /etc/postfix/server.pem
smtpd_tls_security_level = may
smtpd_tls_ask_ccert = yes
smtpd_tls_CAfile = /etc/postfix/authority.crt
smtpd_tls_received_header = yes
smtpd_tls_loglevel = 1
requiretls_enable = no
relay_clientcerts = inline:{{ {relayed} = yes }}
smtpd_relay_restrictions =
  check_ccert_access inline:{{ {{ {refused} = REJECT not you }} {{ {by_key} = 450 4.7.9 later }} }},
  permit_tls_clientcerts, reject_unauth_destination
"""
_MASTER_CF: Final = f"""\
25        inet  n       -       n       -       -       smtpd
587       inet  n       -       n       -       -       smtpd
  -o smtpd_tls_security_level=encrypt -o smtpd_tls_req_ccert=yes
588       inet  n       -       n       -       -       smtpd
  -o smtpd_relay_restrictions=permit_tls_all_clientcerts,reject
589       inet  n       -       n       -       -       smtpd
  -o smtpd_tls_ask_ccert=no
{SERVICES}"""
PORTS: Final = (25, 587, 588, 589)
CLIENTS: Final = ("", "known", "stranger", "relayed", "refused", "by_key")


class World:
    """Both hosts, and certificates."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        issue(directory, "authority")
        issue(directory, "server", signer="authority")
        for name in CLIENTS[1:]:
            bits = 2048 if name == "stranger" else 0
            issue(directory, name, signer="authority" if name == "known" else "", rsa_bits=bits)
        self.hosts = [self._host(PACKAGED), self._host(INSTALLED)]

    def _host(self, path: str) -> Host:
        host = Host("mail.here.test", path=path)
        host.output("useradd --create-home alice")
        if path == PACKAGED:
            host.output("cp /usr/share/postfix/main.cf.dist /etc/postfix/main.cf; touch /etc/postfix/main.cf")
        else:
            install(host)
        directory = self._directory
        authority = (directory / "authority.pem").read_text()
        host.write("/etc/postfix/authority.crt", authority[authority.index("-----BEGIN CERT") :])
        host.write("/etc/postfix/server.pem", (directory / "server.pem").read_text(), mode=0o600)
        host.write(
            "/etc/postfix/main.cf",
            _MAIN_CF.format(
                relayed=f"{{ {fingerprint(directory / 'relayed.pem')}",
                refused=fingerprint(directory / "refused.pem"),
                by_key=key_fingerprint(directory / "by_key.pem"),
            ).replace(" = yes }", " = yes } }", 1),
        )
        host.write("/etc/postfix/master.cf", _MASTER_CF)
        if path == PACKAGED:
            host.output("/usr/lib/postfix/configure-instance.sh -")
        host.start_postfix()
        host.until_answers(25)
        until_logged(host, "disconnect from")  # of the one who has just asked
        return host

    def end(self) -> None:
        """Everything goes."""
        for host in self.hosts:
            host.end()

    def play(self, host: Host, port: int, name: str) -> str:
        """What a client hears, and what is logged and delivered."""
        before = len(host.log())
        said = self._converse(host, port, name)
        until_logged(host, "disconnect from", since=before)
        lines = [
            re.sub(r"^.*? postfix/(\w+)\[\d+\]: |\b[0-9A-F]{6,}(?=: )", "", line)
            for line in host.log()[before:].split("\n")
            if "smtpd[" in line and "certificate verification failed" not in line
        ]
        return "\n".join([*said, *lines])

    def _converse(self, host: Host, port: int, name: str) -> list[str]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if name:
            context.load_cert_chain(self._directory / f"{name}.pem")
        if name == "relayed":
            context.set_ecdh_curve("prime256v1")
        said: list[str] = []
        sock = host.connect(port)
        file = sock.makefile("rb")
        commands = ["", "EHLO client.test", "STARTTLS", "EHLO client.test", "MAIL FROM:<a@client.test>"]
        commands += ["RCPT TO:<alice@mail.here.test>", "RCPT TO:<b@elsewhere.test>", "RSET", "QUIT"]
        for command in commands:
            if command:
                sock.sendall(command.encode() + b"\r\n")
            while (line := file.readline())[3:4] == b"-":
                pass
            said.append(f"{command}: {line.decode().strip()}")
            if not line or line.startswith(b"421"):
                break
            if command == "STARTTLS":
                sock = context.wrap_socket(sock)
                host.keep(sock)
                file = sock.makefile("rb")
        host.hang_up()
        return said

    def delivered(self, host: Host, name: str) -> str:
        """The lines about TLS in the Received: header of a message that a client sent."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if name:
            context.load_cert_chain(self._directory / f"{name}.pem")
        if name == "relayed":
            context.set_ecdh_curve("prime256v1")
        maildir = host.file("/home/alice/Maildir")
        before = set(maildir.glob("new/*"))
        sock = host.connect(25)
        file = sock.makefile("rb")
        for command in (
            b"",
            b"STARTTLS",
            b"EHLO x",
            b"MAIL FROM:<>",
            b"RCPT TO:<alice@mail.here.test>",
            b"DATA",
            b"A: b\r\n\r\n.",
        ):
            if command:
                sock.sendall(command + b"\r\n")
            while (line := file.readline())[3:4] == b"-":
                pass
            assert line[:1] in b"23", line
            if command == b"STARTTLS":
                sock = context.wrap_socket(sock)
                host.keep(sock)
                file = sock.makefile("rb")
        host.hang_up()
        (path,) = until(lambda: set(maildir.glob("new/*")) - before, what="the message is delivered")
        (header,) = re.findall(r"^Received: .*\n((?:\t.*\n)*?)\tby ", path.read_text(), re.MULTILINE)
        return str(header)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The hosts, once for all clients."""
    made = World(tmp_path_factory.mktemp("certificates"))
    try:
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("port", PORTS)
def test_who_comes_in(world: World, port: int, subtests: pytest.Subtests) -> None:
    """Asked for, demanded, by the authority alone, not asked for."""
    for name in CLIENTS:
        with subtests.test(name):
            theirs, ours = (world.play(host, port, name) for host in world.hosts)
            assert theirs == ours, "\n".join(difflib.ndiff(theirs.split("\n"), ours.split("\n")))


@pytest.mark.parametrize("name", ["", "known", "stranger"])
def test_what_the_header_says(world: World, name: str) -> None:
    """smtpd_tls_received_header."""
    theirs, ours = (world.delivered(host, name) for host in world.hosts)
    assert theirs == ours
    assert (f'Client CN "{name}"' if name else "did not present a certificate") in ours
