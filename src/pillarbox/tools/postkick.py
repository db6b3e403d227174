"""postkick(1): wake a service of the mail system.

DESCRIPTION
    postkick [-v] [-c config_dir] class service request

    `postkick public qmgr FI` sends the letters F and I to the socket public/qmgr below queue_directory, as
    `postqueue -f` does; what they mean is the service's.

FAULTS
    exit 1: nobody is there; wrong use
"""

import os
import sys
from typing import Final

from pillarbox.config.parameters.paths import Paths
from pillarbox.tools import run_command
from pillarbox.tools.command_line import parsed_options
from pillarbox.tools.command_settings import Stop, fatal, read_settings, tell
from pillarbox.tools.triggers import trigger

_PROGRAM: Final = "postkick"
_USAGE: Final = "usage: postkick [-c config_dir] [-v] class service request"


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    except Stop as stop:
        return fatal(_PROGRAM, stop)


def _run(argv: list[str]) -> int:
    given, words = parsed_options(_PROGRAM, argv, "c:v", usage=_USAGE)
    if len(words) != 3:
        raise Stop(_USAGE)
    group, service, request = words
    paths = read_settings(dict(given).get("-c", "")).group(Paths)
    try:
        trigger(paths.queue_directory, f"{group}/{service}", os.fsencode(request))
    except OSError as error:
        if not isinstance(error, ConnectionError):
            tell(_PROGRAM, f"warning: unable to look up {group}/{service}: {error.strerror}")
        tell(
            _PROGRAM,
            f"warning: Cannot contact class {group} service {service} - perhaps the mail system is down",
        )
        return 1
    return 0


if __name__ == "__main__":
    run_command(main)
