"""The policy service quota-status: the same answers to an MTA as Debian's Dovecot, by a Unix socket and by TCP."""

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from fakes.dovecot_pair import Server
from fakes.mail_system import PATIENCE, until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS = """\
protocols = imap lmtp
mail_location = maildir:~/Maildir
mail_plugins = $mail_plugins quota
plugin {
  quota = maildir:User quota
  quota_rule = *:storage=10k
  quota_grace = 110%%
  quota_max_mail_size = 50k
  MORE
}
passdb {
  driver = passwd-file
  args = {base}/users
}
userdb {
  driver = passwd-file
  args = {base}/users
}
service quota-status {
  executable = quota-status -p postfix
  client_limit = 1
  unix_listener quota-status {
    mode = 0666
  }
  inet_listener {
    port = {pop3}
  }
}
"""
USERS = """\
me@x.test:{PLAIN}x:65534:65534::{base}/home/me::
full@x.test:{PLAIN}x:65534:65534::{base}/home/full::userdb_quota_rule=*:storage=1k
bad@x.test:{PLAIN}x:65534:65534::{base}/home/bad::userdb_quota_rule=frob
"""
TEXTS = {
    "usual answers": "quota_exceeded_message = Full: %u",
    "answers of the admin's": "quota_status_success = DUNNO\n  quota_status_nouser = DUNNO nobody\n"
    "  quota_status_overquota = 452 4.2.2 Mailbox of %n is full\n  quota_status_toolarge = 552 5.2.3 %u: too large",
}
REQUESTS = (
    "recipient=me@x.test size=100",
    "recipient=me+d@x.test size=100",
    "recipient=ME@X.test size=100",
    "recipient=me@x.test size=0",
    "recipient=me@x.test",
    "recipient=me@x.test size=20000",
    "recipient=me@x.test size=60000",
    "recipient=me@x.test size=abc",
    "recipient=full@x.test size=1",
    "recipient=full@x.test size=0",
    "recipient=nobody@x.test size=1",
    "recipient=bad@x.test size=1",
    "protocol_state=RCPT recipient=<me@x.test> size=1",
    "protocol_state=RCPT size=1",
    "protocol_state=DATA recipient= size=1",
    "protocol_state=END-OF-MESSAGE recipient=me@x.test size=1",
    "frob",
    "",
)
UNEXPECTED = "unexpected state DATA (service can only be used for recipient restrictions)"


@pytest.fixture(params=TEXTS)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Server, Server]]:
    """(ours, theirs), and a mailbox that is full."""
    settings = SETTINGS.replace("MORE", TEXTS[request.param])
    with ExitStack() as stack:
        servers = []
        for name, program in (
            ("ours", [sys.executable, "-m", "pillarbox.tools.dovecot"]),
            ("theirs", ["/usr/sbin/dovecot"]),
        ):
            server = Server(program, [], settings, "", name=name)
            stack.callback(server.end)
            text = server.configuration.read_text()
            static = text.index("passdb {"), text.index("service imap-login {")
            server.configuration.write_text(text[: static[0]] + text[static[1] :])
            (server.base / "users").write_text(USERS.replace("{base}", str(server.base)))
            server.start()
            servers.append(server)
        yield servers[0], servers[1]


def answers(server: Server, *, by_tcp: bool) -> list[str]:
    """To all requests, on one connection."""
    sock = socket.socket(socket.AF_INET if by_tcp else socket.AF_UNIX)
    with sock, sock.makefile("rw") as file:
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", server.pop3) if by_tcp else str(server.base / "run" / "quota-status"))
        said = []
        for words in REQUESTS:
            file.write("".join(f"{line}\n" for line in words.split()) + "\n")
            file.flush()
            said.append(f"{words}: {file.readline().strip()}{file.readline().strip()}")
    return said


def _is_told_of_data(server: Server) -> bool:
    return UNEXPECTED in server.log()


def test_an_mta_hears_the_same(pair: tuple[Server, Server]) -> None:
    """Of room, of size, of users that are not there and of those whose rules make no sense; and LMTP agrees."""
    said = []
    for server in pair:
        delivered = server.lmtp(b"Subject: s\n\n" + b"x" * 1500 + b"\n", to=("full@x.test", "bad@x.test"))
        said.append([*sorted(delivered), *answers(server, by_tcp=False), *answers(server, by_tcp=True)])
        until(partial(_is_told_of_data, server), what="the log tells of it")
    assert said[0] == said[1]
    assert said[0][1].startswith("451 4.3.0 <bad@x.test> Temporary internal error")
