"""Clients behind a proxy that tells who they are: HAProxy itself, and headers of all kinds, beside the originals.

The same connections go to Debian's Postfix and Dovecot and to ours; what a client gets and what the log says of it is
compared, and differences are those of `DIFFERENCES`.
"""

import re
import socket
import struct
from functools import partial
from typing import Final

import pytest

from fakes.host import LOG, Host
from fakes.mail_system import PATIENCE, until
from fakes.postfix_services import MASTER_CF
from fakes.tutorial_host import DOVECOT_CONF, MAIN_CF, USERS
from fakes.tutorial_products import play_to_both

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "dovecot", "named", "rsyslogd", "unshare", "haproxy", "curl"),
]

_MASTER: Final = """\
2525 inet n - n - - smtpd
  -o smtpd_upstream_proxy_protocol=haproxy -o smtpd_upstream_proxy_timeout=60s
2526 inet n - n - - smtpd
  -o smtpd_upstream_proxy_protocol=haproxy -o smtpd_upstream_proxy_timeout=1s
"""
_DOVECOT: Final = """\
haproxy_trusted_networks = 127.0.0.0/8
service imap-login {
  inet_listener imap_proxied {
    port = 1143
    haproxy = yes
  }
}
service pop3-login {
  inet_listener pop3_proxied {
    port = 1110
    haproxy = yes
  }
}
"""
_HAPROXY: Final = """\
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen smtp
  bind :3025
  server mail 127.0.0.1:2525 send-proxy check check-send-proxy inter 500
listen smtp2
  bind :3026
  server mail 127.0.0.1:2525 send-proxy-v2 check check-send-proxy inter 500
listen imap
  bind :3143
  server mail 127.0.0.1:1143 send-proxy-v2
listen pop3
  bind :3110
  server mail 127.0.0.1:1110 send-proxy
"""
_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_IPV4: Final = (
    socket.inet_aton("198.51.100.7") + socket.inet_aton("192.0.2.10") + struct.pack("!HH", 4321, 25)
)
_IPV6: Final = (
    socket.inet_pton(socket.AF_INET6, "2001:db8::7")
    + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    + struct.pack("!HH", 4321, 25)
)


def _v2(command: int, family: int, body: bytes, *, version: int = 2) -> bytes:
    return _SIGNATURE + bytes([version << 4 | command, family]) + struct.pack("!H", len(body)) + body


HEADERS: Final = {
    "version 1": b"PROXY TCP4 198.51.100.7 192.0.2.10 4321 25\r\n",
    "version 1, IPv6": b"PROXY TCP6 2001:db8::7 2001:db8::1 4321 25\r\n",
    "version 1, unknown": b"PROXY UNKNOWN\r\n",
    "version 1, unknown with addresses": b"PROXY UNKNOWN 198.51.100.7 192.0.2.10 4321 25\r\n",
    "version 2": _v2(1, 0x11, _IPV4),
    "version 2, IPv6": _v2(1, 0x21, _IPV6),
    "version 2, with an extension": _v2(1, 0x11, _IPV4 + b"\x02\0\x04host"),
    "version 2, TLS before the proxy": _v2(1, 0x11, _IPV4 + b"\x20\0\x05\x01\0\0\0\0"),
    "version 2, half an extension": _v2(1, 0x11, _IPV4 + b"\x02\0\x04ho"),
    "version 2, local": _v2(0, 0, b""),
    "version 2, local with addresses": _v2(0, 0x11, _IPV4),
    "version 2, UDP": _v2(1, 0x12, _IPV4),
    "version 2, Unix": _v2(1, 0x31, b"a" * 216),
    "version 2, short": _v2(1, 0x11, _IPV4[:5]),
    "version 2, no such command": _v2(5, 0x11, _IPV4),
    "version 1 in binary": _v2(1, 0x11, _IPV4, version=1),
    "no such protocol": b"PROXY TCP5 198.51.100.7 192.0.2.10 4321 25\r\n",
    "no such address": b"PROXY TCP4 298.51.100.7 192.0.2.10 4321 25\r\n",
    "no such address of the server": b"PROXY TCP4 198.51.100.7 192.0.2.310 4321 25\r\n",
    "no such port": b"PROXY TCP4 198.51.100.7 192.0.2.10 99999 25\r\n",
    "port 0": b"PROXY TCP4 198.51.100.7 192.0.2.10 0 25\r\n",
    "no port": b"PROXY TCP4 198.51.100.7 192.0.2.10 4321\r\n",
    "a field too many": b"PROXY TCP4 198.51.100.7 192.0.2.10 4321 25 x\r\n",
    "IPv4 for IPv6": b"PROXY TCP6 198.51.100.7 192.0.2.10 4321 25\r\n",
    "IPv6 for IPv4": b"PROXY TCP4 2001:db8::7 2001:db8::1 4321 25\r\n",
    "none": b"EHLO x\r\n",
    "too long": b"PROXY TCP4 " + b"1" * 150 + b"\r\n",
    "silence": b"",
}
_SILENT: Final = "silence"
"""For which the patience of the server is short; nobody else is to feel that."""
_BUSY: Final = b"* OK Waiting for authentication process to respond..\r\n"
"""What Dovecot says in the first moments of its life."""
_FAREWELLS: Final = {2525: b"QUIT\r\n", 1143: b"a LOGOUT\r\n", 1110: b"QUIT\r\n"}
DIFFERENCES: Final = {  # deliberate, all of them
    (2525, "version 2, half an extension"),  # Postfix does not look at extensions
    (2525, "a field too many"),  # Postfix looks no further than the port
    (2525, "none"),  # Postfix says `short protocol header` of what is shorter than the shortest
    (2525, "too long"),  # the others take the line apart before they look for its end
    (1143, "too long"),
    (1110, "too long"),
    (1143, "port 0"),  # §2.1 of the protocol's description allows it
    (1110, "port 0"),
    (1143, "version 2, Unix"),  # Dovecot takes the addresses for extensions, and says a second line
    (1110, "version 2, Unix"),
}


def _answer(host: Host, port: int, name: str) -> bytes:
    """All that a client gets, up to the end or a reset."""
    with host.connect(2526 if (port, name) == (2525, _SILENT) else port) as client:
        client.settimeout(PATIENCE)
        said = b""
        try:
            client.sendall(HEADERS[name] + (b"" if name == _SILENT else _FAREWELLS[port]))
            while data := client.recv(4096):
                said += data
        except ConnectionResetError:
            pass
        return said


def _log(host: Host) -> list[str]:
    return host.output(f"cat {LOG}").splitlines()


def _has_logged(host: Host, pattern: str, before: int) -> bool:
    return re.search(pattern, "\n".join(_log(host)[before:])) is not None


_PASSING: Final = (
    (re.compile(r".*? mail (?=postfix|dovecot)"), ""),
    (re.compile(r"\[\d+\]:"), ":"),
    (re.compile(r"session=<[^>]*>"), "session"),
    (re.compile(r" in \d+ secs"), " in N secs"),
    # How much of what stands behind the header has come, too, is chance; and some read to the end of a line.
    (re.compile(r"(haproxy read: [a-z ]+): .*"), r"\1"),
    (re.compile(r"get_tlv\(\d\) failed: |\(cmd=01, (?=rip)"), lambda found: "(" if "cmd" in found[0] else ""),
    (re.compile(r"(address=`1{20})1*(?:\.\.\.)?"), r"\1"),
    (re.compile(r"Field for proxied local port is missing \("), "Proxied local port is invalid (port=`', "),
)


def _lines(lines: list[str]) -> list[str]:
    found = []
    for line in lines:
        if re.search("pipelining|lost connection|dict_nis_init", line):  # a farewell that came early
            continue
        for pattern, replacement in _PASSING:
            line = pattern.sub(replacement, line)
        found.append(line)
    return found


def _start_dovecot(host: Host, patience: str) -> None:
    """It answers, and has logged that it was asked."""
    before = len(_log(host))
    host.write("/etc/dovecot/dovecot.conf", DOVECOT_CONF + f"haproxy_timeout = {patience}\n" + _DOVECOT)
    host.output("dovecot")
    for protocol, port in (("imap", 143), ("pop3", 110)):
        host.until_answers(port)
        line = f"{protocol}-login: Disconnected"
        until(partial(_has_logged, host, line, before), what=f"{line} is logged")


def _said_and_logged(host: Host, port: int, name: str) -> tuple[bytes, list[str]]:
    """What a client gets, and what the log says of it."""
    before = len(_log(host))
    said = _answer(host, port, name)
    ends = "disconnect from" if port == 2525 else r"Disconnected|haproxy"
    until(partial(_has_logged, host, ends, before), what=f"the log tells of {name!r} at {port}")
    return said.replace(b" IMAP4rev2", b"").replace(_BUSY, b""), _lines(_log(host)[before:])


def _play(host: Host, product: str) -> dict[tuple[int, str], tuple[bytes, list[str]]]:
    host.write(
        "/etc/postfix/main.cf", MAIN_CF + "mynetworks = 127.0.0.0/8\nsmtpd_forbid_unauth_pipelining = yes\n"
    )
    host.output("touch /etc/aliases && postalias /etc/aliases")
    host.write("/etc/postfix/master.cf", MASTER_CF + _MASTER)
    if product == "original":
        host.output("/usr/lib/postfix/configure-instance.sh -")
    host.start_postfix()
    host.until_answers(25)
    until(partial(_has_logged, host, "disconnect from", 0), what="disconnect from is logged")
    _start_dovecot(host, "1s")
    found = {(port, _SILENT): _said_and_logged(host, port, _SILENT) for port in _FAREWELLS}
    host.output("doveadm stop")
    _start_dovecot(host, "60s")
    for port in _FAREWELLS:
        for name in HEADERS:
            if name != _SILENT:
                found[port, name] = _said_and_logged(host, port, name)
    host.write("/etc/haproxy.cfg", _HAPROXY)
    host.output("haproxy -D -f /etc/haproxy.cfg")
    for port in (3025, 3026, 3143, 3110):
        host.until_answers(port)
    for port in (3025, 3026):
        sent = host.run(
            f"curl -sS smtp://192.0.2.10:{port} --mail-from a@x.test --mail-rcpt someone@elsewhere.test -T - 2>&1",
            content="Subject: x\n\nx\n",
        ).stdout
        found[port, "relay"] = sent.encode(), []
    for scheme, port in (("imap", 3143), ("pop3", 3110)):
        listed = host.run(f"curl -sS {scheme}://192.0.2.10:{port}/ -u 'bob:{USERS['bob']}' 2>&1; sync").stdout
        found[port, "login"] = listed.encode(), []
    found[0, "logins"] = (
        b"",
        sorted(
            re.findall(
                r"(?:imap|pop3)-login: Login: user=<bob>, method=\w+, rip=[\d.]+, lip=[\d.]+",
                "\n".join(_log(host)),
            )
        ),
    )
    return found


Said = dict[tuple[int, str], tuple[bytes, list[str]]]


@pytest.fixture(scope="module")
def said() -> tuple[Said, Said]:
    """What came of each connection: theirs, ours."""
    return play_to_both(_play)


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("port", _FAREWELLS)
def test_headers(said: tuple[Said, Said], port: int, name: str) -> None:
    """The client's answer, and the lines of the log."""
    theirs, ours = said
    same = ours[port, name] == theirs[port, name]
    assert same != ((port, name) in DIFFERENCES), f"{theirs[port, name]}\n{ours[port, name]}"


@pytest.mark.parametrize(
    "case", [(3025, "relay"), (3026, "relay"), (3143, "login"), (3110, "login"), (0, "logins")]
)
def test_haproxy(said: tuple[Said, Said], case: tuple[int, str]) -> None:
    """Mail and logins through the real proxy; the log has the client's address."""
    theirs, ours = said
    assert ours[case] == theirs[case]


def test_who_comes_through_the_proxy_has_not_its_rights(said: tuple[Said, Said]) -> None:
    """127.0.0.1 may relay; the client of the proxy may not."""
    _, ours = said
    assert b"RCPT failed: 454" in ours[3025, "relay"][0]
    assert len(ours[0, "logins"][1]) == 2
    assert all("rip=192.0.2.10" in line for line in ours[0, "logins"][1])
