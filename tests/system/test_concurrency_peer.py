"""How many connections a destination sees at once: Debian's Postfix, ours, and the formula, delivery by delivery.

A gate stands before each destination: connections wait for their greeting until the test lets one in or turns it away
(421, which counts as a failure to reach the site).  After each the next number of waiting connections has to be what
`Window` says.  When a destination is dead, mail for it is suspended, with the same words; a flush revives it.
"""

import queue
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import pytest

from fakes.directories import let_others_in
from fakes.host import PACKAGED, Host
from fakes.mail_system import PATIENCE, until
from fakes.network import Network, _ip
from fakes.pillarbox_host import INSTALLED, install
from fakes.postfix_services import MASTER_CF
from fakes.scripted_server import ScriptedServer
from fakes.smtp_submission import SmtpClient
from pillarbox.scheduling.concurrency import ConcurrencyRules, Window, read_feedback

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "unshare", "ip"),
]

MESSAGES: Final = 30
_MESSAGE: Final = b"Subject: x\r\n\r\nx\r\n"
_SUSPENDED: Final = "delivery temporarily suspended: "
_MAIN_CF: Final = """\
compatibility_level = 3.6
myhostname = mail.sender.test
mydestination = $myhostname
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
biff = no
maillog_file = /var/log/mail.log
notify_classes =
disable_dns_lookups = yes
smtp_tls_security_level = none
smtp_connection_cache_on_demand = no
minimal_backoff_time = 3600s
maximal_backoff_time = 3600s
smtpd_reject_unlisted_recipient = no
"""


class Case(msgspec.Struct, frozen=True):
    """A transport of its own; `+` lets a connection in, `-` turns one away."""

    name: str
    script: str
    initial: int = 5
    limit: int = 20
    positive: str = "1"
    negative: str = "1"
    cohorts: int = 1

    @property
    def rules(self) -> ConcurrencyRules:
        """For the formula."""
        return ConcurrencyRules(
            initial=self.initial,
            limit=self.limit,
            positive=read_feedback(self.positive),
            negative=read_feedback(self.negative),
            failed_cohort_limit=self.cohorts,
        )

    @property
    def settings(self) -> str:
        """For main.cf."""
        prefix = f"{self.name}_destination_concurrency"
        return (
            f"{self.name}_initial_destination_concurrency = {self.initial}\n{prefix}_limit = {self.limit}\n"
            f"{prefix}_positive_feedback = {self.positive}\n{prefix}_negative_feedback = {self.negative}\n"
            f"{prefix}_failed_cohort_limit = {self.cohorts}\n"
        )


CASES: Final = (
    Case("plain", "+++-++--+-+++"),
    Case("cautious", "+" * 14 + "---+++", positive="1/concurrency", negative="1/concurrency"),
    Case("root", "+" * 9 + "--+--", positive="1 / sqrt_concurrency", negative="1 / sqrt_concurrency"),
    Case("half", "++++-+-+--++", positive="0.5", negative="0.3", cohorts=9),
    Case("still", "+++-+-", positive="0", negative="0", cohorts=9),
    Case("bounded", "+++++-+++", limit=7),
    Case("narrow", "++-++", initial=3, limit=2, cohorts=9),
    Case("single", "++", limit=1),
    Case("dying", "---"),
    Case("hardy", "----", initial=2, cohorts=3),
    Case("climber", "+" * 8 + "-" * 9),
)


PRODUCTS: Final = ("postfix", "pillarbox")
_MARK: Final = "mark"
_PLAYED: Final = [
    (case, product)
    for case in CASES
    for product in PRODUCTS
    # Postfix 3.7.11 documents sqrt_concurrency, and takes it for malformed.
    if (product, case.name) != ("postfix", "root")
]
_NAMES: Final = (*(case.name for case in CASES), _MARK)


class Forecast(msgspec.Struct, frozen=True):
    """What the formula says."""

    waiting: list[int]  # connections, at first and after each step
    suspended: int  # messages that are deferred without a connection of their own, after the last step
    delivered: int  # when the gate is open at last


def forecast(case: Case) -> Forecast:
    """With enough messages for each step."""
    window = Window(case.rules)
    busy = window.size
    left = MESSAGES - busy
    waiting = [busy]
    for step in case.script:
        if step == "+":
            window.succeeded(busy)
        else:
            window.failed()
        busy -= 1
        if window.is_dead:
            return Forecast([*waiting, busy], left, MESSAGES)
        more = max(0, window.size - busy)
        assert more <= left, f"{case.name}: too few messages"
        busy, left = busy + more, left - more
        waiting.append(busy)
    return Forecast(waiting, 0, MESSAGES - case.script.count("-"))


class Gate:
    """One destination."""

    def __init__(self, address: str) -> None:
        self._decisions: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.came = self._decided = 0
        self._is_open = False
        self._server = ScriptedServer(address, 25, {"greeting": self._greet})

    @property
    def waiting(self) -> int:
        """Connections before the gate."""
        return self.came - self._decided

    def decide(self, step: str) -> None:
        """Let one in, or turn it away."""
        self._decided += 1
        self._decisions.put(b"220 gate ESMTP" if step == "+" else b"421 4.3.2 Not now")

    def open(self) -> None:
        """For all who wait and who come."""
        self._is_open = True
        while self.waiting > 0:
            self.decide("+")

    def close(self) -> None:
        """For those who come from now on."""
        self._is_open = False

    def end(self) -> None:
        """Nobody listens any more."""
        self.open()
        self._server.close()

    def _greet(self, _: bytes) -> bytes:
        self.came += 1
        if self._is_open:
            self._decided += 1
            return b"220 gate ESMTP"
        return self._decisions.get(timeout=5 * PATIENCE)  # the last one waits for the whole case


def _address(product: str, number: int) -> str:
    return f"10.53.{PRODUCTS.index(product) + 1}.{number + 1}"


class World:
    """Both hosts, and for each a gate for each case, and one that is open for marks."""

    def __init__(self, directory: Path) -> None:
        self.network = Network(directory, None)
        self.gates: dict[tuple[str, str], Gate] = {}
        for product in PRODUCTS:
            for number, name in enumerate(_NAMES):
                _ip(f"address add {_address(product, number)}/32 dev internet")
                self.gates[product, name] = Gate(_address(product, number))
            self.gates[product, _MARK].open()
        self.hosts = {product: self._host(product) for product in PRODUCTS}

    def _host(self, product: str) -> Host:
        path = PACKAGED if product == "postfix" else INSTALLED
        host = self.network.host("mail.sender.test", 2 + PRODUCTS.index(product), path=path)
        if path == PACKAGED:
            host.output("cp /usr/share/postfix/main.cf.dist /etc/postfix/main.cf")
        else:
            install(host)
        routes = " ".join(
            f"{{ {name}.test = {name}:[{_address(product, number)}] }}" for number, name in enumerate(_NAMES)
        )
        settings = "".join(case.settings for case in CASES)
        host.write("/etc/postfix/main.cf", f"{_MAIN_CF}transport_maps = inline:{{ {routes} }}\n{settings}")
        transports = "".join(f"{name} unix - - n - - smtp\n" for name in _NAMES)
        host.write("/etc/postfix/master.cf", MASTER_CF + transports)
        if path == PACKAGED:
            host.output("/usr/lib/postfix/configure-instance.sh -")
        host.start_postfix()
        host.until_answers(25)
        return host

    def mark(self, product: str) -> None:
        """A message that has come out: what was to be sent before it is under way."""
        gate = self.gates[product, _MARK]
        came = gate.came
        _submit(self.hosts[product], [f"x@{_MARK}.test"])
        until(lambda: gate.came > came, what="the mark comes out")

    def end(self) -> None:
        """Everything goes."""
        for gate in self.gates.values():
            gate.end()
        self.network.end()


def _submit(host: Host, recipients: Sequence[str]) -> None:
    """A message for each."""
    with SmtpClient(host) as client:
        for recipient in recipients:
            client.submit(sender="a@mail.sender.test", recipients=[recipient], message=_MESSAGE)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Once for all cases."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    made = World(directory)
    try:
        yield made
    finally:
        made.end()


def attempts(host: Host, case: Case) -> list[str]:
    """Status and reason of each attempt for a destination."""
    text = host.log()
    return re.findall(rf"to=<\w+@{case.name}\.test>.* status=(\w+ \(.*\))\n", text)


@pytest.mark.parametrize(
    ("case", "product"), _PLAYED, ids=[f"{case.name}-{product}" for case, product in _PLAYED]
)
def test_the_window_follows_the_formula(world: World, case: Case, product: str) -> None:
    """Growth, shrinking, limits, death and revival, as connections show them."""
    host, gate = world.hosts[product], world.gates[product, case.name]
    expected = forecast(case)

    def waits(number: int, what: str) -> None:
        until(lambda: gate.waiting == number, what=lambda: f"{what}: {number}, but {gate.waiting} wait")

    _submit(host, [f"u{number}@{case.name}.test" for number in range(MESSAGES)])
    waits(expected.waiting[0], "at first")
    for at, (step, number) in enumerate(zip(case.script, expected.waiting[1:], strict=False), start=1):
        assert not any(_SUSPENDED in line for line in attempts(host, case)), (
            f"dead after {case.script[: at - 1]}"
        )
        gate.decide(step)
        waits(number, f"after {case.script[:at]}")
        world.mark(product)
        waits(number, f"some time after {case.script[:at]}")
    if expected.suspended:
        until(
            lambda: sum(_SUSPENDED in line for line in attempts(host, case)) == expected.suspended,
            what=lambda: f"{expected.suspended} are suspended: {attempts(host, case)}",
        )
        place = _address(product, _NAMES.index(case.name))
        (line,) = {line for line in attempts(host, case) if _SUSPENDED in line}
        reason = f"host {place}[{place}] refused to talk to me: 421 4.3.2 Not now"
        assert line == f"deferred ({_SUSPENDED}{reason})"
        gate.open()  # for those who came in time
        until(lambda: len(attempts(host, case)) == MESSAGES, what="each message was tried or suspended")
        gate.close()
        host.output("postqueue -f")
        waits(min(case.initial, case.limit), "after a flush, anew")
    gate.open()
    until(
        lambda: sum(line.startswith("sent") for line in attempts(host, case)) == expected.delivered,
        what=lambda: f"what was let in is delivered: {attempts(host, case)}",
    )


def test_the_script_of_each_case_means_something() -> None:
    """Windows that grow, shrink, stand still, and die."""
    found = {case.name: forecast(case) for case in CASES}
    assert found["climber"].waiting[:9] == list(range(5, 14))
    assert {name for name, one in found.items() if one.suspended} == {"dying", "hardy", "climber"}
    assert max(found["bounded"].waiting) == 7
    assert set(found["still"].waiting) == {5}
