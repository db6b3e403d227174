"""A scenario of the lab: a domain, its hosts and its DNS, mail for it, and what has to come of each recipient.

DESCRIPTION
    `records` are added to the MX and address records of the hosts.  In texts, {name} is the scenario's domain,
    {port} the port of all hosts, {a0} the address of the first host, {tlsa0} and {fingerprint0} are those of its
    certificate, {authority} is the TLSA record of the lab's authority.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from pillarbox.lab.behaviour import Behaviour
from pillarbox.lab.zones import Dnssec, Fault, Zone

Fate = Literal["delivered", "returned", "refused"]


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What comes of a recipient."""

    fate: Fate
    host: int | None = None  # which host takes it; None: any
    attempts: int | None = None  # lines of the log with a status; None: any number
    status: str = ""  # enhanced status code of the notice
    text: str = ""  # a part of the reason in the notice, or of the reply to the client
    after: tuple[float, float] = (0.0, 0.0)  # when it is over, seconds from the submission; 0, 0: any time
    expires: bool = False  # when its time in the queue is up (`after` does not count)
    late: bool = False  # the sender hears that it takes longer
    tls: bool | None = None  # whether the host got it over TLS


def delivered(
    host: int | None = None,
    *,
    attempts: int | None = 1,
    after: tuple[float, float] = (0.0, 0.0),
    late: bool = False,
    tls: bool | None = None,
) -> Expected:
    """A host takes it."""
    return Expected(fate="delivered", host=host, attempts=attempts, after=after, late=late, tls=tls)


def returned(status: str, text: str = "") -> Expected:
    """The sender gets a notice after one attempt."""
    return Expected(fate="returned", status=status, text=text, attempts=1)


def expired(status: str, text: str = "") -> Expected:
    """The sender gets a notice when maximal_queue_lifetime is over, and hears of the delay before."""
    return Expected(fate="returned", status=status, text=text, attempts=None, expires=True, late=True)


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """A host of a domain."""

    does: Behaviour | None = Behaviour()  # None: nobody listens
    preference: int | None = 10  # of its MX record; None: it has none
    ipv6: bool = False  # has an AAAA record, too, and listens there if the machine can


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """Read the module's description."""

    name: str
    about: str
    hosts: tuple[Host, ...] = (Host(),)
    records: str = ""
    dnssec: Dnssec = ""
    below: Zone | None = None  # a zone below the domain, its name and records relative to it
    fault: Fault = ""
    fault_seconds: float = 0.0
    delay: float = 0.0
    truncated: bool = False
    expected: Mapping[str, Expected] = msgspec.field(default_factory=lambda: {"bob": delivered(0)})
    sender: str = "alice@pillarbox.test"  # "" for a notice
    header: str = ""  # more lines of it
    body: str = "Hello.\n"
    parameters: tuple[str, ...] = ()  # of MAIL
    messages: int = 1
    at: float = 0.0  # when they are sent, seconds of the lab's time
    policy: str = ""  # of smtp_tls_policy_maps
    transport: str = ""  # of transport_maps
    service: str = ""  # a line of master.cf
    settings: str = ""  # lines of main.cf
    client: str = ""  # mail from outside: the name of the client, which is host 0
    listed: bool = False  # in the block list
    only_port_25: bool = False  # means nothing where hosts are on other ports

    @property
    def domain(self) -> str:
        """Where the mail goes, or comes from."""
        return f"{self.name}.test"

    @property
    def is_silent(self) -> bool:
        """Whether a host says nothing where something is due."""
        return any(host.does is not None and host.does.is_silent for host in self.hosts)


def host(
    does: Behaviour | None = Behaviour(),  # noqa: B008 - frozen
    *,
    preference: int | None = 10,
    ipv6: bool = False,
) -> Host:
    """A host, short to write; None: nobody listens."""
    return Host(does=does, preference=preference, ipv6=ipv6)
