"""Where services of master.cf listen: each row is what Debian's Postfix does with the name."""

import socket
from typing import Final

import pytest

from pillarbox.config.master_cf import parse_master_cf
from pillarbox.config.snapshot import Snapshot
from pillarbox.supervisor.inet_addresses import inet_listeners
from pillarbox.vocabulary.faults import ConfigurationFault

HOSTS: Final = {"two.test": ("192.0.2.1", "2001:db8::1")}


@pytest.fixture(autouse=True)
def hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that are known here."""

    def found(host: str, *_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        if host not in HOSTS:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(0, 0, 0, "", (address, 0)) for address in HOSTS[host]]

    monkeypatch.setattr(socket, "getaddrinfo", found)


def listened(name: str, **settings: str) -> list[tuple[str, int]]:
    """Addresses and ports of a service of that name."""
    (service,) = parse_master_cf(f"{name} inet n - n - - smtpd\n").services
    return [
        (listener.address, listener.port)
        for listener in inet_listeners(service, Snapshot.of(settings), listen="", port_offset=0)
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("127.0.0.1:smtp", [("127.0.0.1", 25)]),
        ("[::1]:10025", [("::1", 10025)]),
        ("::1:10025", [("::1", 10025)]),
        ("[127.0.0.1]:10025", [("127.0.0.1", 10025)]),
        ("two.test:10025", [("192.0.2.1", 10025), ("2001:db8::1", 10025)]),
        ("[two.test]:10025", [("192.0.2.1", 10025), ("2001:db8::1", 10025)]),
    ],
)
def test_a_name_says_where(name: str, expected: list[tuple[str, int]]) -> None:
    """An address, or all those of a host."""
    assert expected == listened(name, inet_protocols="all")


def test_of_a_host_the_protocols_in_use_count() -> None:
    """inet_protocols."""
    assert [("192.0.2.1", 10025)] == listened("two.test:10025", inet_protocols="ipv4")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.test:10025", "host not found: none.test: Name or service not known"),
        ("*:10025", "host not found: "),
        ("127.0.0.1:70000", 'unknown service "70000"'),
        (f"127.0.0.1:{'9' * 5000}", 'unknown service "9999'),
    ],
)
def test_what_is_none_is_told(name: str, said: str) -> None:
    """With its place."""
    with pytest.raises(ConfigurationFault) as refused:
        listened(name)
    assert f"master.cf, line 1: {said}" in str(refused.value)
