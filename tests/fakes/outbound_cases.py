"""Parameters of transports beside Debian's Postfix: many services of master.cf, each with values of its own, at once.

Each case is a service, a domain that goes to it and servers of that domain.  All messages are given to one host, then
to the other; what is compared of a case is what its service logged, what was said to its servers and what came back.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from fakes.host import Host
from fakes.mail_system import until
from fakes.outbound_world import (
    MESSAGE,
    Scenario,
    Server,
    World,
    conversation,
    is_over,
    read_differences,
    settle,
    submit,
)
from fakes.postfix_texts import normal_line, normal_notice

_AT_ITS_START: Final = re.compile(
    r"warning: (?:error opening chain file|cannot get \S+ private key|No PEM data in|error loading private keys)|"
    r"(?:error: open|is unavailable\. open) |cannot load Certification Authority data|"
    r"TLS library problem: .*(?:[Nn]o such file|system lib)"
)
"""What a process of Postfix says of its files when it begins, which ours have said at the start."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A service, and mail for it."""

    name: str
    settings: Mapping[str, str] = {}
    servers: tuple[Server, ...] = (Server(),)
    records: str = ""
    program: str = "smtp"
    arguments: str = ""  # of it, flags=DORX
    nexthop: str = ""
    recipients: tuple[str, ...] = ("bob",)
    message: bytes = MESSAGE
    parameters: tuple[str, str] = ("", "")
    sender: str = ""
    messages: int = 1  # one after the other

    @property
    def scenario(self) -> Scenario:
        """What World knows of it."""
        return Scenario(
            name=self.name,
            servers=self.servers,
            records=self.records,
            recipients=self.recipients,
            message=self.message,
            parameters=self.parameters,
            sender=self.sender,
        )

    @property
    def service(self) -> str:
        """Its lines of master.cf."""
        lines = [f"{self.name} unix - - n - - {self.program}", f"  -o syslog_name=postfix/{self.name}"]
        lines += [f"  -o {{ {name} = {value} }}" for name, value in self.settings.items()]
        return "\n".join([*lines, *([f"  {self.arguments}"] if self.arguments else [])]) + "\n"


class Told(msgspec.Struct, frozen=True):
    """What came of a case on one host."""

    log: str
    wire: str
    notice: str


def transport_maps(cases: Sequence[Case]) -> str:
    """Entry of main.cf: each domain goes to its service."""
    return "transport_maps = inline:{{{}}}\n".format(
        "".join(f"\n  {{ {case.name}.test = {case.name}:{case.nexthop} }}" for case in cases) + "\n  "
    )


def services(cases: Sequence[Case]) -> str:
    """Lines of master.cf."""
    return "".join(case.service for case in cases)


def play_all(world: World, host: Host, cases: Sequence[Case]) -> dict[str, Told]:
    """Case → what came of it."""
    every = [server for case in cases for server in world.servers.get(case.name, [])]
    for server in every:
        server.forget()
    maildir = host.file("/home/alice/Maildir")
    old = set(maildir.glob("new/*"))
    logged = len(host.log())
    ids: dict[str, str] = {}
    waiting: dict[str, tuple[Case, int]] = {}
    for turn in range(max(case.messages for case in cases)):
        for case in cases:
            if turn < case.messages:
                queue_id = submit(host, case.scenario)
                ids[queue_id] = case.name
                waiting[queue_id] = case, turn
        until(
            lambda: _done(host.log()[logged:], waiting),
            what=lambda: (
                f"{ {case.name for case, _ in waiting.values()} } are tried: {host.log()[logged:][-3000:]}"
            ),
        )
    settle(host, since=logged)
    until(lambda: not any(server.open for server in every), what="servers are left")
    lines: dict[str, list[str]] = defaultdict(list)
    for line in host.log()[logged:].split("\n"):
        found = re.search(r" postfix/(\w+)/(?:smtp|lmtp)\[", line) or re.search(
            r" postfix/(?:bounce|error|smtp|lmtp|discard)\[\d+\]: (\w+): ", line
        )
        if found and not _AT_ITS_START.search(line):
            lines[ids.get(found[1], found[1])].append(normal_line(line))
    for known in lines.values():  # those of other processes have an order of their own
        known.sort(
            key=lambda line: (line.startswith(("bounce: ", "error: ", "discard: ")), line.partition(":")[0])
        )
    notices: dict[str, list[str]] = defaultdict(list)
    for path in set(maildir.glob("new/*")) - old:
        text = path.read_text(errors="surrogateescape")
        found = re.search(r"(?:Final-Recipient: rfc822; .*@|errors from mx\d\.)(\w+)\.test", text)
        if found:
            notices[found[1]].append(normal_notice(text))
    return {
        case.name: Told(
            "\n".join(lines[case.name]),
            "\n".join(conversation(server, in_order=False) for server in world.servers.get(case.name, [])),
            "\n".join(sorted(notices[case.name])),
        )
        for case in cases
    }


def differences(
    theirs: Mapping[str, Told], ours: Mapping[str, Told], cases: Sequence[Case], listed: Path
) -> list[str]:
    """What differs and is not on the list, or is on the list and does not differ."""
    known = read_differences(listed)
    reports = [f"{name} is on the list, and no case" for name in known if name.partition(":")[0] not in ours]
    for case in cases:
        for part in ("log", "wire", "notice"):
            one, other = getattr(theirs[case.name], part), getattr(ours[case.name], part)
            if (one == other) is (f"{case.name}:{part}" in known):
                reports.append(f"== {case.name}: {part} {dict(case.settings)}\n{one}\n--- and ours:\n{other}")
    return reports


def _done(log: str, waiting: dict[str, tuple[Case, int]]) -> bool:
    for queue_id, (case, _) in list(waiting.items()):
        if is_over(log, queue_id, len(case.recipients)):
            del waiting[queue_id]
    return not waiting
