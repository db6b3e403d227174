"""Sessions of clients that postmaster reads (notify_classes), beside Debian's Postfix."""

from collections.abc import Iterator
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.host import Host
from fakes.logs import until_logged
from fakes.outbound_world import World, settle
from fakes.postfix_texts import normal_notice

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

_MAIN_CF: Final = """\
bounce_notice_recipient = alice+bounces@sender.test
recipient_delimiter = +
error_notice_recipient = alice
smtp_line_length_limit = 998
smtp_connection_cache_on_demand = no
smtpd_recipient_restrictions = check_recipient_access inline:{ { refused@sender.test = REJECT } }, permit_mynetworks
smtpd_hard_error_limit = 5
smtpd_delay_reject = yes
message_size_limit = 20000
header_checks = regexp:{ { /^Subject: bad/ REJECT no } }
smtpd_reject_unlisted_recipient = yes
local_recipient_maps = inline:{alice=x}
transport_maps = inline:{ closed.test=error:closed }
relay_domains = closed.test
smtpd_error_sleep_time = 0
"""
DIALOGUES: Final = {
    "nothing wrong": [b"EHLO x", b"NOOP", b"QUIT"],
    "refused": [b"EHLO x", b"MAIL FROM:<a@b.test>", b"RCPT TO:<refused@sender.test>", b"QUIT"],
    "unknown": [b"EHLO x", b"MAIL FROM:<a@b.test>", b"RCPT TO:<nobody@sender.test>", b"QUIT"],
    "syntax": [b"EHLO x", b"MAIL FROM:a b c", b"RCPT TO:<a@b>", b"QUIT"],
    "no command": [b"HELO x", b"FOO bar", b"QUIT"],
    "out of turn": [b"HELO x", b"DATA", b"QUIT"],
    "content": [
        b"EHLO x",
        b"MAIL FROM:<a@b.test>",
        b"RCPT TO:<alice@sender.test>",
        b"DATA",
        b"Subject: bad\r\n\r\nx\r\n.",
        b"QUIT",
    ],
    "too big": [b"EHLO x", b"MAIL FROM:<a@b.test> SIZE=30000", b"QUIT"],
    "too many": [b"EHLO x", b"A", b"B", b"C", b"D", b"E"],
    "two": [b"EHLO x", b"FOO", b"MAIL FROM:<a@b.test>", b"RCPT TO:<refused@sender.test>", b"RSET", b"QUIT"],
    "gone": [b"EHLO x", b"FOO"],
    "closed": [b"EHLO x", b"MAIL FROM:<a@b.test>", b"RCPT TO:<a@closed.test>", b"QUIT"],
    "unknown as well": [b"EHLO x", b"MAIL FROM:<a@b.test>", b"RCPT TO:<nobody@sender.test>", b"FOO", b"QUIT"],
}


def _hold(host: Host, lines: list[bytes]) -> None:
    with host.connect(25) as sock, sock.makefile("rb") as file:
        for line in [b"", *lines]:
            if line:
                sock.sendall(line + b"\r\n")
            while file.readline()[3:4] == b"-":
                pass


def _notices(host: Host, lines: list[bytes]) -> list[str]:
    """What alice gets of a session."""
    maildir = host.file("/home/alice/Maildir")
    old = set(maildir.glob("new/*"))
    logged = len(host.log())
    _hold(host, lines)
    until_logged(host, r"smtpd\[\d+\]: disconnect from ", since=logged)  # what is told of it has been queued
    settle(host, since=logged)
    new = [path.read_text() for path in set(maildir.glob("new/*")) - old]
    return sorted(
        normal_notice(text) for text in new if not text.startswith("Return-Path: <last@sender.test>")
    )


TOLD: Final = {
    "policy protocol": set(DIALOGUES) - {"nothing wrong", "unknown", "closed"},
    "bounce": {"unknown", "closed", "unknown as well"},
    "policy": {"refused", "content", "too big", "two"},
    "resource software data": set(),
}
"""Of which sessions postmaster hears, by notify_classes."""


@pytest.fixture(scope="module", params=TOLD)
def servers(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[World, str]]:
    """Both hosts, with some classes."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    form = "obsolete" if request.param == "policy" else "standard"
    made = World(directory, (), f"{_MAIN_CF}notify_classes = {request.param}\nheader_from_format = {form}\n")
    try:
        yield made, request.param
    finally:
        made.end()


@pytest.mark.parametrize("name", DIALOGUES)
def test_sessions_of_clients(servers: tuple[World, str], name: str) -> None:
    """The same notices, or none."""
    world, classes = servers
    theirs, ours = (_notices(host, DIALOGUES[name]) for host in (world.theirs, world.ours))
    assert len(theirs) == (name in TOLD[classes])
    assert theirs == ours, "\n".join((*theirs, "--- and ours:", *ours))
