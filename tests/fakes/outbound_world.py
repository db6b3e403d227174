"""Two hosts, Debian's Postfix on one and ours on the other, and scripted servers for the domains that both write to.

Both are given the same message; `World.play()` gives what each has logged, said to the servers and returned to the
sender, with queue ids, times, process ids and delays taken out.
"""

import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from fakes.host import PACKAGED, Host
from fakes.logs import until_logged
from fakes.mail_system import until
from fakes.network import Network, _ip, address
from fakes.pillarbox_host import INSTALLED, install
from fakes.postfix_services import MASTER_CF, merged
from fakes.postfix_texts import normal_line, normal_notice, normal_text
from fakes.scripted_server import Replies, ScriptedServer

SENDER: Final = "alice@sender.test"
_USUAL: Final = """\
compatibility_level = 3.6
myhostname = mail.sender.test
mydomain = sender.test
myorigin = $mydomain
mydestination = $myhostname, $mydomain
inet_protocols = ipv4
home_mailbox = Maildir/
alias_maps =
alias_database =
mailbox_command =
biff = no
maillog_file = /var/log/mail.log
minimal_backoff_time = 3600s
maximal_backoff_time = 3600s
"""
"""What stands in main.cf of both hosts in any case."""
MESSAGE: Final = b"Subject: hello\r\nMessage-Id: <1@sender.test>\r\nDate: Tue, 1 Dec 2026 00:00:00 +0000\r\nFrom: alice@sender.test\r\n\r\nHello.\r\n.\r\n..two dots\r\n"
_LAST: Final = "Return-Path: <last@sender.test>"


class Server(msgspec.Struct, frozen=True):
    """A mail exchanger; without replies nobody listens there."""

    replies: Replies | None = {}
    preference: int = 10
    tls: ssl.SSLContext | None = None
    lmtp: bool = False
    port: int = 25
    wrapped: bool = False
    notes_tls: bool = False
    notes_client: bool = False
    at: str = ""  # an address of its own, for which there are no records


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A domain and what happens to mail for it."""

    name: str
    servers: tuple[Server, ...] = (Server(),)
    records: str = ""  # instead of MX records for the servers
    recipients: tuple[str, ...] = ("bob",)
    message: bytes = MESSAGE
    parameters: tuple[str, str] = ("", "")  # of MAIL and RCPT
    at: str = ""  # the scenario whose domain it is
    sender: str = ""  # instead of SENDER

    @property
    def domain(self) -> str:
        """Where the mail goes."""
        return f"{self.at or self.name}.test"


class World:
    """Both hosts, all domains and servers."""

    def __init__(
        self,
        directory: Path,
        scenarios: Sequence[Scenario],
        main_cf: str,
        *,
        files: Mapping[str, str] | None = None,
        services: str = "",
        prepare: Callable[[Host, int], None] = lambda _host, _number: None,
    ) -> None:
        """`main_cf` and `services` are lines besides the usual ones; `files` by their paths on both hosts.

        `prepare` does what else has to be done on a host, whose number it is told, before its Postfix is started.
        """
        self._prepare = prepare
        self._main_cf, self._files, self._master_cf = main_cf, files or {}, MASTER_CF + services
        self._places: set[str] = set()
        zones: dict[str, str] = {"sender.test": f"@ IN MX 10 mail\nmail IN A {address(2)}\n"}
        self.servers: dict[str, list[ScriptedServer]] = {}
        addresses = iter(range(20, 250))
        listening: list[tuple[str, str, Server]] = []
        for scenario in scenarios:
            if scenario.at:
                continue
            records = scenario.records
            for at, server in enumerate(scenario.servers):
                if server.at:
                    listening.append((scenario.name, server.at, server))
                    continue
                place = address(next(addresses))
                records += f"@ IN MX {server.preference} mx{at}\nmx{at} IN A {place}\n"
                if server.replies is not None:
                    listening.append((scenario.name, place, server))
            zones[scenario.domain] = records
        self.network = Network(directory, zones)
        for name, place, one in listening:
            self.add(place)
            served = ScriptedServer(
                place,
                one.port,
                one.replies,
                tls=one.tls,
                wrapped=one.wrapped,
                lmtp=one.lmtp,
                notes_tls=one.notes_tls,
                notes_client=one.notes_client,
            )
            self.servers.setdefault(name, []).append(served)
        _ip(f"address add {address(19)}/32 dev internet")
        self.theirs = self._host(2, PACKAGED)
        self.ours = self._host(3, INSTALLED)

    def add(self, place: str) -> None:
        """An address of the internet; a case may have servers on several ports of it."""
        if place not in self._places:
            self._places.add(place)
            _ip(f"address add {place}/{'128 nodad' if ':' in place else '32'} dev internet")

    def _host(self, number: int, path: str) -> Host:
        host = self.network.host("mail.sender.test", number, path=path)
        host.output("useradd --create-home alice")
        if path == PACKAGED:
            host.output("cp /usr/share/postfix/main.cf.dist /etc/postfix/main.cf; touch /etc/postfix/main.cf")
        else:
            install(host)
        host.write("/etc/postfix/main.cf", merged(_USUAL, self._main_cf))
        host.write("/etc/postfix/master.cf", self._master_cf)
        for path_there, content in self._files.items():
            host.write(path_there, content)
        if path == PACKAGED:
            host.output("/usr/lib/postfix/configure-instance.sh -")
        self._prepare(host, number)
        host.start_postfix()
        host.until_answers(25)
        return host

    def end(self) -> None:
        """Everything goes."""
        for servers in self.servers.values():
            for server in servers:
                server.close()
        self.network.end()

    def play(
        self, scenario: Scenario, *, settle: bool = False
    ) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
        """Log lines, words on the wire, and what came back: of Postfix, and of us.

        `settle`: also what comes of other messages; all that were queued have been dealt with then.
        """
        return self._play(scenario, self.theirs, settle), self._play(scenario, self.ours, settle)

    def _play(self, scenario: Scenario, host: Host, settled: bool) -> tuple[str, str, str]:
        servers = self.servers.get(scenario.name, [])
        for server in servers:
            server.forget()
        maildir = host.file("/home/alice/Maildir")
        old = set(maildir.glob("new/*"))
        logged = len(host.log())
        queue_id = submit(host, scenario)
        until_over(host, queue_id, recipients=len(scenario.recipients), since=logged)
        until(lambda: not any(server.open for server in servers), what="servers are left")
        if settled:
            settle(host, since=logged)
        lines = host.log()[logged:].split("\n")
        returned = [
            path.read_text(errors="surrogateescape") for path in sorted(set(maildir.glob("new/*")) - old)
        ]
        host.output("postsuper -d ALL deferred 2>/dev/null; true")
        return (
            "\n".join(normal_line(line) for line in lines if _counts(line)),
            "\n".join(conversation(server) for server in servers),
            "\n".join(
                sorted(normal_notice(text) for text in returned if not text.startswith(_LAST))
                if settled
                else map(normal_notice, returned)
            ),
        )


def submit(host: Host, scenario: Scenario) -> str:
    """Give a message to the host by SMTP; its queue id."""
    stuffed = scenario.message.replace(b"\r\n.", b"\r\n..")
    with host.connect(25) as sock, sock.makefile("rb") as file:
        commands = [
            b"EHLO client.test\r\n",
            f"MAIL FROM:<{scenario.sender or SENDER}>{scenario.parameters[0]}\r\n".encode(),
            *(
                f"RCPT TO:<{name if '@' in name else f'{name}@{scenario.domain}'}>{scenario.parameters[1]}\r\n".encode()
                for name in scenario.recipients
            ),
            b"DATA\r\n",
            stuffed + b".\r\n",
        ]
        reply = b""
        for command in [b"", *commands]:
            sock.sendall(command)
            while (reply := file.readline())[3:4] == b"-":
                pass
            assert reply[:1] in b"23", (command, reply)
        sock.sendall(b"QUIT\r\n")
    return reply.split()[-1].decode()


def until_over(host: Host, queue_id: str, *, recipients: int, since: int) -> None:
    """Wait until a message has been tried for each recipient, and what comes of that is delivered."""
    until(
        lambda: is_over(host.log()[since:], queue_id, recipients),
        what=lambda: f"{queue_id} is delivered or not: {host.log()[since:]}",
    )


def is_over(log: str, queue_id: str, recipients: int) -> bool:
    attempts = len(re.findall(rf"{queue_id}: to=.*status=", log))
    if attempts < recipients:
        return False
    notices = re.findall(rf"{queue_id}: sender (?:non-delivery|delivery status) notification: (\w+)", log)
    if not all(f"{notice}: removed" in log for notice in notices):
        return False
    if f"{queue_id}: removed" in log:
        return True
    bounced = re.search(rf"{queue_id}: .*status=bounced", log) is not None
    waits = "status=deferred" in log or "status=SOFTBOUNCE" in log
    return waits and (not bounced or bool(notices))


def settle(host: Host, *, since: int) -> None:
    """A last message to alice, of last@sender.test; when it is delivered, all that was queued has been dealt with."""
    host.output("sendmail -f last@sender.test alice </dev/null")
    until_logged(host, "from=<last@sender.test>, size=", since=since)
    until(
        lambda: _is_settled(host, since),
        what=lambda: f"all is delivered or deferred: {host.log()[since:]}",
    )


def _is_settled(host: Host, since: int) -> bool:
    """Whether each message is gone, deferred, was refused when all of it had been read, or given up by who wrote it."""
    log = host.log()
    queued = set(re.findall(r"/cleanup\[\d+\]: (\w+): message-id", log[since:]))
    ended = r"removed|to=.*status=(?:deferred|SOFTBOUNCE)|(?:milter-)?reject: |discard: "
    waiting = {queue_id for queue_id in queued if not re.search(f": {queue_id}: (?:{ended})", log[since:])}
    there = [host.listing(f"/var/spool/postfix/{queue}") for queue in ("incoming", "active")]
    return not there[1] and waiting.isdisjoint(there[0]) and (not waiting or host.log() == log)


def _counts(line: str) -> bool:
    """Lines of the way out; what the SMTP server says is compared elsewhere."""
    return bool(re.search(r"postfix/(?:smtp|bounce|error|lmtp|discard)\[", line))


def conversation(server: ScriptedServer, *, in_order: bool = True) -> str:
    """What a server was told; not `in_order`: by clients that came when they liked."""
    talks = ["\n".join(line.decode("utf-8", "replace") for line in talk) for talk in server.conversations]
    messages = [message.decode("utf-8", "replace") for message in server.messages]
    said = "\n".join(talks if in_order else sorted(talks))
    content = "\n".join(messages if in_order else sorted(messages, key=normal_text))
    said = re.sub(r" PORT=\d+", " PORT=N", re.sub(r" IDENT=\w+", " IDENT=ID", said))
    return re.sub(r"SIZE=\d+", "SIZE=N", said) + "\n" + normal_text(content)


def read_differences(path: Path) -> Mapping[str, str]:
    """scenario:part → reason."""
    text = path.read_text()
    rows = [line.split("\t") for line in text.split("\n") if line and not line.startswith("#")]
    return {f"{row[0]}:{row[1]}": row[3] for row in rows}
