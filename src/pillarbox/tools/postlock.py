"""postlock(1): run a command while a mailbox file is locked.

DESCRIPTION
    postlock [-v] [-c config_dir] [-l lock_style] folder command …

    The locks are those that delivery takes: mailbox_delivery_lock, or what -l says (fcntl, flock, dotlock; with
    commas between them).  The command's exit status is the result.

FAULTS
    75   the folder cannot be locked, and wrong use
    1    the command cannot be run, or was killed
"""

import os
import subprocess
import sys
from typing import Final

from pillarbox.config.parameters.local_delivery import LocalDelivery
from pillarbox.delivery.mbox import MboxFault, MboxLocks, locked_file
from pillarbox.tools import run_command
from pillarbox.tools.command_line import parsed_options
from pillarbox.tools.command_settings import EX_TEMPFAIL, Stop, fatal, read_settings

_PROGRAM: Final = "postlock"
_USAGE: Final = "usage: postlock [-c config_dir] [-l lock_style] [-v] folder command..."
_STYLES: Final = frozenset(("fcntl", "flock", "dotlock"))


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    except Stop as stop:
        return fatal(_PROGRAM, stop)


def _run(argv: list[str]) -> int:
    given, words = parsed_options(_PROGRAM, argv, "c:l:v", usage=_USAGE, status=EX_TEMPFAIL)
    if len(words) < 2:
        raise Stop(_USAGE, EX_TEMPFAIL)
    folder, *command = words
    locks = _locks(dict(given))
    try:
        with locked_file(os.fsencode(folder), locks):
            status = subprocess.run(command, check=False).returncode
    except MboxFault as fault:
        raise Stop(f"open file {folder}: {fault.text}", EX_TEMPFAIL) from fault
    except OSError as error:
        raise Stop(f"execvp {command[0]}: {error.strerror}") from error
    return status if status >= 0 else 1


def _locks(options: dict[str, str]) -> MboxLocks:
    settings = read_settings(options.get("-c", ""), status=EX_TEMPFAIL).group(LocalDelivery)
    text = options.get("-l")
    styles = settings.mailbox_delivery_lock if text is None else tuple(text.replace(",", " ").split())
    for style in styles:
        if style not in _STYLES:
            shown = text if text is not None else ", ".join(styles)
            raise Stop(f'unknown mailbox_delivery_lock value "{style}" in "{shown}"', EX_TEMPFAIL)
    return MboxLocks(
        styles=frozenset(styles),
        attempts=settings.deliver_lock_attempts,
        delay=settings.deliver_lock_delay,
        stale_after=settings.stale_lock_time,
    )


if __name__ == "__main__":
    run_command(main)
