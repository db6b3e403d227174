"""TLS of smtpd(8), parameter by parameter beside Debian's Postfix: what clients get, what is logged and written above messages."""

import contextlib
import re
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

import pytest

from fakes.directories import let_others_in
from fakes.mail_system import PATIENCE, until
from fakes.smtp_server_pair import Difference, Server, both_servers, check_differences, listed_differences
from system.server_tls_parameter_cases import Case, Client, cases, certificates, clients

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix"),
    pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning"),
]

SETTINGS: Final = {
    "message_size_limit": "1000000",
    "virtual_mailbox_maps": "static:Maildir/",
    "virtual_alias_maps": "",
    "smtpd_peername_lookup": "no",
    "smtpd_sender_restrictions": "check_sender_access static:HOLD",
    "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
    "smtpd_error_sleep_time": "0",
    "smtpd_discard_ehlo_keywords": "requiretls, silent-discard",
}
_LIST: Final = Path(__file__).with_name("server_tls_parameter_differences.txt")
_AT_ONCE: Final = 4
_NOT_COMPARED: Final = re.compile(
    r"SSL_accept:|initializing the server-side|\S+ TLS cipher list |\S+ depth=|\S+ \w+ session ticket|subject=|issuer=|"
    r"warning: (?:smtpd_tls|Can't require|Both smtpd_tls)"
)
"""Steps of OpenSSL's that only Postfix logs, and warnings that ours gives when the service starts, under its own name."""


class Talk:
    """One connection, and what comes of it."""

    def __init__(self, port: int) -> None:
        self.said: list[str] = []
        self.read_ticket: Callable[[], ssl.SSLSession | None] = lambda: None
        self._socket: socket.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._replies = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Waits until the server has closed too, for it logs before it does: of several processes the next may be faster."""
        self._replies.close()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            while self._socket.recv(65536):
                pass
        self._socket.close()

    def hear(self, what: str) -> bool:
        """Whether a reply came that is not a refusal; it is noted."""
        lines = [self._replies.readline().decode()]
        while lines[-1][3:4] == "-":
            lines.append(self._replies.readline().decode())
        self.said.append(f"{what}: {' / '.join(sorted(line.strip() for line in lines))}")
        return lines[-1][:1] in ("2", "3")

    def say(self, command: str) -> bool:
        """A command and its reply."""
        self._socket.sendall(command.encode() + b"\r\n")
        return self.hear(command.partition("\r\n")[0])

    def secure(self, client: Client, session: ssl.SSLSession | None) -> None:
        """The handshake; what it came to is noted.  ssl.SSLError, OSError"""
        name = client.asked or None
        secured = client.context.wrap_socket(self._socket, server_hostname=name, session=session)
        self._replies.close()
        self._socket = secured
        self._replies = secured.makefile("rb")
        cipher = secured.cipher() or ("",)
        certificate = ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True) or b"")
        reused = "reused" if secured.session_reused else "new"
        self.said.append(f"TLS: {secured.version()} {cipher[0]} {reused} {hash(certificate)}")
        self.read_ticket = lambda: secured.session


def converse(port: int, case: Case, subject: str, client: Client | None) -> list[str]:
    """What a client hears, with a second connection if it comes again."""
    said: list[str] = []
    session: ssl.SSLSession | None = None
    for _ in range(2 if client and client.comes_again else 1):
        with Talk(port) as talk:
            try:
                _one(talk, case, subject, client, session)
                session = talk.read_ticket()
            except ssl.SSLError as error:
                talk.said.append(f"TLS: {error.reason}")
            except OSError as error:
                talk.said.append(f"TLS: {type(error).__name__}")
            said += talk.said
    return said


def _one(talk: Talk, case: Case, subject: str, client: Client | None, session: ssl.SSLSession | None) -> None:
    if case.wrapped and client:
        talk.secure(client, session)
    if not talk.hear("connect") or not talk.say("EHLO client.example"):
        return
    if client and not case.wrapped:
        if not talk.say("STARTTLS"):
            talk.say("QUIT")
            return
        talk.secure(client, session)
        if not talk.say("EHLO client.example"):
            return
    taken = talk.say("MAIL FROM:<a@client.example>") and talk.say("RCPT TO:<me@pillarbox.test>")
    if taken and talk.say("DATA"):
        talk.say(f"Subject: {subject}\r\n\r\ntext\r\n.")
    talk.say("QUIT")


def test_the_same_as_postfix(tmp_path: Path) -> None:
    """Replies, versions, ciphers and certificates, sessions that are taken up again, log lines and Received: headers."""
    let_others_in(tmp_path)
    had = cases(certificates(tmp_path))
    come = clients(tmp_path)
    services = {
        name: {
            key[1:] if key.startswith(" ") else f"smtpd_tls_{key}": value
            for key, value in ({" syslog_name": name} | dict(case.settings)).items()
        }
        for name, case in had.items()
    }
    for settings in services.values():
        settings.setdefault("smtpd_tls_key_file", settings["smtpd_tls_cert_file"])
    with both_servers(SETTINGS, services) as servers:
        theirs, ours = (outcomes(server, had, come) for server in servers)
    found = [
        Difference(name, part, theirs[name, part], ours[name, part])
        for name, part in theirs
        if theirs[name, part] != ours[name, part]
    ]
    check_differences(found, listed_differences(_LIST))


def outcomes(
    server: Server, had: Mapping[str, Case], come: Mapping[str, Client]
) -> dict[tuple[str, str], str]:
    """What came of each case: of each client what it heard, and what the service logged."""

    def of(name: str) -> list[tuple[tuple[str, str], str]]:
        case, port = had[name], server.port(name)
        return [
            (
                (name, client),
                "\n".join(
                    _plain(line) for line in converse(port, case, f"{name} {client}", come.get(client))
                ),
            )
            for client in case.clients
        ]

    with ThreadPoolExecutor(_AT_ONCE) as at_once:
        found = dict(pair for pairs in at_once.map(of, had) for pair in pairs)
    until(
        lambda: server.log().count("]: connect from") == server.log().count("]: disconnect from"), what="all"
    )
    for name in had:
        lines = [_plain(line) for line in re.findall(rf"(?m) {name}/smtpd\[\d+\]: (.*)$", server.log())]
        found[name, "log"] = "\n".join(line for line in lines if not _NOT_COMPARED.match(line))
    for subject, header in _received(server.queue):
        name, _, client = subject.partition(" ")
        found[name, f"Received {client}"] = header
    return found


def _received(queue: Path) -> Iterator[tuple[str, str]]:
    files = [str(path) for path in queue.glob("hold/**/*") if path.is_file()]
    assert files
    text = subprocess.run(["/usr/sbin/postcat", "-h", *files], check=True, capture_output=True).stdout
    for one in re.split(r"(?m)^\*\*\* MESSAGE CONTENTS.*\n", text.decode())[1:]:
        header, subject = re.search(r"(?s)(.*)^Subject: (.*?)$", one, re.MULTILINE).groups()  # type: ignore[union-attr]
        yield subject, _plain(header).partition("\tfor <")[0]


def _plain(text: str) -> str:
    text = re.sub(r"\b(with ESMTPS?A? id|queued as) [0-9A-Za-z]+|^[0-9A-F]{6,}(?=: )", r"\1 ID", text)
    return re.sub(r":\.\./\S+\.c:\d+:.*", ":", text)
