"""Why mail comes back, or waits, beside Debian's Postfix: the same report to the octet, the same lines in the log.

All causes of bounce_causes.py are tried at once.  Differences stand in bounce_cause_differences.txt, with reasons.
"""

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from fakes.bounces_played import play, read_differences
from fakes.certificates import issue
from fakes.directories import let_others_in
from fakes.host import Host
from fakes.mail_system import until
from fakes.outbound_world import Scenario, World
from system.bounce_causes import ALIASES, CAUSES, DELAYS, MAIN_CF, SERVICES, SET_UP, WAITING, WAITS, Cause

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The hosts, once for all causes."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    known, strange = issue(directory, "known"), issue(directory, "strange")
    made = World(
        directory,
        [_scenario(cause, {"known": known, "strange": strange}) for cause in (*CAUSES, *WAITING)],
        MAIN_CF,
        files={"/etc/postfix/aliases": ALIASES, "/etc/postfix/known.pem": known.read_text()},
        services=SERVICES,
    )
    try:
        for host in (made.theirs, made.ours):
            host.output(SET_UP)
        yield made
    finally:
        made.end()


def _scenario(cause: Cause, certificates: dict[str, Path]) -> Scenario:
    """Its domain."""
    servers = cause.servers
    if cause.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates[cause.certificate])
        servers = tuple(msgspec.structs.replace(server, tls=context) for server in servers)
    return Scenario(name=cause.name, servers=servers, records=cause.records)


def _compare(world: World, causes: tuple[Cause, ...], subtests: pytest.Subtests) -> None:
    with ThreadPoolExecutor(2) as threads:
        theirs, ours = threads.map(lambda host: play(host, causes), (world.theirs, world.ours))
    known = read_differences(Path(__file__).parent / "bounce_cause_differences.txt")
    for name in ("", *(cause.name for cause in causes)):
        with subtests.test(name or "warnings"):
            known.compare(name, theirs.get(name, ""), ours.get(name, ""))


def test_mail_that_comes_back(world: World, subtests: pytest.Subtests) -> None:
    """Of each cause, the whole report, and what the log says of it."""
    _compare(world, CAUSES, subtests)


def _is_loaded(host: Host) -> bool:
    """Whether all who answer have the new settings: postfix reload waits for nobody."""
    for _ in range(5):
        with host.connect(25) as sock, sock.makefile("rb") as file:
            if WAITS.encode() not in file.readline():
                return False
    return True


def test_mail_that_waits(world: World, subtests: pytest.Subtests) -> None:
    """Of each cause, the warning that it is late, if the sender wants one."""
    for host in (world.theirs, world.ours):
        settings = " ".join(f"'{name}={value}'" for name, value in DELAYS.items())
        host.output(f"postconf -e {settings} && postfix reload")
    for host in (world.theirs, world.ours):
        until(lambda host=host: _is_loaded(host), what=lambda host=host: host.log()[-3000:])  # type: ignore[misc]
    _compare(world, WAITING, subtests)
