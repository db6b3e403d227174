"""What is wrong in main.cf or master.cf, and does not keep Debian's Postfix from serving, does not keep ours either.

DESCRIPTION
    Each mistake is in one smtpd service, or in the cleanup(8) behind it; all of them are there at once.  Both servers
    start, and each exchange goes as with Postfix: mail that the mistake does not touch is taken, and what it touches
    waits.  What differs stands in misconfiguration_differences.txt.  What Postfix warns of, ours warns of, too.

    What Postfix's own program ends from (`fatal:`) is refused at our start instead: test_mistakes_peer.py.
"""

import itertools
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from fakes.certificates import issue
from fakes.directories import let_others_in
from fakes.smtp_exchanges import Exchange, have
from fakes.smtp_server_pair import (
    Difference,
    Server,
    both_servers,
    check_differences,
    differences,
    labels,
    listed_differences,
)
from system.misconfiguration_cases import SETTINGS, TOLD_BY, exchanges, log_name, make_files, services

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix")]

_LIST: Final = Path(__file__).with_name("misconfiguration_differences.txt")
_AT_ONCE: Final = 8
_ABOUT_THE_CLIENT: Final = re.compile("ETRN|non-SMTP command|TLS library problem: .*wrong version number")


def test_what_is_wrong_in_one_place_leaves_the_rest(tmp_path: Path) -> None:
    """Step by step the same replies as Postfix's; and nobody looks for the cause in vain.

    Behind the first reply that differs the rest of an exchange is another one.
    """
    let_others_in(tmp_path)
    make_files(tmp_path)
    certificate = issue(tmp_path, "top")
    certificate.chmod(0o644)
    smtpds, cleanups = services(tmp_path, certificate)
    had = exchanges(smtpds)
    with both_servers(SETTINGS, smtpds, further=cleanups) as servers:
        theirs, ours = (replies(had, server) for server in servers)
        missing = untold(smtpds, *(server.log() for server in servers))
    found: list[Difference] = []
    for exchange, one, other in zip(had, theirs, ours, strict=True):
        found += itertools.islice(differences(exchange.name, one, other, labels(exchange)), 1)
    found += [Difference(name, "log", "a warning", "none") for name in missing]
    check_differences(found, listed_differences(_LIST))


def replies(had: Iterable[Exchange], server: Server) -> list[list[list[str]]]:
    """What the services of a server say."""
    with ThreadPoolExecutor(_AT_ONCE) as at_once:
        return list(at_once.map(lambda exchange: have(exchange, server.port(exchange.service)), had))


def untold(mistakes: Iterable[str], theirs: str, ours: str) -> list[str]:
    """The mistakes that Postfix's log tells of, and ours does not."""
    return sorted(told(mistakes, theirs) - told(mistakes, ours))


def told(mistakes: Iterable[str], log: str) -> set[str]:
    """The mistakes that the log warns of: under the name of their service, by its place in master.cf, or in these words."""
    warnings = [
        line for line in re.findall(".* (?:warning|error): .*", log) if not _ABOUT_THE_CLIENT.search(line)
    ]
    places = re.findall(r"(/\S+/master\.cf), line (\d+)", "\n".join(warnings))
    services = set(re.findall(r"syslog_name ?= ?(\S+)", "".join(service_at(*place) for place in places)))
    services |= {name for line in warnings for name in re.findall(r" (mistake-[\w-]+)/", line)}
    words = "\n".join(warnings)
    return {name for name in mistakes if log_name(name) in services or TOLD_BY.get(name, "\n") in words}


def service_at(path: str, line: str) -> str:
    """The service of master.cf that has such a line."""
    lines = Path(path).read_text(encoding="utf-8").splitlines(keepends=True)
    first = last = int(line) - 1
    while lines[first].startswith(" "):
        first -= 1
    while lines[last + 1 : last + 2] and lines[last + 1].startswith(" "):
        last += 1
    return "".join(lines[first : last + 1])
