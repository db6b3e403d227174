"""Starting a half's supervisor from a command: as a daemon, or in the command's own place.

FAULTS
    StartFault  it could not be started, in its own words
"""

import os
import subprocess
import sys
from typing import NoReturn

from pillarbox.supervisor.listeners import StartFault


def start_daemon(module: str, configuration: str, *, logs_to_errors: bool = False) -> None:
    """Start a supervisor as a daemon, and wait until everything serves.

    `logs_to_errors`: the log is standard error, and the daemon keeps it.
    """
    ours, theirs = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", module, configuration, str(theirs)],
        pass_fds=(theirs,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=None if logs_to_errors else subprocess.DEVNULL,
        cwd="/",
    )
    os.close(theirs)
    with open(ours, encoding="utf-8", errors="replace") as told:
        answer = told.readline().strip()
    if answer != "ready":
        process.wait()
        raise StartFault(answer or f"{module} ended with exit status {process.returncode}")
    process.returncode = 0  # it lives on; whoever collects it is not this process


def become(module: str, configuration: str) -> NoReturn:
    """Be the supervisor, in the foreground."""
    command = [sys.executable, "-I", "-m", module, configuration, "-"]
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter and module
