"""All hosts and zones of some scenarios, serving.

DESCRIPTION
    `Internet` gives each host of each scenario an address, makes the zones, and serves both in a thread of its
    own: whoever tests is free to block.  `settings()` are the lines of main.cf and master.cf that the scenarios
    need in the system that sends.

FAULTS
    OSError     an address that cannot be had
    ValueError  records of a scenario that cannot be read
"""

import asyncio
import datetime
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from pillarbox.lab.certificates import KINDS, Authority, Certificate
from pillarbox.lab.mail_host import MailHost
from pillarbox.lab.name_server import NameServer
from pillarbox.lab.places import Places
from pillarbox.lab.scenario import Scenario
from pillarbox.lab.zones import SignedZones, Zone
from pillarbox.net.listeners import Listener
from pillarbox.vocabulary.clock import Clock

_HOMES: Final = "pillarbox.test"
_BLOCK_LIST: Final = "bl.test"
_IMPATIENT: Final = "impatient unix - - n - - smtp" + "".join(
    f" -o smtp_{phase}_timeout=5s" for phase in "helo starttls mail rcpt data_init data_done".split()
)
"""For hosts that say nothing where something is due.  All others have the time that the busiest machine takes."""


class _Placed(msgspec.Struct, kw_only=True):
    """A host and where it is."""

    scenario: Scenario
    number: int  # within its scenario
    address: str
    ipv6: str
    host: MailHost | None
    certificate: Certificate | None


class Internet:
    """Serves from `start()` to `stop()`."""

    def __init__(
        self, scenarios: Iterable[Scenario], *, places: Places, seed: int, directory: Path, clock: Clock
    ) -> None:
        """Certificates are written below `directory`."""
        self.scenarios = {scenario.name: scenario for scenario in scenarios}
        self.places = places
        self._clock = clock
        now = datetime.datetime.now(datetime.UTC)  # who checks certificates goes by the machine's clock
        self.authority = Authority(directory, seed=seed, now=now)
        self._placed: dict[str, list[_Placed]] = {}
        numbers = iter(range(50_000))
        for scenario in self.scenarios.values():
            self._placed[scenario.name] = [
                self._place(scenario, at, next(numbers)) for at in range(len(scenario.hosts))
            ]
        self.zones = SignedZones(self._zones(), seed=seed, name_server=places.name_server, now=now)
        self.name_server = NameServer(self.zones, clock=clock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = asyncio.Event()
        self._fault: BaseException | None = None
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="internet", daemon=True)

    # -- life ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Serve; returns when everything answers."""
        self._thread.start()
        self._up.wait()
        if self._fault is not None:
            raise self._fault

    def stop(self) -> None:
        """Everything goes."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except (OSError, ExceptionGroup) as fault:
            self._fault = fault.exceptions[0] if isinstance(fault, ExceptionGroup) else fault
        finally:
            self._up.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            await self.name_server.start(self.places.name_server, self.places.name_server_port)
            listeners: list[Listener] = []
            for placed in (one for hosts in self._placed.values() for one in hosts):
                if placed.host is None:
                    continue
                for address in filter(None, (placed.address, placed.ipv6)):
                    listener = await placed.host.start(address, self.places.port, tasks)
                    listeners.append(listener)
            self._up.set()
            await self._stopped.wait()
            self.name_server.stop()
            for listener in listeners:
                listener.stop()
                listener.cancel()

    # -- hosts -----------------------------------------------------------------------------------------

    def host(self, scenario: str, number: int = 0) -> MailHost:
        """A host that listens."""
        found = self._placed[scenario][number].host
        assert found is not None, f"nobody listens on host {number} of {scenario}"
        return found

    def hosts(self, scenario: str) -> list[MailHost | None]:
        """All hosts of a scenario; None where nobody listens."""
        return [placed.host for placed in self._placed[scenario]]

    def address(self, scenario: str) -> str:
        """Where its first host is."""
        return self._placed[scenario][0].address

    def addresses(self) -> list[str]:
        """Of all hosts, IPv4."""
        return [placed.address for hosts in self._placed.values() for placed in hosts]

    def _place(self, scenario: Scenario, at: int, number: int) -> _Placed:
        described = scenario.hosts[at]
        does = described.does
        name = scenario.client or f"mx{at}.{scenario.domain}"
        kind = next((kind for kind in KINDS if does is not None and kind == does.tls), None)
        certificate = self.authority.issue(name, kind) if kind else None
        context = self.authority.context(certificate, kind) if certificate and kind else None
        return _Placed(
            scenario=scenario,
            number=at,
            address=self.places.host(number),
            ipv6=self._ipv6(number) if described.ipv6 and self.places.ipv6 else "",
            host=None if does is None else MailHost(name, does, clock=self._clock, tls=context),
            certificate=certificate,
        )

    def _ipv6(self, number: int) -> str:
        if self.places.ipv6 == "::1":
            # There is but one: the first who wants it has it.
            taken = any(placed.ipv6 for hosts in self._placed.values() for placed in hosts)
            return "" if taken else "::1"
        return f"{self.places.ipv6}{number + 16:x}"

    # -- the DNS ---------------------------------------------------------------------------------------

    def _zones(self) -> Iterable[Zone]:
        yield Zone(name=_HOMES, records=f"@ IN MX 10 mail\nmail IN A {self.places.own}")
        yield Zone(
            name="in-addr.arpa",
            records="\n".join(
                f"{_reversed(placed.address)} IN PTR {_name(placed)}."
                for hosts in self._placed.values()
                for placed in hosts
            ),
        )
        yield Zone(name=_BLOCK_LIST, records="\n".join(self._listed()))
        for scenario in self.scenarios.values():
            yield Zone(
                name=scenario.domain,
                records="\n".join(self._records(scenario)),
                dnssec=scenario.dnssec,
                fault=scenario.fault,
                fault_seconds=scenario.fault_seconds,
                delay=scenario.delay,
                truncated=scenario.truncated,
            )
            if scenario.below is not None:
                yield msgspec.structs.replace(
                    scenario.below,
                    name=f"{scenario.below.name}.{scenario.domain}",
                    records=self.expanded(scenario.below.records, scenario),
                )

    def _listed(self) -> Iterable[str]:
        yield "2.0.0.127 IN A 127.0.0.2"  # the entry for tests (RFC 5782 §5)
        for hosts in self._placed.values():
            for placed in hosts:
                if placed.scenario.listed:
                    yield f"{_reversed(placed.address)} IN A 127.0.0.2"
                    yield f'{_reversed(placed.address)} IN TXT "{placed.scenario.name} is a known foe"'

    def _records(self, scenario: Scenario) -> Iterable[str]:
        for placed in self._placed[scenario.name]:
            preference = scenario.hosts[placed.number].preference
            if preference is not None:
                yield f"@ IN MX {preference} {_name(placed)}."
            yield f"{_name(placed)}. IN A {placed.address}"
            if placed.ipv6:
                yield f"{_name(placed)}. IN AAAA {placed.ipv6}"
        yield self.expanded(scenario.records, scenario)

    # -- the system that sends -------------------------------------------------------------------------

    def expanded(self, text: str, scenario: Scenario) -> str:
        """A text of a scenario with what it stands for."""
        values: dict[str, object] = {
            "name": scenario.domain,
            "port": self.places.port,
            "own": self.places.own,
            "authority": self.authority.tlsa,
        }
        for placed in self._placed[scenario.name]:
            values[f"a{placed.number}"] = placed.address
            if placed.certificate is not None:
                values[f"tlsa{placed.number}"] = placed.certificate.tlsa
                values[f"fingerprint{placed.number}"] = placed.certificate.fingerprint()
                values[f"keyprint{placed.number}"] = placed.certificate.fingerprint(public_key=True)
        return text.format(**values)

    def settings(self) -> tuple[str, str]:
        """Lines of main.cf, and of master.cf."""
        transports, policies, services, settings = [], [], [], ""
        for scenario in self.scenarios.values():
            if transport := scenario.transport or ("impatient:" if scenario.is_silent else ""):
                transports.append((scenario.domain, self.expanded(transport, scenario)))
            if scenario.policy:
                policies.append((scenario.domain, self.expanded(scenario.policy, scenario)))
            if scenario.settings:
                settings += self.expanded(scenario.settings, scenario) + "\n"
            if scenario.service:
                services.append(self.expanded(scenario.service, scenario))
        main_cf = (
            (f"smtp_tcp_port = {self.places.port}\n" if self.places.port != 25 else "")
            + f"""\
smtp_tls_security_level = may
smtp_tls_CAfile = {self.authority.path}
smtp_tls_fingerprint_digest = sha256
smtp_tls_policy_maps = {_inline(policies)}
transport_maps = {_inline(transports)}
"""
        )
        return main_cf + settings, "".join(f"{line}\n" for line in (*services, _IMPATIENT))


def _inline(pairs: list[tuple[str, str]]) -> str:
    return (
        f"inline:{{\n{''.join(f'  {{ {key} = {value} }}{chr(10)}' for key, value in pairs)}  }}"
        if pairs
        else ""
    )


def _name(placed: _Placed) -> str:
    return placed.scenario.client or f"mx{placed.number}.{placed.scenario.domain}"


def _reversed(address: str) -> str:
    return ".".join(reversed(address.split(".")))
