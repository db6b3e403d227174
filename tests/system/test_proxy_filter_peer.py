"""A filter before the queue (smtpd_proxy_filter), beside Debian's Postfix.

The same filters, good and bad, hear of the same mail from both servers.  What clients are told, what filters hear, word
for word, and what the log says is the same, but for what `DIFFERENCES` says.
"""

import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import pytest

from fakes.mail_system import PATIENCE, until
from fakes.scripted_server import ScriptedServer
from fakes.smtp_exchanges import Exchange, have
from fakes.smtp_server_pair import Server, both_servers
from system.proxy_filter_cases import EXCHANGES, FILTERS, FIRST_FILTER, FURTHER, MAIL, RCPT

pytestmark = pytest.mark.system

SETTINGS: Final = {
    "mynetworks": "127.0.0.2",
    "message_size_limit": "20000",
    "smtpd_recipient_limit": "3",
    "smtpd_error_sleep_time": "0",
    "smtpd_soft_error_limit": "40",
    "smtpd_hard_error_limit": "40",
    "virtual_mailbox_maps": "inline:{ me@pillarbox.test=Maildir/, you@pillarbox.test=Maildir/ }",
    "virtual_alias_maps": "",
    "smtpd_tls_security_level": "may",
    "smtpd_tls_loglevel": "0",
    "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
    "smtpd_forbid_bare_newline": "normalize",
    "smtpd_forbid_bare_newline_exclusions": "",
    "notify_classes": "resource, software",
}
DIFFERENCES: Final = {
    ("speaks no SMTP", "replies"): "deliberate: nobody knows what a filter means that does not speak SMTP",
    ("speaks no SMTP", "log"): "deliberate: as above",
    ("long", "replies"): "deliberate: a reply line has 512 octets (RFC 5321 §4.5.3.1.5)",
    ("TLS", "replies"): "deliberate: REQUIRETLS (RFC 8689) is offered under TLS, as by Postfix 3.11",
    ("too big", "log"): "deliberate: the log says what the client was told, not what the filter said before",
    ("too big, stored", "log"): "deliberate: as above",
}
"""Exchange and what of it differs → why."""
_NOTICES_MORE: Final = 1
"""Postmaster hears from us of the filter that speaks no SMTP, too."""


@contextmanager
def _filters() -> Iterator[dict[str, ScriptedServer]]:
    found = {
        name: ScriptedServer("127.0.0.1", FIRST_FILTER + at, replies)
        for at, (name, replies) in enumerate(FILTERS.items())
    }
    try:
        yield found
    finally:
        for filter_ in found.values():
            filter_.close()


def _services(filters: Mapping[str, ScriptedServer]) -> dict[str, dict[str, str]]:
    def place(name: str) -> str:
        kind, colon, rest = name.rpartition(":") if name.startswith("inet:") else ("", "", name)
        return kind + colon + (f"127.0.0.1:{filters[rest].port}" if rest in filters else rest)

    plain = {name: {"smtpd_proxy_filter": place(name)} for name in FILTERS}
    return plain | {
        name: {"smtpd_proxy_filter": place(whose), **options} for name, (whose, options) in FURTHER.items()
    }


def _heard(filters: Mapping[str, ScriptedServer]) -> list[tuple[str, list[bytes]]]:
    """What the filters have heard since the last time, without dots for transparency, dates and ports."""
    until(lambda: not any(filter_.open for filter_ in filters.values()), what="all conversations have ended")
    found: list[tuple[str, list[bytes]]] = []
    for name, filter_ in filters.items():
        found += ((name, lines) for lines in filter_.conversations)
        found += ((name, message.split(b"\r\n")) for message in filter_.messages)
        filter_.conversations.clear()
        filter_.messages.clear()
    return [(name, [_plain(line) for line in lines]) for name, lines in found]


def _plain(line: bytes) -> bytes:
    line = re.sub(rb"[A-Z][a-z]{2}, [ 0-9]{2} [A-Z][a-z]{2} .*", b"DATE", line)
    return re.sub(rb"PORT=[0-9]{5}", b"PORT=N", line).removeprefix(b".")


def _logged(log: Callable[[], str], server: Server) -> list[str]:
    server.decisions()  # waits for the session's last line
    lines = (match[1] for match in re.finditer(r"/smtpd\[\d+\]: (.*)", log()))
    lines = (re.sub(r"(?<=PORT=)\d+", "N", line) for line in lines)
    return [line for line in lines if not line.startswith(("connect from", "disconnect from"))]


def _notices(log: str) -> int:
    return len(re.findall(r"/qmgr\[\d+\]: \w+: from=<double-bounce@", log))


def _differences(
    exchange: Exchange, servers: tuple[Server, Server], filters: Mapping[str, ScriptedServer]
) -> Iterator[tuple[str, object, object]]:
    """What of an exchange is not the same: its name, Postfix's and ours."""
    replies, heard, logged = [], [], []
    for server in servers:
        before = len(_logged(server.log, server))
        replies.append(have(exchange, server.port(exchange.service)))
        server.sessions += 1
        logged.append(_logged(server.log, server)[before:])
        heard.append(_heard(filters))
    for what, (theirs, ours) in (("replies", replies), ("filter", heard), ("log", logged)):
        if theirs != ours:
            yield what, theirs, ours


def _cut_short(server: Server, filters: Mapping[str, ScriptedServer]) -> list[str]:
    """What a filter hears of a client that hangs up in the middle of its message: no end of it."""
    with socket.create_connection(("127.0.0.1", server.port("plain")), timeout=PATIENCE) as client:
        replies = client.makefile("rb")
        for line in (b"HELO x", MAIL, RCPT, b"DATA"):
            assert replies.readline()[:1] == b"2"
            client.sendall(line + b"\r\n")
        assert replies.readline()[:3] == b"354"
        client.sendall(b"Subject: half\r\n\r\nhalf\r\n")
        client.shutdown(socket.SHUT_RDWR)
    server.sessions += 1
    server.decisions()
    return [line.split(b" ")[0].decode() for _, lines in _heard(filters) for line in lines]


@pytest.mark.root
@pytest.mark.peer("postfix")
@pytest.mark.skipif(os.getuid() != 0, reason="a second Postfix is started by root only")
def test_a_filter_hears_what_it_hears_from_postfix() -> None:
    """Replies, the filter's half of the conversation, the log, and how often postmaster is told."""
    found: set[tuple[str, str]] = set()
    unlisted: list[str] = []
    with _filters() as filters, both_servers(SETTINGS, _services(filters)) as servers:
        for exchange in EXCHANGES:
            for what, theirs, ours in _differences(exchange, servers, filters):
                found.add((exchange.name, what))
                if (exchange.name, what) not in DIFFERENCES:
                    unlisted.append(f"{exchange.name}, {what}\n    Postfix: {theirs}\n    ours:    {ours}")
        assert not unlisted, "\n" + "\n".join(unlisted)
        assert [_cut_short(server, filters) for server in servers] == [["EHLO", "MAIL", "RCPT", "DATA"]] * 2
        theirs, ours = servers
        until(
            lambda: _notices(theirs.log()) + _NOTICES_MORE == _notices(ours.log()),
            what=lambda: f"postmaster is told as often: {_notices(theirs.log())}, {_notices(ours.log())}",
        )
    assert found == set(DIFFERENCES), "no difference any more"
