"""Clients of IMAP and POP3 by their addresses, those of IPv6 too, beside Debian's Dovecot.

Who counts as secured, whom allow_nets lets in, what a trusted proxy tells of its client, and how the log names them.
"""

import re
import socket
import subprocess
from collections.abc import Iterator
from typing import Final, NamedTuple

import pytest

from fakes.dovecot_pair import Server, dovecot_pair
from fakes.mail_system import PATIENCE, PATIENT_WITH_GUESSERS, until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot", "ip")]

_ADDRESSES: Final = ("fd53::7", "fd53::8", "fd53:0:0:1::7")
_SETTINGS: Final = (
    """\
protocols = imap pop3
listen = *, ::
mail_location = maildir:~/Maildir
disable_plaintext_auth = yes
login_trusted_networks = fd53::8, [fd53:0:0:1::]/64 127.0.0.9
login_log_format_elements = user=<%u> m=%m rip=%r:%{rport} lip=%l:%{lport} %{real_rip} %{real_lip} %c session=<%{session}>
mail_log_prefix = "%s(%u %{rip} %{lip} %r %l): "
service pop3-login {
  inet_listener pop3 {
    port = {pop3}
  }
}
"""
    + PATIENT_WITH_GUESSERS
    + "".join(
        f"passdb {{{{\n  driver = static\n  args = password={name} allow_nets={networks}\n}}}}\n".replace(
            "{{", "{"
        ).replace("}}", "}")
        for name, networks in {
            "six": "fd53::/64",
            "bracket": "[fd53::7]",
            "brackets": "127.0.0.9,[fd53::]/64",
            "four": "0.0.0.0/0",
            "all": "::/0",
        }.items()
    )
)


class Case(NamedTuple):
    """Who says what where."""

    source: str
    host: str
    sent: bytes
    is_pop3: bool = False


_LOGIN: Final = b"a LOGIN me secret\r\n"
_POP3_LOGIN: Final = b"USER me\r\nPASS secret\r\n"
_ID: Final = (
    b'i ID ("x-originating-ip" "%b" "X-Originating-Port" "%b" "x-connected-ip" "2001:db8::98" "x-connected-port" "778" '
    b'"x-session-id" "abcdef" "x-proxy-ttl" "3" "x-forward-foo" "bar" "name" "web")\r\n'
)
_TOLD: Final = _ID % (b"2001:DB8:0::99", b"777")
CASES: Final = {
    "to itself": Case("::1", "::1", _LOGIN),
    "to itself, by another address": Case("fd53::7", "fd53::7", _LOGIN),
    "to another address of the host": Case("::1", "fd53::7", b"a CAPABILITY\r\n"),
    "trusted": Case("fd53::8", "fd53::7", _LOGIN),
    "trusted, in brackets": Case("fd53:0:0:1::7", "fd53::7", _LOGIN),
    "a wrong password": Case("fd53::7", "fd53::7", b"a LOGIN me wrong\r\n"),
    "POP3": Case("fd53::7", "fd53::7", _POP3_LOGIN, is_pop3=True),
    **{
        f"{name} from {source}": Case(source, host, b"a LOGIN me %b\r\n" % name.encode())
        for name in ("six", "bracket", "brackets", "four", "all")
        for source, host in (("::1", "::1"), ("fd53::7", "fd53::7"), ("127.0.0.9", "127.0.0.1"))
    },
    "a proxy": Case("fd53::8", "fd53::7", _TOLD + _LOGIN),
    "a proxy that tells twice": Case("fd53::8", "fd53::7", _TOLD + _ID % (b"2001:db8::77", b"1") + _LOGIN),
    "a proxy by IPv4": Case("127.0.0.9", "127.0.0.1", _ID % (b"192.0.2.7", b"777") + _LOGIN),
    "a proxy that tells no address": Case("fd53::8", "fd53::7", _ID % (b"zz", b"77777") + _LOGIN),
    "a proxy's client that may not": Case("fd53::8", "fd53::7", _TOLD + b"a LOGIN me six\r\n"),
    "a proxy that is not trusted": Case("fd53::7", "fd53::7", _TOLD + _LOGIN),
    "XCLIENT": Case(
        "fd53::8",
        "fd53::7",
        b"XCLIENT ADDR=2001:db8::97 PORT=99 SESSION=xyz TTL=5\r\n" + _POP3_LOGIN,
        is_pop3=True,
    ),
    "XOIP": Case("fd53::8", "fd53::7", b"XOIP 2001:db8::96\r\n" + _POP3_LOGIN, is_pop3=True),
    "XCLIENT, half of it wrong": Case(
        "fd53::8", "fd53::7", b"XCLIENT ADDR=zz PORT=99\r\n" + _POP3_LOGIN, is_pop3=True
    ),
    "XCLIENT, not trusted": Case(
        "fd53::7", "fd53::7", b"XCLIENT ADDR=2001:db8::97\r\n" + _POP3_LOGIN, is_pop3=True
    ),
}


@pytest.fixture
def addresses() -> Iterator[None]:
    """More addresses of this host; nobody else has them, since root's tests have a network of their own."""
    for address in _ADDRESSES:
        subprocess.run(["ip", "address", "add", f"{address}/128", "dev", "lo", "nodad"], check=True)
    yield
    for address in _ADDRESSES:
        subprocess.run(["ip", "address", "delete", f"{address}/128", "dev", "lo"], check=True)


def _said(server: Server, case: Case) -> list[bytes]:
    port, farewell = (server.pop3, b"QUIT\r\n") if case.is_pop3 else (server.port, b"z LOGOUT\r\n")
    address = case.source, 0
    with (
        socket.create_connection((case.host, port), timeout=PATIENCE, source_address=address) as sock,
        sock.makefile("rb") as lines,
    ):
        sock.sendall(case.sent + farewell)
        found = [line.rstrip(b"\r\n") for line in lines if not line.startswith(b"* OK Waiting")]
    found = [re.sub(rb"CAPABILITY [^]]*", b"CAPABILITY", line) for line in found]
    return [re.sub(rb" \([0-9.+ ]+ secs\)\.?", b"", line) for line in found]


def _logged(server: Server, before: int, case: Case) -> list[str]:
    """What is told of the connection, in any order: several processes tell it."""
    until(lambda: _is_over(server.log()[before:]), what=f"the end of {case} is logged")
    lines = re.findall(r"(?m)^.{16}((?:imap|pop3)(?:-login)?[(:].*)", server.log()[before:])
    return sorted(_without_chance(line) for line in lines)


def _is_over(log: str) -> bool:
    """Without a login there is one line; with one there are two, in any order."""
    return "-login: Info: Disconnected" in log or (
        "-login: Info: Login: " in log and "): Info: Disconnected" in log
    )


def _without_chance(line: str) -> str:
    """Ids of one's own by their length, ports of one's own without number; figures differ by capabilities."""
    line = re.sub(r"session=<([A-Za-z0-9+/=]{16,})>", lambda found: f"session of {len(found[1])}", line)
    line = re.sub(r":(?!(?:777|778|99)\b)\d{4,5}(?=, | fd| ::1| 127)", ":N", line)
    return re.sub(r"(Logged out).*|\d+ secs", r"\1", line)


@pytest.mark.usefixtures("addresses")
def test_the_same_as_dovecot() -> None:
    """What each client hears, and what the log says of it."""
    reports = []
    with dovecot_pair(_SETTINGS) as pair:
        for name, case in CASES.items():
            found = []
            for server in pair:
                before = len(server.log())
                found.append((_said(server, case), _logged(server, before, case)))
            if found[0] != found[1]:
                reports.append(f"{name}\n  ours   {found[0]}\n  theirs {found[1]}")
    assert not reports, "\n".join(reports)
