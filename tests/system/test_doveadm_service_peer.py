"""The doveadm service beside Dovecot's: the same protocol and API, and each product's doveadm and dsync with both."""

import http.client
import json
import re
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import Final

import pytest

from fakes.certificates import issue
from fakes.dovecot_pair import Server
from fakes.mail_system import PATIENCE, PATIENT_WITH_GUESSERS, until
from pillarbox.tools import doveadm
from pillarbox.wire import doveadm_protocol
from pillarbox.wire.doveadm_protocol import FrameReader

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS: Final = f"""\
protocols = imap lmtp
mail_location = maildir:~/Maildir
mail_attribute_dict = file:%h/dovecot-attributes
mail_plugins = $mail_plugins quota
plugin {{
  quota = maildir:User quota
  quota_rule = *:storage=1M
}}
passdb {{
  driver = passwd-file
  args = {{base}}/users
}}
userdb {{
  driver = passwd-file
  args = {{base}}/users
}}
service auth {{
  unix_listener auth-userdb {{
    mode = 0666
  }}
}}
service imap-login {{
  inet_listener imaps {{
    port = 0
  }}
}}
service doveadm {{
  unix_listener doveadm-server {{
    mode = 0600
  }}
  inet_listener {{
    port = LINES
  }}
  inet_listener http {{
    port = HTTP
  }}
  inet_listener secure {{
    port = SECURE
    ssl = yes
  }}
}}
ssl = yes
ssl_cert = <{{base}}/mail.pem
ssl_key = <{{base}}/mail.pem
ssl_client_ca_file = {{base}}/mail.pem
doveadm_password = hush
doveadm_api_key = key
namespace inbox {{
  inbox = yes
  separator = /
}}
{PATIENT_WITH_GUESSERS}"""
USERS: Final = """\
me:{PLAIN}secret:65534:65534::{base}/home/me::
you:{PLAIN}geheim:65534:65534::{base}/home/you::userdb_quota_rule=*:storage=5M
"""
MESSAGES: Final = (b"Subject: one\n\n..dot\n", b"Subject: two\n\na\tb\n")
VERSION: Final = b"VERSION\tdoveadm-server\t1\t2\n"
LOGIN: Final = doveadm_protocol.login_line("doveadm", "hush")


class Service:
    """A product's server, and where its doveadm service listens."""

    def __init__(self, server: Server) -> None:
        self.server = server
        with ExitStack() as stack:
            sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
            self.lines, self.http, self.secure = (one.getsockname()[1] for one in sockets)
        text = server.configuration.read_text()
        static = text.index("passdb {"), text.index("service imap-login {")
        text = (text[: static[0]] + text[static[1] :]).replace("ssl = no\n", "", 1)
        for name, port in (("LINES", self.lines), ("HTTP", self.http), ("SECURE", self.secure)):
            text = text.replace(name, str(port))
        server.configuration.write_text(text)
        (server.base / "users").write_text(USERS.replace("{base}", str(server.base)))
        issue(server.base, "mail", names=["localhost"])

    def say(self, *lines: bytes) -> list[str]:
        """What is answered to each line; the last answer ends with the connection."""
        with socket.create_connection(("127.0.0.1", self.lines), PATIENCE) as client:
            return [_shown(client, line) for line in lines]

    def ask(
        self, method: str, path: str, body: str | None = None, **fields: str
    ) -> tuple[int, list[str], str]:
        """Status, header fields and content of an answer by HTTP."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=PATIENCE)
        connection.request(method, path, body, {name.capitalize(): value for name, value in fields.items()})
        answer = connection.getresponse()
        content = answer.read().decode()
        names = [
            f"{name}: {value}"
            for name, value in answer.getheaders()
            if name not in ("Date", "Content-Length")
        ]
        assert int(answer.getheader("Content-Length", "-1")) == len(content.encode())
        return answer.status, names, content

    def command(self, request: object) -> str:
        """The result of one command by HTTP."""
        status, _, content = self.ask(
            "POST", "/doveadm/v1", json.dumps([[*_parts(request), "tag"]]), authorization="X-Dovecot-API a2V5"
        )
        assert status == 200
        return re.sub(r"\b\d{10}\b|[0-9a-f]{32}", "X", content.replace(str(self.server.base), "BASE"))


def _parts(request: object) -> list[object]:
    assert isinstance(request, tuple)
    return list(request)


def _shown(client: socket.socket, line: bytes) -> str:
    """An answer with its frames taken apart."""
    client.sendall(line)
    frames = FrameReader()
    said, logged = b"", ""
    is_framed = not line.startswith((b"VERSION", b"PLAIN"))
    while not _is_complete(said, is_framed=is_framed):
        octets = client.recv(65536)
        if not octets:
            said += b"(closed)"
            break
        if not is_framed:
            said += octets
            continue
        for channel, part in frames.feed(octets):
            if channel == doveadm_protocol.LOG:
                logged += _comparable(": ".join(doveadm_protocol.read_log_line(part)))
            else:
                said += part
    return f"{logged}{said!r}"


def _is_complete(said: bytes, *, is_framed: bool) -> bool:
    if is_framed:
        return re.search(rb"\n[+-][A-Z0-9]*\n\Z", said) is not None
    return re.search(rb"(?:\A|\n)[+-]\n\Z", said) is not None


def _comparable(text: str) -> str:
    """Without session, and where the client is, which Dovecot says of some faults only."""
    text = re.sub(r"doveadm\((?:127\.0\.0\.1,)?([^)]*)\)(?:<[^>]*>)*", r"doveadm(\1)", text)
    return re.sub(r"doveadm\(\d+\)", "doveadm(127.0.0.1)", text)


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Service, Service]]:
    """(ours, theirs), with the same users and messages."""
    with ExitStack() as stack:
        services = []
        for name, program, command in (
            (
                "ours",
                [sys.executable, "-m", "pillarbox.tools.dovecot"],
                [sys.executable, "-m", "pillarbox.tools.doveadm"],
            ),
            ("theirs", ["/usr/sbin/dovecot"], ["/usr/bin/doveadm"]),
        ):
            server = Server(program, command, SETTINGS, "", name=name)
            stack.callback(server.end)
            services.append(Service(server))
            server.start()
            for message in MESSAGES:
                services[-1].say(VERSION, LOGIN, b"\tme\tsave\n" + message + b"\n.\n")
        yield services[0], services[1]


CONVERSATIONS: Final[Sequence[Sequence[bytes]]] = (
    (VERSION, LOGIN, b"\tme\tmailbox list\n", b"\tme\tmailbox\tlist\n", b"D\tme\tmailbox list\t-u\tme\n"),
    (b"VERSION\tdoveadm-server\t1\t1\n", LOGIN, b"\tme\tmailbox status\t-A\t--\tmessages vsize\tINBOX\n"),
    (VERSION, LOGIN, b"\tme\tfetch\tuid flags hdr body\tall\n", b"\tme\tsearch\tmailbox\tNope\tall\n"),
    (
        VERSION,
        LOGIN,
        b"\tnobody\tmailbox list\n",
        b"\tme\tmailbox delete\tNope\n",
        b"\tme\tmailbox create\tINBOX\n",
    ),
    (VERSION, LOGIN, b"\t\tfrob\n", b"\t\tpw\t-l\n", b"\tme\tmailbox\n", b"\tme\tmailbox list\n"),
    (VERSION, LOGIN, b"\t\twho\n"),
    (VERSION, LOGIN, b"\t\tuser\t*\n", b"\t\tuser\tyou\n", b"\t\tuser\tnobody\n"),
    (VERSION, LOGIN, b"\tme\tsave\t-m\tNope\nSubject: x\r\n\r\n..\r\n.\r\n", b"\tme\tmailbox list\n"),
    (VERSION, LOGIN, b"\tnobody\tdsync-server\t-unobody\n"),
    (VERSION, LOGIN, b"frob\n"),
    (VERSION, LOGIN, b"\tme\n"),
    (VERSION, doveadm_protocol.login_line("doveadm", "wrong")),
    (VERSION, doveadm_protocol.login_line("me", "hush")),
    (VERSION, b"PLAIN\tAAAA\n"),
    (b"VERSION\tdoveadm-server\t2\t2\n",),
    (b"VERSION\tfrob\t1\t2\n",),
)


def test_the_protocol(pair: tuple[Service, Service]) -> None:
    """Versions, passwords, commands, what goes wrong."""
    ours, theirs = pair
    for lines in CONVERSATIONS:
        said = [one.replace(str(ours.server.base), "BASE") for one in ours.say(*lines)]
        assert said == [one.replace(str(theirs.server.base), "BASE") for one in theirs.say(*lines)], lines
    for one in pair:
        until(partial(_has_refused, one, 7), what=f"{one.server.name} has logged all")
    assert _refused(ours) == [
        re.sub(r"(non-PLAIN authentication).*", r"\1", line) for line in _refused(theirs)
    ]


def _has_refused(service: Service, count: int) -> bool:
    return len(_refused(service)) == count


def _refused(service: Service) -> list[str]:
    """What its log says of clients."""
    lines = service.server.log().splitlines()
    return [line.partition("Error: ")[2] for line in lines if "doveadm client" in line]


BASIC: Final = "Basic ZG92ZWFkbTpodXNo"
REQUESTS: Final = (
    ("GET", "/", None, ""),
    ("GET", "/frob", None, ""),
    ("GET", "/doveadm/v1", None, ""),
    ("GET", "/doveadm/v1", None, "Basic ZG92ZWFkbTp4"),
    ("GET", "/doveadm/v1", None, "X-Dovecot-API eA=="),
    ("GET", "/doveadm/v1", None, "Frob x"),
    ("PUT", "/doveadm/v1", "", BASIC),
    ("POST", "/doveadm/v1", "[]", BASIC),
    ("POST", "/doveadm/v1", "{}", BASIC),
    ("POST", "/doveadm/v1", '[["who"]]', BASIC),
    ("POST", "/doveadm/v1", '[["who",{}]]', BASIC),
)
RESULTS: Final[Sequence[tuple[str, dict[str, object]]]] = (
    ("user", {"userMask": ["me"]}),
    ("user", {"userMask": "*"}),
    ("user", {"userMask": ["you"], "field": "home"}),
    ("user", {"userMask": ["nobody"]}),
    ("who", {}),
    ("kick", {"mask": ["nobody"]}),
    ("kick", {}),
    ("penalty", {}),
    ("authCacheFlush", {"user": ["me"]}),
    ("proxyList", {}),
    ("statsDump", {}),
    ("mailboxList", {"user": "me"}),
    ("mailboxList", {"user": "nobody"}),
    ("mailboxList", {"allUsers": True}),
    ("mailboxList", {"frob": "me"}),
    ("mailboxStatus", {"user": "me", "field": ["messages", "vsize"], "mailboxMask": ["INBOX"]}),
    ("mailboxStatus", {"user": "me", "field": "messages uidnext", "mailboxMask": "INBOX"}),
    ("mailboxPath", {"user": "me", "mailbox": ["INBOX"]}),
    ("mailboxMutf7", {"name": ["INBOX"]}),
    ("fetch", {"user": "me", "field": ["uid", "hdr", "flags"], "query": ["all"]}),
    ("search", {"user": "me", "query": ["mailbox", "Nope", "all"]}),
    ("search", {"user": "me", "query": ["mailbox", "INBOX", "all"]}),
    ("flagsAdd", {"user": "me", "flag": ["\\Seen", "$A"], "query": ["uid", "1"]}),
    ("fetch", {"user": "me", "field": ["uid", "flags"], "query": ["uid", "1"]}),
    ("mailboxCreate", {"user": "me", "mailbox": ["Apart"], "subscriptions": True}),
    ("mailboxCreate", {"user": "me", "mailbox": ["Apart"]}),
    ("save", {"user": "me", "mailbox": "Apart", "file": "Subject: by the API\n\nbody\n"}),
    ("fetch", {"user": "me", "field": "hdr.subject", "query": ["mailbox", "Apart"]}),
    ("expunge", {"user": "me", "query": ["mailbox", "Apart", "all"]}),
    ("mailboxMetadataGet", {"user": "me", "mailbox": "INBOX", "key": "/private/comment"}),
    ("mailboxRename", {"user": "me", "mailbox": "Apart", "newName": "Aside"}),
    ("mailboxDelete", {"user": "me", "mailbox": ["Aside"]}),
    ("quotaGet", {"user": "you"}),
    ("quotaRecalc", {"user": "me"}),
    ("forceResync", {"user": "me", "mailboxMask": "INBOX"}),
    ("dictGet", {"dictUri": "file:/nowhere"}),
    ("frob", {}),
)


def test_the_api(pair: tuple[Service, Service]) -> None:
    """Who may ask, what requests are wrong, and results of commands."""
    ours, theirs = pair
    for method, path, body, authorization in REQUESTS:
        said = [
            one.ask(method, path, body, **({"authorization": authorization} if authorization else {}))
            for one in pair
        ]
        assert said[0] == said[1], (method, path, body, authorization)
    for request in RESULTS:
        assert ours.command(request) == theirs.command(request), request
    described, known = (
        {
            command["command"]: {parameter["name"] for parameter in command["parameters"]}
            for command in json.loads(one.ask("GET", "/doveadm/v1", authorization=BASIC)[2])
        }
        for one in pair
    )
    assert {name: more for name, names in described.items() if (more := names - known.get(name, names))} == {}
    told = [
        re.findall(r'(?m)doveadm(: 127.0.0.1 - - "[A-Z]+ \S+ HTTP/1.1" 40\d \d+ "http:)', one.server.log())
        for one in pair
    ]
    assert told[0] == told[1]


def test_sessions(pair: tuple[Service, Service], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Who is there, with the names of columns that JSON has, and that he has to go."""
    said = []
    for one in pair:
        talk = one.server.imap("me")
        listed = [one.command(("who", values)) for values in ({}, {"separateConnections": True})]
        listed.append(_done(one, capfdbinary, "-f", "json", "who", "m*", "127.0.0.0/8")[1])
        listed.append(one.command(("kick", {"mask": ["me"]})))
        said.append([re.sub(r"(?<=[\"(])\d{2,}(?=[\")])", "PID", text) for text in listed])
        with suppress(OSError):
            talk.close()
    assert said[0] == said[1]


CLIENT_COMMANDS: Final = (
    "mailbox list -u me",
    "mailbox list -u nobody",
    "mailbox status -A messages INBOX",
    "-f json mailbox status -u me messages *",
    "-f tab fetch -u me uid\x20hdr all",
    "search -u me mailbox Nope all",
    "quota get -u you",
    "mailbox create -u me INBOX",
    "save -u me -m Nope BASE/message",
    "save -u you BASE/message",
    "-f json fetch -u you text all",
    "expunge -u you mailbox INBOX all",
)


def _done(client: Service, capture: pytest.CaptureFixture[bytes], *words: str) -> tuple[int, str, str]:
    """A command of a product: exit status, standard output and error; ours runs here, which is faster."""
    if client.server.name == "theirs":
        done = client.server.doveadm(*words)
        return done.returncode, done.stdout, done.stderr
    capture.readouterr()
    status = doveadm.main(["-c", str(client.server.configuration), *words])
    output, errors = (octets.decode() for octets in capture.readouterr())
    return status, output, errors


def test_doveadm_has_it_done(
    pair: tuple[Service, Service], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """-S of both products with both services says what Dovecot's says to its own."""
    for one in pair:
        (one.server.base / "message").write_bytes(b"Subject: saved\n\n.dot\n..\nend")
    for line in CLIENT_COMMANDS:
        said = []
        for client in pair:
            for service in pair:
                words = [word.replace("BASE", str(client.server.base)) for word in line.split(" ")]
                at = 2 if words[0] == "-f" else 0
                at += 2 if words[at] in ("mailbox", "quota") else 1
                where = f"127.0.0.1:{service.lines}"
                status, output, errors = _done(client, capfdbinary, *words[:at], "-S", where, *words[at:])
                said.append((status, output, _comparable(errors.replace(where, "SERVICE"))))
        assert said == said[-1:] * 4, line


def test_where_there_is_none(
    pair: tuple[Service, Service], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A port, a socket and a password that are none."""
    theirs = pair[1]
    for options, where in (
        ((), "127.0.0.1:1"),
        ((), "/nowhere"),
        (("-o", "doveadm_password="), f"127.0.0.1:{theirs.lines}"),
    ):
        words = (*options, "mailbox", "list", "-S", where, "-u", "me")
        said = [_done(one, capfdbinary, *words) for one in pair]
        assert said[0] == said[1] == (75, "", said[0][2])


def test_dsync_with_it(pair: tuple[Service, Service], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Each product brings mail here from the other's service, in the clear and by TLS, ours from ours, too."""
    ours, theirs = pair
    for client, service in ((ours, theirs), (theirs, ours), (ours, ours)):
        for kind, host in (("tcp", f"127.0.0.1:{service.lines}"), ("tcps", f"localhost:{service.secure}")):
            place = client.server.base / "home" / f"{kind}-{service.server.name}"
            options = (
                "-o",
                f"mail_location=maildir:{place}",
                "-o",
                f"ssl_client_ca_file={service.server.base}/mail.pem",
            )
            words = (*options, "backup", "-R", "-u", "me", f"{kind}:{host}")
            assert _done(client, capfdbinary, *words) == (0, "", ""), (
                client.server.name,
                service.server.name,
                kind,
            )
            assert len(list(place.glob("cur/*")) + list(place.glob("new/*"))) == 2
    for client, service in ((ours, theirs), (theirs, ours)):
        location = f"mail_location=maildir:{client.server.base}/home/two-way"
        _done(client, capfdbinary, "-o", location, "mailbox", "create", "-u", "me", "Box")
        there = ("-o", location, "sync", "-u", "me", f"tcp:127.0.0.1:{service.lines}")
        ends = [
            _done(client, capfdbinary, *there) for _ in range(2)
        ]  # the first may say that it wants another
        assert ends[1] == (0, "", "")
        assert "Box" in service.command(("mailboxList", {"user": "me"}))


def test_dsync_refuses(pair: tuple[Service, Service], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """A certificate that nobody vouches for, and a user that is not there."""
    ours, theirs = pair
    words = ("-o", "ssl_client_ca_file=", "backup", "-u", "me", f"tcps:localhost:{theirs.secure}")
    status, output, errors = _done(ours, capfdbinary, *words)
    assert (status, output) == (75, "")
    assert "Received invalid SSL certificate: self-signed certificate" in errors
    with (ours.server.base / "users").open("a") as users:
        users.write(f"more:{{PLAIN}}x:65534:65534::{ours.server.base}/home/more::\n")
    expected = (67, "", "doveadm(more): Fatal: Unknown user in remote\n")
    assert _done(ours, capfdbinary, "backup", "-u", "more", f"tcp:127.0.0.1:{theirs.lines}") == expected


def test_what_may_be_done(pair: tuple[Service, Service]) -> None:
    """doveadm_allowed_commands; and a reload changes what counts."""
    for one in pair:
        with one.server.configuration.open("a") as configuration:
            configuration.write("doveadm_allowed_commands = mailbox status,reload\n")
        assert one.server.doveadm("reload").returncode == 0
    ours, theirs = pair
    expected = '[["error",{"type":"unAuthorized", "exitCode":0},"tag"]]'
    for one in pair:
        until_refused(one, expected)
    lines = (VERSION, LOGIN, b"\tme\tmailbox status\tmessages\tINBOX\n", b"\tme\tmailbox list\n")
    assert ours.say(*lines) == theirs.say(*lines)


def until_refused(service: Service, expected: str) -> None:
    """Dovecot's service counts by the new configuration a moment after its reload."""
    until(
        lambda: service.command(("mailboxList", {"user": "me"})) == expected,
        what="the new configuration counts",
    )


def test_silent_clients_keep_nobody_out(pair: tuple[Service, Service]) -> None:
    """One that says nothing, and one that ends in the middle of a request."""
    ours, _ = pair
    with (
        socket.create_connection(("127.0.0.1", ours.lines)),
        socket.create_connection(("127.0.0.1", ours.http)) as web,
    ):
        web.sendall(
            b"POST /doveadm/v1 HTTP/1.1\r\nAuthorization: X-Dovecot-API a2V5\r\nContent-Length: 10\r\n\r\n["
        )
        assert ours.command(
            ("mailboxStatus", {"user": "me", "field": "messages", "mailboxMask": "INBOX"})
        ).startswith('[["doveadmResponse"')
