"""The lab's internet on a bridge, and two hosts that send to it: Debian's Postfix and us, with the same configuration.

DESCRIPTION
    `Trial` plays the scenarios once with each of the two.  Hosts and zones are made anew for each, so that what a
    host does only the first time it does for both.  All messages are sent at once, in three passes: the first
    attempt; a flush, when the delay warning is due; the end of the time in the queue (postsuper -e, and a flush).
"""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

import msgspec

from fakes.host import PACKAGED, Host
from fakes.logs import until_whole
from fakes.mail_system import PATIENCE, until
from fakes.network import RESOLVER, Network
from fakes.pillarbox_host import INSTALLED, install
from fakes.postfix_services import MASTER_CF
from fakes.postfix_texts import normal_line, normal_notice
from fakes.smtp_submission import SmtpClient
from pillarbox.lab.internet import Internet
from pillarbox.lab.lab import Submission, content, recipients
from pillarbox.lab.places import Places
from pillarbox.lab.scenario import Scenario
from pillarbox.net.system_clock import SystemClock

Product = Literal["postfix", "pillarbox"]

_PREFIX: Final = "10.53."
_IPV6: Final = "fd53::1:"
_AUTHORITY: Final = "/etc/postfix/lab-authority.pem"
_NUMBERS: Final = {"postfix": 2, "pillarbox": 3}
_LATE: Final = 10
"""Seconds after which a message is late, and may go in clear text where a handshake fails: not at the first attempt,
however busy the machine is, but at the second."""
_MAIN_CF: Final = f"""\
compatibility_level = 3.6
myhostname = mail.pillarbox.test
mydomain = pillarbox.test
myorigin = $mydomain
mydestination = $myhostname, $mydomain
inet_protocols = all
proxy_interfaces = 10.53.0.2, 10.53.0.3
home_mailbox = Maildir/
alias_maps =
alias_database =
mailbox_command =
biff = no
maillog_file = /var/log/mail.log
notify_classes = bounce, 2bounce, delay
smtpd_reject_unlisted_recipient = no
smtp_host_lookup = dns
smtp_randomize_addresses = no
smtp_connection_cache_on_demand = no
smtp_tls_loglevel = 0
minimal_backoff_time = {_LATE}s
maximal_backoff_time = {_LATE}s
queue_run_delay = 3600s
delay_warning_time = {_LATE}s
"""


class Played(msgspec.Struct, kw_only=True):
    """What one product made of one scenario, with ids and times taken out."""

    log: str
    wire: str  # what the hosts were told
    notices: str  # what came back


class Trial:
    """Both products, one after the other."""

    def __init__(self, directory: Path, scenarios: Iterable[Scenario]) -> None:
        self.scenarios = {scenario.name: scenario for scenario in scenarios}
        self._directory = directory
        self.network = Network(directory, None)
        # All of the lab's IPv4 addresses are this machine's own.
        _ip("route add local 10.53.1.0/24 dev internet")
        for number in self._six():
            _ip(f"-6 address add {_IPV6}{number + 16:x}/128 dev internet nodad")
        self.hosts: dict[Product, Host] = {}

    def _six(self) -> set[int]:
        """Numbers of the hosts with IPv6."""
        every = [host for scenario in self.scenarios.values() for host in scenario.hosts]
        return {number for number, host in enumerate(every) if host.ipv6}

    def end(self) -> None:
        """Everything goes."""
        self.network.end()

    # -- one product -----------------------------------------------------------------------------------

    def play(self, product: Product) -> dict[str, Played]:
        """All scenarios, by name."""
        certificates = self._directory / product
        certificates.mkdir()
        clock = SystemClock()
        internet = Internet(
            self.scenarios.values(),
            places=Places(prefix=_PREFIX, own="10.53.0.2", name_server=RESOLVER, ipv6=_IPV6),
            seed=5,
            directory=certificates,
            clock=clock,
        )
        internet.start()
        try:
            host = self._host(product, internet)
            with SmtpClient(host) as client:
                ids = {name: _submit(client, scenario) for name, scenario in self.scenarios.items()}
            late = clock.now() + _LATE + 1  # both count whole seconds
            until(lambda: _is_quiet(host), what=f"{product}: all was tried once", seconds=3 * PATIENCE)
            until_whole(host)
            until(lambda: clock.now() >= late, what="what waits is late")
            self._again(host, "postqueue -f")
            self._again(host, "postsuper -e ALL deferred 2>/dev/null; postqueue -f")
            return {name: _played(host, internet, self.scenarios[name], ids[name]) for name in ids}
        finally:
            internet.stop()

    def _host(self, product: Product, internet: Internet) -> Host:
        number = _NUMBERS[product]
        host = self.network.host(
            "mail.pillarbox.test", number, path=PACKAGED if product == "postfix" else INSTALLED
        )
        self.hosts[product] = host
        host.output("useradd --create-home alice; useradd --create-home postmaster")
        if product == "postfix":
            host.output("cp /usr/share/postfix/main.cf.dist /etc/postfix/main.cf")
        else:
            install(host)
        main_cf, services = internet.settings()
        authority = Path(internet.authority.path)
        host.write(_AUTHORITY, authority.read_text())
        host.write("/etc/postfix/main.cf", _MAIN_CF + main_cf.replace(str(authority), _AUTHORITY))
        host.write("/etc/postfix/master.cf", MASTER_CF + services)
        if product == "postfix":
            host.output("/usr/lib/postfix/configure-instance.sh -")
        host.start_postfix()
        host.until_answers(25)
        return host

    def _again(self, host: Host, command: str) -> None:
        """A flush: every deferred message is tried, and what comes of it is delivered."""
        before = {queue_id: _attempts(host, queue_id) for queue_id in _deferred(host)}
        host.output(command)
        until(
            lambda: (
                _is_quiet(host)
                and all(_attempts(host, queue_id) > count for queue_id, count in before.items())
            ),
            what=lambda: (
                f"{command}: "
                + ", ".join(
                    queue_id for queue_id, count in before.items() if _attempts(host, queue_id) <= count
                )
            ),
            seconds=3 * PATIENCE,
        )
        until_whole(host)


def _submit(client: SmtpClient, scenario: Scenario) -> str:
    return client.submit(
        sender=scenario.sender,
        recipients=recipients(scenario),
        message=content(Submission(scenario=scenario, number=0, at=0.0)),
        parameters=scenario.parameters,
    )


def _log(host: Host) -> str:
    return host.log()


def _attempts(host: Host, queue_id: str) -> int:
    """And what ends it without one."""
    return len(re.findall(rf"{queue_id}: (?:to=.*status=|removed)", _log(host)))


def _deferred(host: Host) -> list[str]:
    return [path.name for path in host.file("/var/spool/postfix/deferred").rglob("*") if path.is_file()]


def _is_quiet(host: Host) -> bool:
    spool = host.file("/var/spool/postfix")
    return not any(
        path.is_file() for queue in ("incoming", "active", "maildrop") for path in (spool / queue).rglob("*")
    )


# -- what is compared ------------------------------------------------------------------------------------


def _played(host: Host, internet: Internet, scenario: Scenario, queue_id: str) -> Played:
    own = re.compile(rf"(?<![\w.-])(?:(?:mx\d|mail|www|gone)\.)?{re.escape(scenario.domain)}\b")
    lines = [
        line
        for line in _log(host).split("\n")
        if re.search(r" postfix/(?:\w+/)?(?:smtp|lmtp|bounce|error|qmgr)\[", line)
        and (f"{queue_id}: " in line or (own.search(line) and not re.search(r"\]: [0-9A-F]{6,}: ", line)))
        and not re.search(r": (?:from=.*queue active|removed)", line)
    ]
    found = []
    for user in ("alice", "postmaster"):
        for path in sorted(host.file(f"/home/{user}/Maildir/new").glob("*")):
            text = path.read_text(errors="surrogateescape")
            if own.search(text):
                found.append(f"To {user}:\n{normal_notice(text)}")
    wire = [
        "\n".join(line for conversation in mail_host.conversations for line in conversation)
        + "".join(
            f"\n{normal_notice(received.content.decode('utf-8', 'replace'))}"
            for received in mail_host.received
        )
        for mail_host in internet.hosts(scenario.name)
        if mail_host is not None
    ]
    if sum("status=deferred" in line for line in lines) < 2 * len(scenario.expected):
        # Whether it was late already the only time that it was deferred is a matter of speed.
        lines = [line for line in lines if "delay notification" not in line]
        found = [text for text in found if "Action: delayed" not in text]
    return Played(
        log="\n".join(sorted(map(_normal_line, lines))),
        wire=re.sub(r"SIZE=\d+", "SIZE=N", "\n----\n".join(wire)),
        notices="\n====\n".join(sorted(found)),
    )


def _normal_line(line: str) -> str:
    # who was faster
    return re.sub(r"(SSL_connect error to \S+): (?:-1|lost connection)", r"\1: ERROR", normal_line(line))


def _ip(arguments: str) -> None:
    subprocess.run(["/usr/bin/env", "ip", *arguments.split()], check=True, capture_output=True)
