"""The same addresses through Debian's Postfix and through us: envelopes and headers that come out equal.

Both hosts send everything to one server, which notes what it is told.  Each configuration is loaded once; the
messages of its rows are sent through both, and what the server heard is compared: MAIL and RCPT with their
parameters, headers (unfolded), and what the log says of recipients.
"""

import difflib
import re
import shlex
import smtplib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.host import Host
from fakes.logs import until_logged
from fakes.mail_system import until
from fakes.postfix_texts import normal_line, normal_text
from fakes.rewriting_world import RewritingWorld
from fakes.scripted_server import ScriptedServer
from system.rewriting_cases import CONFIGURATIONS, REPORTED, REPORTING, Failing, Row

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

_MAIN_CF: Final = """\
compatibility_level = 3.6
myhostname = mail.here.test
mydomain = here.test
myorigin = here.test
mydestination = mail.here.test, here.test
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
biff = no
maillog_file = /var/log/mail.log
notify_classes =
relayhost = [10.53.0.20]
local_transport = smtp:[10.53.0.20]
virtual_transport = smtp:[10.53.0.20]
smtp_tls_security_level =
smtp_connection_cache_on_demand = no
smtpd_peername_lookup = no
recipient_delimiter = +
virtual_alias_domains = alias.test
virtual_mailbox_domains = box.test
virtual_mailbox_maps = static:x
virtual_mailbox_base = /home
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
"""


class World(RewritingWorld):
    """Where the rows are played."""

    def play(self, host: Host, rows: Sequence[Row]) -> dict[str, str]:
        """What becomes of the messages, by the rows' names."""
        servers = self.servers(host)
        for server in servers:
            server.conversations.clear()
            server.messages.clear()
        before = len(host.log())

        def log() -> str:
            return host.log()[before:]

        replies = {row.name: self._submit(host, row) for row in rows}
        accepted = [row.name for row in rows if replies[row.name].startswith("250")]
        until(
            lambda: (
                len(set(re.findall(r"qmgr\[\d+\]: (\w+): removed", log())) & set(_ids(rows, log()).values()))
                >= len(accepted)
            ),
            what=log,
        )
        until(
            lambda: (
                set(re.findall(r"notification: (\w+)", log()))
                <= set(re.findall(r"qmgr\[\d+\]: (\w+): removed", log()))
            ),
            what=log,
        )
        until(lambda: not any(server.open for server in servers), what="the servers are left")
        text, ids = self.of_theirs(log()), _ids(rows, log())
        return {
            row.name: self._result(servers, replies[row.name], row.name, ids[row.name], text) for row in rows
        }

    def _result(self, servers: list[ScriptedServer], reply: str, name: str, queue_id: str, log: str) -> str:
        lines = [line for line in log.split("\n") if f" {queue_id}: " in line and _counts(line)]
        conversations = [said for server in servers for said in server.conversations]
        said = next((said for said in conversations if _is_of(name, said)), [])
        envelope = [
            re.sub(r" SIZE=\d+| ENVID=\w+", "", line.decode())
            for line in said
            if line[:5] in (b"MAIL ", b"RCPT ")
        ]
        headers = [
            _headers(message)
            for server in servers
            for message in server.messages
            if b"\nX-Row: %s\r" % name.encode() in message
        ]
        return "\n".join([_text(reply), *sorted(map(_log_line, lines)), *sorted(envelope), *sorted(headers)])

    def _submit(self, host: Host, row: Row) -> str:
        message = f"{row.headers}X-Row: {row.name}\n\nbody\n"
        if row.local:
            before = len(host.log())
            host.output(
                f"/usr/sbin/sendmail -V {row.name} -f '{row.sender}' -- {shlex.join(row.recipients)}",
                content=message,
            )
            until_logged(host, r"pickup\[\d+\]: \w+: uid=", since=before)  # or the next may overtake it
            return "250 sendmail"
        client = smtplib.SMTP(local_hostname="client.test")
        client.sock = host.connect(25)
        client.file = None
        client.getreply()
        client.ehlo()
        client.docmd("MAIL", f"FROM:<{row.sender}> ENVID={row.name}")
        replies = []
        for recipient in row.recipients:
            text, _, parameters = recipient.partition(" NOTIFY")
            parameters = f" NOTIFY{parameters}" if parameters else ""
            replies.append(client.docmd("RCPT", f"TO:<{text}>{parameters}"))
        assert all(code == 250 for code, _ in replies), replies
        code, last = client.docmd("DATA")
        if code == 354:
            client.send(message.replace("\n", "\r\n").encode() + b".\r\n")
            code, last = client.getreply()
        client.docmd("QUIT")
        client.close()
        return f"{code} {last.decode()}"


def _ids(rows: Sequence[Row], log: str) -> dict[str, str]:
    """Queue ids: one comes after the other, by SMTP and from local users."""
    by_smtp = iter(re.findall(r"smtpd\[\d+\]: (\w+): client=", log))
    local = iter(re.findall(r"pickup\[\d+\]: (\w+): uid=", log))
    return {row.name: next(local if row.local else by_smtp, "none yet") for row in rows}


def _is_of(name: str, said: list[bytes]) -> bool:
    return any(re.search(rb" ENVID=%s\b" % name.encode(), line) for line in said)


def _counts(line: str) -> bool:
    return (
        " to=<" in line or "warning" in line or ("from=<" in line and ("qmgr" in line or ": filter:" in line))
    )


def _text(line: str) -> str:
    return re.sub(r"queued as \w+", "queued as ID", line)


def _log_line(line: str) -> str:
    line = re.sub(
        r"warning: (?:fail:broken lookup error for .*|pipemap:.* lookup error for .*)",
        "warning: TABLE",
        line,
    )
    line = normal_line(line).partition(": ")[2]  # who says it does not count
    return re.sub(r"size=\d+", "size=N", line)


def _headers(message: bytes) -> str:
    header = message.decode().partition("\r\n\r\n")[0]
    unfolded = re.sub(r"\r\n[ \t]+", " ", header).split("\r\n")
    normal = []
    for line in unfolded:
        line = re.sub(r"\s*,\s*", ", ", re.sub(r"[ \t]+", " ", line).replace(" (", "("))
        line = re.sub(r"<\d{14}\.\w+@", "<ID@", line)
        line = re.sub(r"\bid \w+", "id ID", line)
        line = re.sub(r'boundary="\w+\.\d*', 'boundary="ID.', line)
        line = re.sub(r"userid \d+", "userid N", line)
        normal.append(re.sub(r"\w{3}, +\d+ \w{3} 20\d\d \d\d:\d\d:\d\d \+0000 ?\(UTC\)", "DATE", line))
    return "\n".join(normal)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The hosts, once for all configurations."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    made = World(directory, _MAIN_CF)
    try:
        yield made
    finally:
        made.end()


def differences() -> dict[str, str]:
    """configuration.row → reason."""
    text = (Path(__file__).parent / "rewriting_differences.txt").read_text()
    rows = [line.split("\t") for line in text.split("\n") if line and not line.startswith("#")]
    return {row[0]: row[2] for row in rows}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_same_addresses_as_from_postfix(world: World, name: str, subtests: pytest.Subtests) -> None:
    """Envelope, headers, log."""
    settings, rows = CONFIGURATIONS[name]
    known = differences()
    world.load(settings)
    with ThreadPoolExecutor(2) as at_once:
        theirs, ours = at_once.map(lambda host: world.play(host, rows), world.hosts)
    for row in rows:
        with subtests.test(row.name):
            expected, found = theirs[row.name], ours[row.name]
            if f"{name}.{row.name}" in known:
                assert expected != found, (
                    f"{name}.{row.name} is on the list of differences, and there is none"
                )
            else:
                assert expected == found, "\n".join(difflib.ndiff(expected.split("\n"), found.split("\n")))


def _report(message: bytes) -> str:
    text = normal_text(message.decode("utf-8", "backslashreplace"))
    text = re.sub(r"(?m)^((?:\tby |\t?id |Received: ).*?)\b[0-9A-F]{6,}\b", r"\1ID", text)
    # The type of the report is that of its second part (RFC 6522 §3), and an address that is not ASCII is utf-8
    # (RFC 6533 §3): Postfix has neither yet.  The longer one has a line of its own.
    text = text.replace("\n\treport-type=global-delivery-status", " report-type=delivery-status")
    text = re.sub(r"Original-Recipient: rfc822;(?=.*[^\x00-\x7f])", "Original-Recipient: utf-8;", text)
    return re.sub(r"\b[0-9A-F]{6,}\.[0-9]+/", "ID.TIME/", text)


def _submit_failing(host: Host, row: Failing) -> str:
    """Its queue id."""
    client = smtplib.SMTP(local_hostname="client.test")
    client.command_encoding = "utf-8"
    client.sock = host.connect(25)
    client.file = None
    client.getreply()
    client.ehlo()
    replies = [client.docmd("MAIL", f"FROM:<{row.sender}> {row.options}".rstrip())]
    for recipient in row.recipients:
        to, _, parameters = recipient.partition(".test ")
        to = f"{to}.test" if parameters else to
        replies.append(client.docmd("RCPT", f"TO:<{to}> {parameters}".rstrip()))
    replies.append(client.docmd("DATA"))
    assert all(code in (250, 354) for code, _ in replies), (row.name, replies)
    client.send(row.message.replace("\n.", "\n..").replace("\n", "\r\n").encode() + b".\r\n")
    code, text = client.getreply()
    assert code == 250
    client.docmd("QUIT")
    client.close()
    return text.decode().split()[-1]


def _fail(world: World, host: Host, row: Failing) -> str:
    """What becomes of a message, and the reports."""
    servers = world.servers(host)
    for server in servers:
        server.messages.clear()
    before = len(host.log())

    def log() -> str:
        return host.log()[before:]

    def ids() -> set[str]:
        return {queue_id, *re.findall(rf"{queue_id}: .*notification: (\w+)", log())}

    queue_id = _submit_failing(host, row)
    removed = r"qmgr\[\d+\]: (\w+): removed"
    until(lambda: queue_id in re.findall(removed, log()), what=log)
    until(lambda: ids() <= set(re.findall(removed, log())), what=log)
    until(lambda: not any(server.open for server in servers), what="the servers are left")
    lines = "\n".join(line for line in log().split("\n") if any(f": {one}: " in line for one in ids()))
    lines = world.of_theirs(lines)
    senders = sorted(re.findall(r"qmgr\[\d+\]: \w+: (from=<.*>), size", lines))
    to = sorted(re.findall(r": (to=<.*?)delay=", lines))
    reports = sorted(world.of_theirs(_report(message)) for server in servers for message in server.messages)
    return "\n".join([*senders, *to, *reports])


def test_the_same_reports_as_from_postfix(world: World, subtests: pytest.Subtests) -> None:
    """What the sender gets of mail that cannot be delivered."""
    world.load(REPORTING)
    known = differences()
    for server in world.all_servers():
        server.replies["EHLO"] = (
            b"250-mx.peer.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8"
        )
    for row in REPORTED:
        with ThreadPoolExecutor(2) as at_once:
            theirs, ours = at_once.map(partial(_fail, world, row=row), world.hosts)
        with subtests.test(row.name):
            if f"reports.{row.name}" in known:
                assert theirs != ours, f"reports.{row.name} does not differ any more"
                continue
            assert theirs == ours, "\n".join(difflib.ndiff(theirs.split("\n"), ours.split("\n")))
