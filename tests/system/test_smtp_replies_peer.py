"""Every reply of our SMTP server beside that of Debian's: code, enhanced code and text, line by line.

DESCRIPTION
    The exchanges of smtp_reply_cases.py are had with both servers under the same settings.  What differs stands in
    `smtp_reply_differences.txt`, one line each, and nothing else may: a difference that is not listed fails,
    and so does a line whose difference is gone.
"""

import os
from pathlib import Path
from typing import Final

import pytest

from fakes.mail_system import until
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

_LIST: Final = Path(__file__).with_name("smtp_reply_differences.txt")


@pytest.mark.root
@pytest.mark.peer("postfix")
@pytest.mark.skipif(os.getuid() != 0, reason="a second Postfix is started by root only")
def test_replies_are_those_of_postfix() -> None:
    """Step by step the same reply, but for what is on the list; and nothing on the list that is the same."""
    listed = listed_differences(_LIST)
    with both_servers(SETTINGS, SERVICES, further=CLEANUP, compared=DECISIONS_AND_COUNTS) as (theirs, ours):
        found = play(EXCHANGES, theirs, ours, listed)
        until(
            lambda: theirs.inspections() == ours.inspections(),
            what=lambda: (
                f"content is inspected alike\n    Postfix: {theirs.inspections() - ours.inspections()}"
                f"\n    ours:    {ours.inspections() - theirs.inspections()}"
            ),
        )
    check_differences(found, listed)
