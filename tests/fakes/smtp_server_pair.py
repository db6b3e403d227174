"""Debian's SMTP server and ours, side by side with the same services: exchanges are had with both, and compared.

DESCRIPTION
    `both_servers()` starts them, `play()` has exchanges and finds what differs.  What is meant to differ stands in a
    list beside the test, a line each: exchange, step, `deliberate` or `not yet`, and why.
"""

import itertools
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from fakes.debian_postfix import PORT, DebianPostfix
from fakes.mail_system import PATIENCE, PATIENT_WITH_GUESSERS, MailSystem, until
from fakes.smtp_exchanges import Exchange, have

FIRST_PORT: Final = 1101
"""Of the services' own ports: below all that a system under test may have, which begin at 2025."""


Services = Mapping[str, Mapping[str, str]]
"""Name → settings of an smtpd of its own."""


class Difference(NamedTuple):
    """A step at which the servers do not say the same."""

    exchange: str
    step: str
    theirs: str
    ours: str


def differences(
    name: str, theirs: list[list[str]], ours: list[list[str]], steps: list[str]
) -> Iterator[Difference]:
    """Step by step, until one of them has closed."""
    for at, step in enumerate(steps):
        one = " / ".join(theirs[at]) if at < len(theirs) else "-"
        other = " / ".join(ours[at]) if at < len(ours) else "-"
        if one != other:
            yield Difference(name, step, one, other)


def labels(exchange: Exchange) -> list[str]:
    """What the list of differences calls each step."""
    sent = [step if isinstance(step, bytes) else step.data for step in exchange.steps]
    texts = [
        repr(data)[2:-1] if len(data) < 100 else f"{repr(data[:40])[2:-1]}... ({len(data)})" for data in sent
    ]
    return ["connect", *texts, "QUIT"]


class Server:
    """One of the two: its ports by service, and what it says of its decisions."""

    def __init__(
        self,
        names: Iterable[str],
        first: int,
        default: int,
        log: Callable[[], str],
        queue: Path,
        *,
        lines: re.Pattern[str],
    ) -> None:
        self._ports = {name: first + at for at, name in enumerate(names)} | {"smtp": default}
        self.log = log
        self.queue = queue
        self.sessions = 0
        self._lines = lines
        self._decisions: list[str] = []
        self._read = 0  # of the log, so many characters

    def port(self, service: str) -> int:
        """Where a service is."""
        return self._ports[service]

    def decisions(self) -> list[str]:
        """`NOQUEUE: reject: RCPT from …` and the like, without queue ids and ports, once the last session has ended."""
        self.until_idle()
        log = self.log()
        end = log.rfind("\n") + 1
        for match in self._lines.finditer(log, self._read, end):
            line = re.sub(r"^(warning: |)[0-9A-Z]+(?=: )", r"\1ID", match[match.lastindex or 1])
            self._decisions.append(re.sub(r"(?<=\]:)\d+", "PORT", line))
        self._read = end
        return self._decisions

    def inspections(self) -> Counter[str]:
        """What header and body checks said.  Postfix's cleanup(8) logs it when it comes to it."""
        return Counter(_INSPECTION.findall(self.log()))

    def until_idle(self) -> None:
        """Wait until its sessions have been logged to their ends."""
        until(self._is_idle, what="the session is logged to its end")

    def _is_idle(self) -> bool:
        log = self.log()
        return self.sessions <= log.count("]: connect from ") == log.count("]: disconnect from ")


_DECISION: Final = re.compile(
    r"/smtpd\[\d+\]: ((?:NOQUEUE|[0-9A-F]+): (?:reject|reject_warning|hold|discard|redirect|bcc|warn|info|filter|permit): .*|warning: restriction .* ignored.*|"
    r"warning: (?:restriction \S+ returns OK for|Unable to look up|\S+ RBL lookup error).*)"
)
_INSPECTION: Final = re.compile(
    r"/cleanup\[\d+\]: [0-9A-F]+: ([a-z]+: (?:header|body|content|mime-error) .*)"
)


DECISIONS_AND_COUNTS: Final = re.compile(
    rf"{_DECISION.pattern}|/smtpd\[\d+\]: ((?:disconnect from|lost connection after|improper command pipelining after) .*|"
    r"discarding EHLO keywords: .*|warning: (?:Illegal address syntax from \S+ in VRFY|restriction permit_naked_ip_address is) .*|"
    r"[0-9A-F]+: client=.*|"
    r"warning: (?:non-SMTP command|unknown DSN NOTIFY|\S+: SASL \S+ authentication aborted|\S+ lookup error for|"
    r"[0-9A-Z]+: .*BDAT) ?.*)"
)
"""And how a session ended, with the counts of its commands."""
EVERY_LINE: Final = re.compile(r"/smtpd\[\d+\]: (.*)")
"""All that smtpd(8) says."""


def _smtpd_services(services: Services, hosts: Mapping[str, Sequence[str]]) -> str:
    lines: list[str] = []
    for at, (name, options) in enumerate(services.items()):
        for host in hosts.get(name, ("127.0.0.1",)):
            lines.append(f"{host}:{FIRST_PORT + at} inet n - n - - smtpd\n")
            lines += [f"  -o {{ {parameter} = {value} }}\n" for parameter, value in options.items()]
    return "".join(lines)


@contextmanager
def both_servers(
    settings: Mapping[str, str],
    services: Services,
    *,
    further: str = "",
    hosts: Mapping[str, Sequence[str]] | None = None,
    compared: re.Pattern[str] = _DECISION,
) -> Iterator[tuple[Server, Server]]:
    """Debian's Postfix and ours; ours has the users for both.  `further` are other lines of master.cf.

    Services listen at 127.0.0.1, unless `hosts` says where; `compared` are the lines of the log that are decisions.
    """
    lines = _smtpd_services(services, hosts or {}) + further
    ours = MailSystem(rootless=True)
    ours.configure_mailboxes(PATIENT_WITH_GUESSERS)
    try:
        ours.make_home()
        ours.configure(**settings)
        with open(ours.data / "etc" / "master.cf", "a", encoding="utf-8") as file:
            file.write(lines)
        ours.start()
        private = ours.data / "spool" / "private"
        for path in (ours.data, ours.data / "spool", private):
            path.chmod(0o755)
        (private / "auth").chmod(0o666)
        theirs = {
            **settings,
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": str(private / "auth"),
            "smtpd_tls_cert_file": str(ours.data / "etc" / "self-signed.pem"),
            "smtpd_tls_key_file": str(ours.data / "etc" / "self-signed.key"),
        }
        with tempfile.TemporaryDirectory() as directory:
            base = Path(directory)
            base.chmod(0o755)
            with DebianPostfix(base, settings=theirs, services=_FURTHER + lines) as postfix:
                yield (
                    Server(services, FIRST_PORT, PORT, postfix.log, base / "spool", lines=compared),
                    Server(
                        services,
                        FIRST_PORT + ours.offset,
                        ours.port("smtp"),
                        ours.log,
                        ours.data / "spool",
                        lines=compared,
                    ),
                )
        assert ours.is_healthy()
        assert ours.stop() == 0
    finally:
        ours.end()


_FURTHER: Final = "tlsmgr unix - - n 1000? 1 tlsmgr\nflush unix n - n 1000? 0 flush\n"


def listed_differences(path: Path) -> dict[tuple[str, str], str]:
    """Exchange and step → why the replies may differ there."""
    found: dict[tuple[str, str], str] = {}
    for line in path.read_text(encoding="utf-8").split("\n"):
        if not line or line.startswith("#"):
            continue
        exchange, step, kind, reason = line.split(" | ")
        assert kind in ("deliberate", "not yet"), line
        assert reason, line
        found[exchange, step] = f"{kind}: {reason}"
    return found


def settled_logs(servers: Sequence[Server], known: Sequence[int], *, patience: float) -> list[str]:
    """What each has logged behind the lines that are known; postlogd(8) may be some seconds late."""

    def logs() -> list[str]:
        pairs = zip(servers, known, strict=True)
        return ["\n".join(server.decisions()[count:]) for server, count in pairs]

    deadline = time.monotonic() + patience
    while len(set(found := logs())) > 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def play(
    exchanges: Iterable[Exchange],
    theirs: Server,
    ours: Server,
    listed: Iterable[tuple[str, str]],
    *,
    forgiven: Callable[[str], str] = str,
) -> list[Difference]:
    """Has the exchanges with both, and finds what differs; a log that may differ is not waited for.

    `forgiven` makes of a line of ours what Postfix would say in its place.
    """
    found: list[Difference] = []
    with ThreadPoolExecutor(2) as at_once:
        for exchange in exchanges:
            known = [len(server.decisions()) for server in (theirs, ours)]
            ports = (server.port(exchange.service) for server in (theirs, ours))
            one, other = at_once.map(have, itertools.repeat(exchange), ports)
            other = [forgiven(" / ".join(lines)).split(" / ") if lines else [] for lines in other]
            for server in (theirs, ours):
                server.sessions += 1
            found += differences(exchange.name, one, other, labels(exchange))
            if one != other:
                continue  # what is decided differs as well
            patience = 0 if (exchange.name, "log") in listed else PATIENCE
            logs = settled_logs((theirs, ours), known, patience=patience)
            if logs[0] != logs[1]:
                found.append(Difference(exchange.name, "log", *logs))
    return found


def check_differences(found: Iterable[Difference], listed: Mapping[tuple[str, str], str]) -> None:
    """Each is on the list, and nothing on the list is the same by now."""
    unlisted = [difference for difference in found if (difference.exchange, difference.step) not in listed]
    report = "\n".join(
        f"{name} | {step}\n    Postfix: {theirs_said}\n    ours:    {ours_said}"
        for name, step, theirs_said, ours_said in unlisted
    )
    assert not unlisted, f"\n{report}"
    gone = set(listed) - {(difference.exchange, difference.step) for difference in found}
    assert not gone, f"no difference any more, take it off the list: {gone}"
