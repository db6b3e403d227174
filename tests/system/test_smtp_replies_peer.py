"""Every reply of our SMTP server beside that of Debian's: code, enhanced code and text, line by line.

DESCRIPTION
    The exchanges of smtp_reply_cases.py are had with both servers under the same settings.  What differs stands in
    `smtp_reply_differences.txt`, one line each, and nothing else may: a difference that is not listed fails,
    and so does a line whose difference is gone.

    Then some random dialogues; RANDOM_DIALOGUES=first,last plays others, each seed with twenty services of random
    settings and all that smtpd(8) logs.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.mail_system import until
from fakes.random_smtp_dialogues import random_dialogue, random_services
from fakes.smtp_server_pair import (
    DECISIONS_AND_COUNTS,
    both_servers,
    check_differences,
    listed_differences,
    play,
)
from system.smtp_reply_cases import EXCHANGES
from system.smtp_reply_services import CLEANUP, SERVICES, SETTINGS

pytestmark = pytest.mark.system

_DIALOGUES: Final = tuple(
    random_dialogue(seed, service)
    for service in ("smtp", "strict", "sasl", "helo", "few", "bare", "verp", "soft", "overshoot", "access")
    for seed in range(3)
)
_SERVICES: Final = 20
_PER_SERVICE: Final = 12
_LINES: Final = re.compile(r"/smtpd\[\d+\]: (?!Anonymous TLS connection)(.*)")
_LIST: Final = Path(__file__).with_name("smtp_reply_differences.txt")


@pytest.mark.root
@pytest.mark.peer("postfix")
@pytest.mark.skipif(os.getuid() != 0, reason="a second Postfix is started by root only")
def test_replies_are_those_of_postfix() -> None:
    """Step by step the same reply, but for what is on the list; and nothing on the list that is the same."""
    listed = listed_differences(_LIST)
    with both_servers(SETTINGS, SERVICES, further=CLEANUP, compared=DECISIONS_AND_COUNTS) as (theirs, ours):
        found = play(EXCHANGES, theirs, ours, listed)
        found += play(_DIALOGUES, theirs, ours, (), forgiven=_without_requiretls)
        until(
            lambda: theirs.inspections() == ours.inspections(),
            what=lambda: (
                f"content is inspected alike\n    Postfix: {theirs.inspections() - ours.inspections()}"
                f"\n    ours:    {ours.inspections() - theirs.inspections()}"
            ),
        )
    check_differences(found, listed)


def _without_requiretls(said: str) -> str:
    """Offered under TLS, which is deliberate."""
    return re.sub(r" / 250-([^/]*) / 250 REQUIRETLS$", r" / 250 \1", said)


def _seeds() -> Iterator[int]:
    first, last = map(int, os.environ.get("RANDOM_DIALOGUES", "0,0").split(","))
    yield from range(first, last)


@pytest.mark.root
@pytest.mark.peer("postfix")
@pytest.mark.skipif(not list(_seeds()), reason="RANDOM_DIALOGUES says which")
@pytest.mark.parametrize("seed", list(_seeds()))
def test_random_dialogues(seed: int) -> None:
    """Settings that nobody has thought of, and clients that know no order."""
    services = random_services(seed, _SERVICES)
    numbers = [
        (at, seed * 100_000 + at * 1000 + one) for at in range(_SERVICES) for one in range(_PER_SERVICE)
    ]
    dialogues = [random_dialogue(number, f"random {at}") for at, number in numbers]
    with both_servers(SETTINGS, services, compared=_LINES) as (theirs, ours):
        check_differences(play(dialogues, theirs, ours, (), forgiven=_without_requiretls), {})
