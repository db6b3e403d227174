"""qmgr_clog_warn_time: Debian's Postfix and ours warn of the same destinations, at the same message, in the same words."""

from collections.abc import Iterator
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.host import PACKAGED, Host
from fakes.mail_system import until
from fakes.network import Network, _ip
from fakes.pillarbox_host import INSTALLED, install
from fakes.postfix_services import MASTER_CF
from fakes.scripted_server import SILENCE, ScriptedServer
from fakes.smtp_submission import SmtpClient

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "unshare", "ip"),
    pytest.mark.timeout(300),
]

LOG: Final = "/var/log/mail.log"
SILENT: Final = "10.53.1.1"
OTHER: Final = "10.53.1.2"
MESSAGES: Final = 8
WINDOW: Final = 2
_MAIN_CF: Final = f"""\
compatibility_level = 3.6
myhostname = mail.sender.test
mydestination = $myhostname
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
biff = no
maillog_file = /var/log/mail.log
notify_classes =
disable_dns_lookups = yes
smtp_tls_security_level = none
smtpd_reject_unlisted_recipient = no
initial_destination_concurrency = {WINDOW}
default_destination_concurrency_positive_feedback = 0
qmgr_message_active_limit = 20
narrow_destination_concurrency_limit = {WINDOW}
transport_maps = inline:{{
  {{ narrow.test = narrow:[{SILENT}] }} {{ wide.test = wide:[{SILENT}] }}
  {{ shared.test = shared:[{SILENT}] }} {{ sharer.test = shared:[{OTHER}] }} }}
"""
_TRANSPORTS: Final = "".join(f"{name} unix - - n - - smtp\n" for name in ("narrow", "wide", "shared"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Host], ScriptedServer]]:
    """Both hosts, and a server that greets nobody."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    network = Network(directory, None)
    servers: list[ScriptedServer] = []
    try:
        for place in (SILENT, OTHER):
            _ip(f"address add {place}/32 dev internet")
            servers.append(ScriptedServer(place, 25, {"greeting": SILENCE}))
        hosts = [_host(network, number, path) for number, path in ((2, PACKAGED), (3, INSTALLED))]
        yield hosts, servers[0]
    finally:
        for server in servers:
            server.close()
        network.end()


def _host(network: Network, number: int, path: str) -> Host:
    host = network.host("mail.sender.test", number, path=path)
    if path == PACKAGED:
        host.output("cp /usr/share/postfix/main.cf.dist /etc/postfix/main.cf")
    else:
        install(host)
    host.write("/etc/postfix/main.cf", _MAIN_CF)
    host.write("/etc/postfix/master.cf", MASTER_CF + _TRANSPORTS)
    if path == PACKAGED:
        host.output("/usr/lib/postfix/configure-instance.sh -")
    host.start_postfix()
    host.until_answers(25)
    return host


def warnings(host: Host, server: ScriptedServer, recipients: list[str]) -> list[str]:
    """What the queue manager says while a message for each becomes active; then all of them go."""
    before = len(host.file(LOG).read_text())

    def lines(text: str) -> list[str]:
        log = host.file(LOG).read_text()[before:]
        return [line.split("]: ", 1)[1] for line in log.split("\n") if "/qmgr[" in line and text in line]

    until(lambda: not server.open, what="nobody is connected")
    sent = 0
    with SmtpClient(host) as client:
        for number, recipient in enumerate(recipients, start=1):
            sent += "sharer" not in recipient
            client.submit(
                sender="a@mail.sender.test", recipients=[recipient], message=b"Subject: x\r\n\r\nx\r\n"
            )
            until(lambda: len(lines("(queue active)")) == number, what="it is active")  # noqa: B023 - used at once
            until(lambda: server.open == min(sent, WINDOW), what="deliveries are under way")  # noqa: B023
    until(lambda: lines("to turn off these warnings"), what=lambda: f"warnings: {lines('')}")
    found = lines("warning: ")
    host.run("postfix stop; postsuper -d ALL")  # which cannot write its log there
    host.start_postfix()
    host.until_answers(25)
    return found


@pytest.mark.parametrize("name", ["narrow", "wide", "shared"])
def test_the_same_as_postfix(world: tuple[list[Host], ScriptedServer], name: str) -> None:
    """A window at its limit, a destination of its own transport, one of two."""
    recipients = [f"u{number}@{name}.test" for number in range(MESSAGES)]
    if name == "shared":
        recipients.insert(0, "u@sharer.test")
    hosts, server = world
    theirs, ours = (warnings(host, server, recipients) for host in hosts)
    assert ours == theirs
