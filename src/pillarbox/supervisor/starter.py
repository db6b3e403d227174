"""Who waits for a supervisor's start, and what a supervisor's process does before and after all else.

DESCRIPTION
    A command that starts a supervisor as a daemon waits for one line on a descriptor: `ready`, or the reason why
    not.  `-` in place of the descriptor says that nobody waits: the supervisor is the foreground of `postfix
    start-fg` or `dovecot -F`, or what a service manager started.
"""

import os
import sys
from typing import Final, NoReturn

_NOBODY_WAITS: Final = "-"


class Starter:
    """The one who waits, until he was told."""

    def __init__(self, argument: str) -> None:
        self._descriptor = None if argument == _NOBODY_WAITS else int(argument)

    def tell(self, text: str) -> bool:
        """Say the line, once; whether someone waited for it."""
        if self._descriptor is None:
            return False
        os.write(self._descriptor, (" ".join(text.split()) + "\n").encode())
        os.close(self._descriptor)
        self._descriptor = None
        return True


def leave_the_terminal() -> None:
    """Be a session, in a directory that nobody unmounts, with files that anybody may read unless said otherwise."""
    try:
        os.setsid()
    except PermissionError:
        pass  # a process group's leader, as what a shell started in the foreground
    os.chdir("/")
    os.umask(0o022)


def end(status: int) -> NoReturn:
    """End the process as it is: to take the modules of all roles to pieces takes longer than to stop the roles."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
