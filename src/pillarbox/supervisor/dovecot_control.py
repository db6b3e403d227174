"""Starting and stopping the mailbox half from a command.

DESCRIPTION
    Who runs on a base_dir is known by its master.pid: a lock on it is ours, a living process called `dovecot`
    Dovecot's own.  Either can be stopped and told to reload; next to either none is started.

FAULTS
    StartFault  it could not be started, in its own words
    NotRunning  there is nobody to stop or to tell
"""

import os
import signal
import time
from functools import partial
from typing import NoReturn

from pillarbox.supervisor.daemonising import become, start_daemon
from pillarbox.supervisor.instance_lock import holder
from pillarbox.supervisor.listeners import StartFault
from pillarbox.supervisor.status_query import reload_and_wait
from pillarbox.vocabulary.digits import decimal

_MODULE = "pillarbox.supervisor.dovecot_master"
_STOP_SECONDS = 30


class NotRunning(Exception):
    """Nobody runs there."""


def running(base_dir: str) -> int | None:
    """The process id of who runs on a base_dir, ours or Dovecot's; None if nobody does."""
    path = f"{base_dir}/master.pid"
    held = holder(path)
    if held is not None:
        return held
    try:
        with open(path, "rb") as file:
            pid = decimal(file.read(64).strip())
    except (OSError, ValueError):
        return None
    return pid if _name(pid) == "dovecot" else None


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def already_running(base_dir: str) -> StartFault | None:
    """Why none may be started there."""
    pid = running(base_dir)
    if pid is None:
        return None
    return StartFault(f"Dovecot is already running with PID {pid} (read from {base_dir}/master.pid)")


def start(configuration: str, *, logs_to_errors: bool = False) -> None:
    """Start the supervisor as a daemon, and wait until everything serves."""
    start_daemon(_MODULE, configuration, logs_to_errors=logs_to_errors)


def become_supervisor(configuration: str) -> NoReturn:
    """Be the supervisor, in the foreground."""
    become(_MODULE, configuration)


def stop(base_dir: str) -> None:
    """SIGTERM, and wait for the end.  NotRunning."""
    _signal(base_dir, signal.SIGTERM)
    for _ in range(_STOP_SECONDS * 20):
        if running(base_dir) is None:
            return
        time.sleep(0.05)


def reload(base_dir: str) -> None:
    """SIGHUP, and wait until every role is of the new generation, five seconds at most.  NotRunning."""
    reload_and_wait(status_socket(base_dir), partial(_signal, base_dir, signal.SIGHUP), seconds=5)


def status_socket(base_dir: str) -> str:
    """Where our supervisor answers."""
    return f"{base_dir}/pillarbox-status"


def reopen_log(base_dir: str) -> None:
    """SIGUSR1: log files are opened anew under their names.  NotRunning."""
    _signal(base_dir, signal.SIGUSR1)


def _signal(base_dir: str, number: int) -> None:
    pid = running(base_dir)
    if not pid:
        raise NotRunning(f"Dovecot is not running (read from {base_dir}/master.pid)")
    os.kill(pid, number)
