"""notify_classes beside Debian's Postfix: which sessions postmaster reads, and what the notice says."""

from collections.abc import Iterator
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.host import Host
from fakes.mail_system import until
from fakes.outbound_world import Scenario, Server, World, busy
from fakes.postfix_texts import normal_notice

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

_MAIN_CF: Final = """\
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
notify_classes = protocol
error_notice_recipient = alice
smtp_line_length_limit = 998
smtp_connection_cache_on_demand = no
minimal_backoff_time = 3600s
maximal_backoff_time = 3600s
smtpd_reject_unlisted_recipient = no
"""
_LONG: Final = b" ".join([b"words"] * 30)
SCENARIOS: Final = (
    Scenario(name="syntax", servers=(Server({"RCPT": b"501 5.5.4 Syntax error"}),)),
    Scenario(name="unknowncommand", servers=(Server({"MAIL": b"500 5.5.2 " + _LONG}),)),
    Scenario(name="option", servers=(Server({"MAIL": b"555 5.5.4 Unsupported option"}),)),
    Scenario(name="usual", servers=(Server({"RCPT": b"550 5.1.1 Unknown"}),)),
    Scenario(name="greeting", servers=(Server({"greeting": b"504 5.5.4 What?"}),)),
    Scenario(name="helo", servers=(Server({"EHLO": b"502 5.5.1 No", "HELO": b"501 5.5.4 Never"}),)),
    Scenario(name="end", servers=(Server({".": b"500-5.5.2 Line too\\r\\n500 5.5.2 long"}),)),
    Scenario(name="two", servers=(Server({"RCPT": b"501 5.1.3 Bad"}),), recipients=("bob", "carol")),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The hosts, once for all scenarios."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    made = World(directory, SCENARIOS, _MAIN_CF)
    try:
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_same_as_postfix(world: World, scenario: Scenario) -> None:
    """The sender's notice, and postmaster's."""
    theirs, ours = world.play(scenario, settle=True)
    for one, other in zip(theirs, ours, strict=True):
        assert one == other, f"{one}\n--- and ours:\n{other}"


_RULES: Final = """\
smtpd_recipient_restrictions = check_recipient_access inline:{ { refused@sender.test = REJECT } }, permit_mynetworks
smtpd_hard_error_limit = 5
smtpd_delay_reject = yes
message_size_limit = 20000
header_checks = regexp:{ { /^Subject: bad/ REJECT no } }
smtpd_reject_unlisted_recipient = yes
local_recipient_maps = inline:{alice=x}
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
    _hold(host, lines)
    host.output("sendmail -f last@sender.test alice </dev/null")
    last = f"Return-Path: <{'last@sender.test'}>"

    def new() -> list[str]:
        return [path.read_text() for path in set(maildir.glob("new/*")) - old]

    until(lambda: any(text.startswith(last) for text in new()), what="the last message")
    until(lambda: not busy(host), what="nothing in the active queue")
    return sorted(normal_notice(text) for text in new() if not text.startswith(last))


TOLD: Final = {
    "policy protocol": set(DIALOGUES) - {"nothing wrong", "unknown"},
    "bounce": {"unknown"},
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
    main_cf = _MAIN_CF.replace("notify_classes = protocol", f"notify_classes = {request.param}")
    main_cf = main_cf.replace("smtpd_reject_unlisted_recipient = no\n", _RULES)
    made = World(directory, (), main_cf + "bounce_notice_recipient = alice@sender.test\n")
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
