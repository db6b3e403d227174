"""reject_unverified_sender and reject_unverified_recipient, beside Debian's Postfix: replies, log lines, and the cache.

Both ask the same servers and tables about the same addresses, in the same order, and then once more out of what they
remember.
"""

import re
import smtplib
import socket
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec
import pytest

from fakes.local_hosts import Host, OurHost, TheirHost
from fakes.logs import lines_with
from fakes.mail_system import PATIENCE, until
from fakes.system_users import SystemUsers
from pillarbox.queue.verification import PROTOCOL, AddressStatus, answer_from, encode_query
from pillarbox.tables.cache_store import DatabaseStore
from pillarbox.wire.attributes import AttributeReader

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix"),
]

_SINKS: Final = {
    "ok": ("127.0.0.1:2401",),
    "hard": ("-f", "RCPT", "127.0.0.1:2402"),
    "soft": ("-r", "RCPT", "127.0.0.1:2403"),
    "other": ("-f", "RCPT", "127.0.0.1:2404"),
}
_SETTINGS: Final = {
    "home_mailbox": "Maildir/",
    "alias_maps": "texthash:{base}/aliases",
    "virtual_mailbox_domains": "virtual.test",
    "virtual_mailbox_base": "/home",
    "virtual_mailbox_maps": "inline:{{ dir@virtual.test=v/ }}",
    "virtual_uid_maps": "static:6001",
    "virtual_gid_maps": "static:6001",
    "virtual_alias_domains": "alias.test",
    "virtual_alias_maps": "inline:{{ {{both@alias.test = user, someone@hard.test}} one@alias.test=user }}",
    "transport_maps": "inline:{{ ok.test=smtp:[127.0.0.1]:2401, hard.test=smtp:[127.0.0.1]:2402, "
    "soft.test=smtp:[127.0.0.1]:2403, refused.test=smtp:[127.0.0.1]:2499, routed.test=smtp:[127.0.0.1]:2401, "
    "{{error.test=error:5.7.9 not served}}, {{retry.test=retry:4.7.9 not yet}}, "
    "{{discard.test=discard:thrown away}} }}",
    "address_verify_transport_maps": "inline:{{ routed.test=smtp:[127.0.0.1]:2404 }}, $transport_maps",
    "default_transport": "smtp",
    "relay_domains": "relay.test, routed.relay.test",
    "relay_transport": "smtp:[127.0.0.1]:2401",
    "address_verify_relay_transport": "smtp:[127.0.0.1]:2404",
    "relayhost": "[127.0.0.1]:2401",
    "address_verify_relayhost": "[127.0.0.1]:2404",
    "sender_dependent_relayhost_maps": "inline:{{ sender@ok.test=[127.0.0.1]:2499 }}",
    "address_verify_sender_dependent_relayhost_maps": "inline:{{ sender@ok.test=[127.0.0.1]:2401 }}",
    "address_verify_virtual_transport": "error:5.7.8 no probes",
    "smtpd_relay_restrictions": "permit_mynetworks, reject",
    "smtpd_recipient_restrictions": "reject_unverified_recipient",
    "smtpd_sender_restrictions": "reject_unverified_sender",
    "smtpd_reject_unlisted_recipient": "no",
    "smtp_connection_cache_on_demand": "no",
    "address_verify_poll_delay": "1s",
    "address_verify_poll_count": "60",  # seconds until `in progress` is the answer
    "address_verify_map": "btree:$data_directory/verify_cache",
}
_ALIASES: Final = "alias user, other\nnested nobodyhere\n"


class Asked(msgspec.Struct, frozen=True):
    """An envelope."""

    sender: str
    recipients: tuple[str, ...]


_TO: Final = tuple(
    "user@local.test USER@local.test user+ext@local.test user unknown@local.test alias@local.test nested@local.test "
    "forwards@local.test dir@virtual.test no@virtual.test x@ok.test x@hard.test x@soft.test x@refused.test "
    "x@error.test x@retry.test x@discard.test x@routed.test x@relay.test x@else.test both@alias.test one@alias.test no@alias.test "
    'double-bounce@mail.local.test double-bounce@local.test "a:b"@ok.test postmaster@local.test '
    "postmaster".split()
)
_ROUND: Final = (
    *(Asked("", (to,)) for to in _TO),
    Asked("sender@ok.test", ("double-bounce@local.test",)),
    Asked("sender@hard.test", ("double-bounce@local.test", "sender@ok.test")),
)
_AGAIN: Final = (
    Asked("unknown@local.test", ("user@local.test", "x@ok.test")),
    Asked("x@hard.test", ("user@local.test",)),
    Asked("x@soft.test", ("user@local.test",)),
    Asked("", ("user@local.test", "x@hard.test")),
    Asked("double-bounce@local.test", ("user@local.test",)),
    Asked("user@local.test", ("x@ok.test", "x@hard.test", "unknown@local.test", "USER@local.test")),
)
DIFFERENCES: Final[dict[str, str]] = {
    "both@alias.test": "deliberate: nothing is queued for an address that stands for several; one line says so",
}
"""Address → why its log lines differ."""

_LINE: Final = re.compile(r"postfix/([\w/-]+)\[\d+\]: (?:([0-9A-F]{6,}|NOQUEUE): )?(.*)")
_ID: Final = re.compile(r"[0-9A-F]{9,}")


def _queued(host: Host, what: str) -> int:
    return len(lines_with(host, what))


class Played:
    """What one host answered, logged and remembered."""

    def __init__(
        self, host: Host, envelopes: tuple[Asked, ...], remembered: tuple[Asked, ...], data: Path
    ) -> None:
        """`envelopes` are asked about beside each other, but for the first, and `remembered` afterwards."""
        self.replies: list[tuple[str, str, tuple[int, bytes]]] = []

        def ask(asked: Asked) -> list[tuple[str, str, tuple[int, bytes]]]:
            with smtplib.SMTP("127.0.0.1", host.port, timeout=60) as client:
                client.ehlo("client.example")
                client.mail(asked.sender)
                return [(asked.sender, to, client.docmd(f"RCPT TO:<{to}>")) for to in asked.recipients]

        # By itself: a probe of its alias tells Postfix of it, too, and then nobody asks about it any more.
        self.replies += ask(envelopes[0])
        with ThreadPoolExecutor(8) as threads:  # Postfix's smtpd sleeps while it waits
            for answers in threads.map(ask, envelopes[1:]):
                self.replies += answers
        for asked in remembered:
            self.replies += ask(asked)
        count = len(envelopes) + len(remembered)
        until(lambda: host.log().count("disconnect from") >= count, what="all clients gone")
        until(
            lambda: _queued(host, "cleanup.*: message-id=") == _queued(host, "qmgr.*: removed"),
            what=lambda: f"all probes gone: {host.log()}",
        )
        lines = [match.groups() for match in _LINE.finditer(host.log())]
        self.refusals = sorted(
            _ID.sub("ID", rest) for program, _, rest in lines if program == "smtpd" and "reject" in rest
        )
        self.probes = self._probes([(program, queue_id or "", rest) for program, queue_id, rest in lines])
        self.warnings = [rest for _, queue_id, rest in lines if not queue_id and rest.startswith("warning")]
        self._data = data
        self.records: dict[bytes, tuple[bytes, bytes]] = {}
        self.direct: list[tuple[AddressStatus, bytes]] = []

    @staticmethod
    def _probes(lines: list[tuple[str, str, str]]) -> dict[str, list[list[str]]]:
        """By the address that was asked for: the lines of each probe's message."""
        by_id: dict[str, list[str]] = {}
        asked: dict[str, str] = {}
        for program, queue_id, rest in lines:
            if program == "smtpd" or not queue_id:
                continue
            text = re.sub(r"\d{14}\.[0-9A-F]+", "TIME.ID", re.sub(r"delays?=\S+ ", "", rest))
            text = re.sub(r"size=\d+", "size=N", text)  # ours has the empty line after the header
            by_id.setdefault(queue_id, []).append(f"{program}: {text}")
            to = re.match(r"to=<([^>]*)>(?:, orig_to=<([^>]*)>)?", rest)
            if to is not None:
                asked[queue_id] = to[2] or to[1]
        found: dict[str, list[list[str]]] = {}
        for queue_id, texts in by_id.items():
            probes = found.setdefault(asked.get(queue_id, ""), [])
            if texts not in probes:  # Postfix may probe again while it waits
                probes.append(texts)
        return found

    def remembered(self, host: Host) -> dict[bytes, tuple[bytes, bytes]]:
        """Status and text of each address in the database, once it has been written."""
        store = DatabaseStore("btree", f"{self._data}/verify_cache")
        until(lambda: b"user@local.test" in store.load(), what=lambda: f"a cache on disk: {host.log()}")
        records = {key: value.split(b":", 3) for key, value in store.load().items()}
        return {key: (status, text) for key, (status, _, _, text) in records.items()}


def _ask_directly(door: Path, address: bytes) -> tuple[AddressStatus, bytes]:
    """A question of ours to a socket of verify(8)."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(str(door))
        reader = AttributeReader()

        def read() -> dict[bytes, bytes]:
            found: dict[bytes, bytes] = {}
            while (attribute := reader.next()) != (b"", b""):
                if attribute is None:
                    data = sock.recv(4096)
                    assert data
                    reader.feed(data)
                else:
                    found[attribute[0]] = attribute[1]
            return found

        assert read() == {b"protocol": PROTOCOL}
        sock.sendall(encode_query(address))
        return answer_from(read())


def _play(host: str) -> Played:
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        base.chmod(0o755)
        users = stack.enter_context(SystemUsers(base, ["user", "other", "forwards"]))
        users.write("forwards", ".forward", "other\n")
        (base / "aliases").write_text(_ALIASES)
        for arguments in _SINKS.values():
            command = ["/usr/sbin/smtp-sink", "-u", "nobody", *arguments, "10"]
            sink = stack.enter_context(subprocess.Popen(command))
            stack.callback(sink.kill)
        settings = {name: value.format(base=base) for name, value in _SETTINGS.items()}
        (base / "postfix").mkdir()
        running: OurHost | TheirHost
        if host == "ours":
            running = stack.enter_context(OurHost(settings, ""))
        else:
            services = "verify unix - - n - 1 verify\n"
            running = stack.enter_context(TheirHost(base / "postfix", settings, services))
        played = Played(running, _ROUND, _AGAIN, running.data)
        played.records = played.remembered(running)
        played.direct = [
            _ask_directly(running.queue / "private" / "verify", address)
            for address in (b"user@local.test", b"x@hard.test", b"x@soft.test")
        ]
        return played


def test_the_same_as_postfix() -> None:
    """Replies, refusals in the log, the lines of probes, and what is remembered."""
    theirs, ours = _play("theirs"), _play("ours")
    assert not [pair for pair in zip(ours.replies, theirs.replies, strict=True) if pair[0] != pair[1]]
    assert not set(ours.refusals) ^ set(theirs.refusals)
    different = {
        address
        for address in ours.probes.keys() | theirs.probes.keys()
        if ours.probes.get(address) != theirs.probes.get(address)
    }
    shown = [
        f"{address}\n  ours: {ours.probes.get(address)}\n  theirs: {theirs.probes.get(address)}"
        for address in different - set(DIFFERENCES)
    ]
    assert not shown, "\n".join(shown)
    assert set(DIFFERENCES) <= different, "no longer different: take it off"
    assert ours.records == theirs.records
    assert ours.direct == theirs.direct
