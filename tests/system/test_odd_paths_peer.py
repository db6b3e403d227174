"""Odd paths in MAIL and RCPT: Debian's Postfix and we give the same replies, queue and log the same addresses."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.host import Host
from fakes.mail_system import until
from fakes.rewriting_play import MAIN_CF, USERS, ZONES, normal_log
from fakes.rewriting_world import RewritingWorld
from system.odd_paths import PATHS

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

_HELD: Final = """\
in_flow_delay = 0
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_data_restrictions = check_client_access static:HOLD
local_transport = discard:x
virtual_transport = discard:x
relay_transport = discard:x
default_transport = discard:x
local_recipient_maps =
virtual_alias_domains =
"""
_LAX: Final = "resolve_null_domain = yes\nresolve_numeric_domain = yes\nallow_min_user = yes\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RewritingWorld]:
    """The hosts."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    made = RewritingWorld(directory, MAIN_CF, zones=ZONES, users=USERS)
    try:
        yield made
    finally:
        made.end()


def test_odd_paths(world: RewritingWorld, subtests: pytest.Subtests) -> None:
    """Replies to MAIL and RCPT, the envelope in the queue file, and log lines."""
    world.load(_HELD)
    with ThreadPoolExecutor(2) as threads:
        theirs, ours = threads.map(_played, world.hosts)
    for path in PATHS:
        with subtests.test(repr(path[:60])):
            assert "\n".join(ours[path]) == "\n".join(theirs[path])


@pytest.mark.parametrize(
    "settings",
    ["strict_rfc821_envelopes = yes\n", _LAX, "smtputf8_enable = no\n"],
    ids=["strict", "lax", "ASCII"],
)
def test_replies(world: RewritingWorld, settings: str, subtests: pytest.Subtests) -> None:
    """By strict_rfc821_envelopes brackets are a must, and nothing but an address is in them; others allow more."""
    world.load(_HELD + settings)
    with ThreadPoolExecutor(2) as threads:
        theirs, ours = threads.map(_replies, world.hosts)
    for path in PATHS:
        with subtests.test(repr(path[:60])):
            assert "\n".join(ours[path]) == "\n".join(theirs[path])


def _replies(host: Host) -> dict[bytes, list[str]]:
    with _Session(host) as session:
        return {path: session.envelope(path) for path in PATHS}


def _played(host: Host) -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = {}
    ids: dict[bytes, str] = {}
    before = len(host.log())
    with _Session(host) as session:
        for path in PATHS:
            found[path] = [*session.envelope(path), session.say(b"DATA")]
            if found[path][-1].startswith("354"):
                said = session.say(b"Subject: x\r\n\r\nbody\r\n.")
                ids[path] = said.split()[-1]
    until(lambda: "]: disconnect from" in host.log()[before:], what="the session is logged to its end")
    for line in re.findall(r"smtpd\[\d+\]: (warning: .*)", host.log()[before:]):
        shown = line.partition(" command: ")[2]
        found[next((path for path in PATHS if _shown(path) == shown), PATHS[0])].append(line)
    before = len(host.log())
    shown = host.output(f"postcat -eq {' '.join(ids.values())}")
    host.output("postsuper -H ALL 2>&1; postqueue -f")
    until(
        lambda: all(f"{one}: removed" in host.log()[before:] for one in ids.values()), what="all is delivered"
    )
    log = host.log()[before:]
    records = dict(zip(ids, re.split(r"(?m)^\*\*\* ENVELOPE RECORDS .*$", shown)[1:], strict=True))
    for path, queue_id in ids.items():
        found[path] += re.findall(
            r"(?m)^((?:sender|(?:original_)?recipient|named_attribute: dsn_\w+).*)$", records[path]
        )
        lines = [
            line for line in log.split("\n") if f" {queue_id}: " in line and re.search(r"from=|to=", line)
        ]
        found[path] += map(normal_log, lines)
    return found


def _shown(path: bytes) -> str:
    """As the log has it."""
    word = path.removesuffix(b" SMTPUTF8").strip(b" ").decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x1f\x7f]", "?", word)


class _Session:
    def __init__(self, host: Host) -> None:
        self._host = host

    def __enter__(self) -> "_Session":
        self._socket = self._host.connect(25)
        self._file = self._socket.makefile("rb")
        self._reply()
        self.say(b"EHLO client.test")
        return self

    def __exit__(self, *_: object) -> None:
        self.say(b"QUIT")
        self._file.close()
        self._socket.close()

    def envelope(self, path: bytes) -> list[str]:
        """The replies to it as a sender and as a recipient; a transaction is open behind."""
        path, option, _ = path.partition(b" SMTPUTF8")
        self.say(b"RSET")
        replies = [self.say(b"MAIL FROM:" + path + option)]
        if not replies[0].startswith("250"):
            self.say(b"MAIL FROM:<ok@here.test>" + option)
        return [*replies, self.say(b"RCPT TO:" + path)]

    def say(self, line: bytes) -> str:
        self._socket.sendall(line + b"\r\n")
        return self._reply()

    def _reply(self) -> str:
        while (line := self._file.readline())[3:4] == b"-":
            pass
        return line.decode("utf-8", "backslashreplace").rstrip()
