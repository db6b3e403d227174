"""postlog(1): lines of a script into the mail system's log.

DESCRIPTION
    postlog [-iv] [-c config_dir] [-p priority] [-t tag] [text …]

    The text, or else each line of standard input, goes where the daemons' lines go: syslog, or maillog_file.  On a
    terminal it is shown as well.

    -p  info (the default), warn, error, fatal, panic      -t  the tag instead of postfix/postlog
    -i  is taken for old scripts' sake: the process id is always in the tag

FAULTS
    exit 1 for wrong use
"""

import os
import sys
from typing import Final

from pillarbox.tools import run_command
from pillarbox.tools.command_line import parsed_options
from pillarbox.tools.command_settings import Stop, fatal, read_settings
from pillarbox.tools.system_log import SystemLog

_PROGRAM: Final = "postlog"
_USAGE: Final = "usage: postlog [-c config_dir] [-i] [-p priority] [-t tag] [-v] [text]"
_SEVERITIES: Final = {
    "info": "",
    "warn": "warning: ",
    "warning": "warning: ",
    "error": "error: ",
    "err": "error: ",
    "fatal": "fatal: ",
    "crit": "fatal: ",
    "panic": "panic: ",
}


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    try:
        _run(sys.argv[1:] if argv is None else argv)
    except Stop as stop:
        return fatal(_PROGRAM, stop)
    return 0


def _run(argv: list[str]) -> None:
    given, words = parsed_options(_PROGRAM, argv, "c:ip:t:v", usage=_USAGE)
    options = dict(given)
    label = _SEVERITIES.get(options.get("-p", "info").lower())
    if label is None:
        raise Stop(f"invalid severity: {options['-p']}")
    snapshot = read_settings(options.get("-c", ""))
    tag = options.get("-t") or os.environ.get("MAIL_LOGTAG", "")
    log = SystemLog(snapshot, program=_PROGRAM, label=tag or "postlog", tag=tag)
    lines = [" ".join(words)] if words else (line.removesuffix("\n") for line in sys.stdin)
    for line in lines:
        log.note(f"{label}{line}")


if __name__ == "__main__":
    run_command(main)
