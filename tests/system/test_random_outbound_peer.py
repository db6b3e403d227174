"""Random servers and services for the way out: what is logged, said and returned is what Debian's Postfix makes of them.

DESCRIPTION
    RANDOM_OUTBOUND=seed,cases plays so many cases of a seed; without it nothing is played, for a few cases find nothing
    that test_client_parameters_peer has not.  Some differences are known, and taken out here: lmtp(8) of Postfix names
    smtp_delivery_status_filter, and Postfix's mask of EHLO keywords SMTPUTF8; DNSSEC is not probed for; QUIT is said to a
    server that cannot be used, or that is not needed any more; an address outside ASCII has the type utf-8 in ORCPT; what
    is odd in one reply to EHLO is told in an order of its own.
"""

import os
import re
import ssl
from collections.abc import Callable
from difflib import unified_diff
from pathlib import Path
from typing import Final

import pytest

from fakes.certificates import issue
from fakes.directories import let_others_in
from fakes.outbound_cases import Case, Told, play_all, services, transport_maps
from fakes.outbound_world import World
from fakes.random_outbound import RandomOutbound

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

_WANTED: Final = os.environ.get("RANDOM_OUTBOUND", "")
_MAIN_CF: Final = """\
notify_classes =
error_notice_recipient = alice@sender.test
bounce_notice_recipient = alice@sender.test
2bounce_notice_recipient = alice@sender.test
recipient_delimiter = +
smtpd_reject_unlisted_recipient = no
smtp_connection_cache_on_demand = no
smtp_randomize_addresses = no
lmtp_connection_cache_on_demand = no
smtp_tls_loglevel = 1
lmtp_tls_loglevel = 1
"""


@pytest.mark.skipif(not _WANTED, reason="RANDOM_OUTBOUND says which")
def test_random_cases(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """Case by case."""
    seed, count = map(int, _WANTED.split(","))
    let_others_in(tmp_path)
    authority = issue(tmp_path, "top").read_text()
    random = RandomOutbound(seed, _certificates(tmp_path))
    cases = [random.case(f"r{at}") for at in range(count)]
    world = World(
        tmp_path,
        [case.scenario for case in cases],
        _MAIN_CF + transport_maps(cases),
        services=services(cases),
        files={"/etc/postfix/top.crt": authority[authority.index("-----BEGIN CERT") :]},
    )
    try:
        theirs, ours = (play_all(world, host, cases) for host in (world.theirs, world.ours))
    finally:
        world.end()
    for case in cases:
        with subtests.test(case.name):
            told = [_parts(told[case.name]) for told in (theirs, ours)]
            assert told[0] == told[1], _report(case, *told)


def _certificates(directory: Path) -> Callable[[str], ssl.SSLContext]:
    """A server's context, with a certificate for its name."""

    def context(name: str) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(issue(directory, name, signer="top", names=(name,)))
        return made

    return context


def _parts(told: Told) -> str:
    """Log, wire and notice, without what is known to differ."""
    log = told.log.replace("lmtp_delivery_status_filter: bad", "smtp_delivery_status_filter: bad")
    log = log.replace("EHLO_MASK_", "")
    log = re.sub(r".*warning: (DNSSEC validation may be|reason: dnssec_probe).*\n", "", log)
    wire = re.sub(r"(?m)^QUIT\n?|^\n", "", told.wire)
    notice = told.notice.replace("\n\treport-type=global-delivery-status", " report-type=delivery-status")
    log = "\n".join(sorted(log.split("\n")))
    parts = (log, wire.replace("ORCPT=utf-8;", "ORCPT=rfc822;"), notice.replace("utf-8;", "rfc822;"))
    return "\n---\n".join(parts)


def _report(case: Case, theirs: str, ours: str) -> str:
    lines = unified_diff(theirs.split("\n"), ours.split("\n"), "postfix", "ours", lineterm="", n=2)
    return "\n".join((repr(case), *lines))
