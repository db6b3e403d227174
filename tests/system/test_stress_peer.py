"""Services with too many clients, or with clients that do too much, beside Debian's Postfix.

Where the process limit is reached the same clients wait, and stress is shown alike; who has had its share is refused
alike, and the statistics of anvil(8) say so.
"""

import re
from collections.abc import Iterator
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.host import PACKAGED, Host
from fakes.mail_system import PATIENCE, until
from fakes.network import Network
from fakes.pillarbox_host import INSTALLED, install
from fakes.postfix_services import SERVICES

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "unshare", "ip"),
    pytest.mark.timeout(300),
]

LOG: Final = "/var/log/mail.log"
_MAIN_CF: Final = """\
compatibility_level = 3.6
myhostname = mail.sender.test
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
maillog_file = /var/log/mail.log
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_banner = $myhostname stress=<$stress>
smtpd_timeout = ${stress?{600}:{300}}s
"""
_COUNTED: Final = (
    "-o smtpd_client_event_limit_exceptions= -o smtpd_client_message_rate_limit=1 "
    "-o smtpd_client_recipient_rate_limit=2"
)
_MASTER_CF: Final = f"""\
smtp            inet n - n - 2 smtpd
26              inet n - n - 1 smtpd
127.0.0.1:27    inet n - n - 2 smtpd
28              inet n - n - 2 smtpd -o stress=no
29              inet n - n - - smtpd {_COUNTED} -o smtpd_client_connection_count_limit=2
127.0.0.1:30    inet n - n - - smtpd {_COUNTED} -o smtpd_client_connection_rate_limit=3
{SERVICES}"""


class Client:
    """One connection, and what was heard."""

    def __init__(self, host: Host, port: int) -> None:
        self._socket = host.connect(port)
        self._socket.settimeout(PATIENCE)
        self._file = self._socket.makefile("rb")

    def greeting(self) -> bytes:
        return self._file.readline()

    def mistake(self) -> list[bytes]:
        """The replies to a bad command, and to another one."""
        replies = []
        try:
            for _ in range(2):
                self._socket.sendall(b"XXXX\r\n")
                replies.append(self._file.readline())
        except ConnectionError:  # closed after the first
            pass
        return [reply for reply in replies if reply]

    def say(self, command: str) -> bytes:
        """The reply to a command."""
        self._socket.sendall(command.encode() + b"\r\n")
        return self._file.readline()

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Host]]:
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    network = Network(directory, None)
    try:
        yield [_host(network, number, path) for number, path in ((2, PACKAGED), (3, INSTALLED))]
    finally:
        network.end()


def _host(network: Network, number: int, path: str) -> Host:
    host = network.host("mail.sender.test", number, path=path)
    if path == PACKAGED:
        host.output("cp /usr/share/postfix/main.cf.dist /etc/postfix/main.cf")
    else:
        install(host)
    host.write("/etc/postfix/main.cf", _MAIN_CF)
    host.write("/etc/postfix/master.cf", _MASTER_CF)
    if path == PACKAGED:
        host.output("/usr/lib/postfix/configure-instance.sh -")
    host.start_postfix()
    host.until_answers(25)
    return host


def warnings(host: Host) -> list[str]:
    log = host.file(LOG).read_text()
    return [line.split("]: ", 1)[1] for line in log.split("\n") if "/master[" in line and "warning: " in line]


def play(host: Host, port: int) -> list[object]:
    """Three clients for two places, or two for one; then those that come when the places are free."""
    before = len(warnings(host))
    places = 1 if port == 26 else 2
    heard: list[object] = []
    clients = [Client(host, port) for _ in range(places)]
    heard += [client.greeting() for client in clients]
    late = Client(host, port)
    heard.append(clients[-1].mistake())
    for client in clients:
        client.close()
    heard.append(late.greeting())
    late.close()
    one = Client(host, port)
    heard.append(one.greeting())
    one.close()
    return [*heard, warnings(host)[before:]]


@pytest.mark.parametrize("port", [25, 26, 27, 28])
def test_the_same_as_postfix(hosts: list[Host], port: int) -> None:
    """A service with two places, with one, on the loopback alone, with `stress` of the admin's own."""
    theirs, ours = (play(host, port) for host in hosts)
    assert ours == theirs
    if port == 25:
        until(lambda: len(warnings(hosts[1])) >= 3, what="it was warned of")
        assert b"stress=<yes>" in repr(ours).encode()


_STATISTICS: Final = re.compile(r"/anvil\[\d+\]: (statistics: .*) at \w{3} [ \d]\d [\d:]{8}\n")
_TOO_MUCH: Final = re.compile(r"/smtpd\[\d+\]: (warning: .* exceeded: .*)\n")


def crowd(host: Host, port: int) -> list[bytes]:
    """What clients hear, of which the third is one too many, or the fourth; all are there until the end."""
    clients = [Client(host, port) for _ in range(2)]
    heard = [client.greeting() for client in clients]
    sender = "MAIL FROM:<a@out.test>"
    commands = ("HELO client.test", sender, *3 * ["RCPT TO:<b@mail.sender.test>"], "RSET", sender)
    heard += map(clients[0].say, commands)
    for _ in range(2):
        clients.append(Client(host, port))
        heard.append(clients[-1].greeting())
    for client in clients:
        client.close()
    return heard


def test_who_has_had_its_share(hosts: list[Host]) -> None:
    """Connections at once and in a minute, messages and recipients: refusals, warnings, and the statistics."""
    heard = [[crowd(host, port) for port in (29, 30)] for host in hosts]
    assert heard[1] == heard[0]
    theirs, ours = (host.file(LOG) for host in hosts)
    for host in hosts:
        host.output("postfix reload")
    for log in (theirs, ours):
        until(lambda log=log: "max cache size" in log.read_text(), what="statistics are logged")  # type: ignore[misc]
    for lines in (_TOO_MUCH, _STATISTICS):
        assert lines.findall(ours.read_text()) == lines.findall(theirs.read_text()) != []
