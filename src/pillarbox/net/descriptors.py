"""How many files and sockets a process may have open: a shell allows 1,024, and the rest to whoever asks for it.

STANDARDS
    getrlimit(2), RLIMIT_NOFILE
"""

import resource
from typing import Final

MANY: Final = 65536
"""For thousands of sessions, and for qmgr_message_active_limit messages; as many as systemd's units allow.

Not more without need: programs of others, which users' .forward files may start, close all that they could have.
"""


def allow_descriptors() -> None:
    """Raise the limit to `MANY`, or to what the process may have at the most; it is never lowered."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    may = MANY if hard == resource.RLIM_INFINITY else min(MANY, hard)
    if soft != resource.RLIM_INFINITY and soft < may:
        resource.setrlimit(resource.RLIMIT_NOFILE, (may, hard))


def allow_all_descriptors() -> None:
    """As many as the process may have at all."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
