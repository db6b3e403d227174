"""/etc/resolv.conf and /etc/hosts.

DESCRIPTION
    Both are read again when they change; the check costs a stat(2) once a second at most.  `nameserver` lines and
    the options `timeout:`, `attempts:`, `rotate` and `use-vc` count.  Search domains do not: mail is sent to the
    domain that stands in the address, as Postfix sends it without smtp_dns_resolver_options.

FAULTS
    A file that is not there is empty; without a nameserver line, 127.0.0.1 is asked (resolv.conf(5)).
"""

import os
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final, Generic, TypeVar

import msgspec

from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.ip_addresses import is_ip_address

_MAX_SERVERS: Final = 3
_LARGEST: Final = 4 * 1024 * 1024


class ResolverOptions(msgspec.Struct, frozen=True):
    """resolv.conf(5)."""

    servers: tuple[tuple[str, int], ...] = (("127.0.0.1", 53),)
    timeout: float = 5.0
    attempts: int = 2
    use_tcp: bool = False
    rotate: bool = False
    search: tuple[str, ...] = ()  # domains that a short name may be in


class HostNames(msgspec.Struct, frozen=True):
    """hosts(5): addresses by name, and the first name of an address."""

    addresses: dict[str, tuple[str, ...]] = {}
    names: dict[str, str] = {}


def read_resolver_options(text: str) -> ResolverOptions:
    """The content of resolv.conf; lines that mean nothing are passed over, as the C library does."""
    servers: list[tuple[str, int]] = []
    numbers = {"timeout": 5, "attempts": 2}
    flags: set[str] = set()
    search: tuple[str, ...] = ()
    for line in text.split("\n"):
        words = line.split()
        if len(words) < 2 or words[0][0] in "#;":
            continue
        if words[0] == "nameserver" and is_ip_address(words[1].partition("%")[0]):
            servers.append((words[1], 53))
        elif words[0] in ("search", "domain"):
            search = tuple(word.strip(".").lower() for word in words[1:])[
                : 1 if words[0] == "domain" else None
            ]
        elif words[0] == "options":
            for option in words[1:]:
                name, _, value = option.partition(":")
                if name in numbers and value.isascii() and value.isdigit():
                    numbers[name] = decimal(value[:4].encode())
                flags.add(name)
    return ResolverOptions(
        servers=tuple(servers[:_MAX_SERVERS]) or ResolverOptions().servers,
        timeout=float(min(30, max(1, numbers["timeout"]))),
        attempts=min(5, max(1, numbers["attempts"])),
        use_tcp="use-vc" in flags,
        rotate="rotate" in flags,
        search=search,
    )


def read_host_names(text: str) -> HostNames:
    """The content of hosts(5)."""
    addresses: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for line in text.split("\n"):
        words = line.partition("#")[0].split()
        if len(words) < 2 or not is_ip_address(words[0]):
            continue
        address = str(ip_address(words[0]))
        names.setdefault(address, words[1].lower())
        for name in words[1:]:
            known = addresses.setdefault(name.lower(), [])
            if address not in known:
                known.append(address)
    return HostNames({name: tuple(found) for name, found in addresses.items()}, names)


T = TypeVar("T")


class WatchedFile(Generic[T]):
    """A small text file and what it means, read again when it changes."""

    def __init__(self, path: str, read: Callable[[str], T], *, clock: Clock) -> None:
        self._path = path
        self._read = read
        self._clock = clock
        self._checked = -1.0
        self._state: tuple[int, int, int] | None = None
        self._value = read("")

    def value(self) -> T:
        """What the file means now."""
        now = self._clock.monotonic()
        if self._checked >= 0 and now - self._checked < 1.0:
            return self._value
        self._checked = now
        try:
            status = os.stat(self._path)
            state = (status.st_mtime_ns, status.st_ino, status.st_size)
            if state != self._state:
                with open(self._path, "rb") as file:
                    self._value = self._read(file.read(_LARGEST).decode("utf-8", "replace"))
                self._state = state
        except FileNotFoundError:
            self._value, self._state = self._read(""), None
        except OSError:
            return self._value  # what was known stays known
        return self._value
