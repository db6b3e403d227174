"""Starting and stopping the MTA half from a command.

DESCRIPTION
    A running supervisor is known by the locks it holds, Postfix's own master(8) as well as ours, so that all of
    this works on whichever of the two runs.

FAULTS
    StartFault  it could not be started, in its own words
"""

import os
import signal
import time
from collections.abc import Callable
from typing import NoReturn

from pillarbox.supervisor.daemonising import become, start_daemon
from pillarbox.supervisor.instance_lock import holder
from pillarbox.supervisor.queue_permissions import Instance
from pillarbox.supervisor.status_query import ask_status

_MODULE = "pillarbox.supervisor.postfix_master"


def running(instance: Instance) -> int | None:
    """The process id of who runs on this queue; None if nobody does."""
    pid = holder(f"{instance.queue_directory}/pid/master.pid")
    return pid if pid is not None else holder(f"{instance.data_directory}/master.lock")


def start(instance: Instance) -> None:
    """Start the supervisor as a daemon, and wait until everything serves."""
    start_daemon(_MODULE, instance.config_directory)


def become_supervisor(instance: Instance) -> NoReturn:
    """Be the supervisor, in the foreground."""
    become(_MODULE, instance.config_directory)


def stop(instance: Instance, pid: int, *, waiting: Callable[[], None]) -> bool:
    """SIGTERM, then wait five seconds; whether it ended.  `waiting` is called once a second."""
    os.kill(pid, signal.SIGTERM)
    for _ in range(5):
        for _ in range(20):
            if running(instance) is None:
                return True
            time.sleep(0.05)
        waiting()
    return running(instance) is None


def kill_group(pid: int) -> None:
    """End all of it at once."""
    os.killpg(pid, signal.SIGKILL)


def reload_and_wait(instance: Instance, pid: int) -> None:
    """SIGHUP, and wait until every role is of the new generation; half a minute at most.

    Postfix's own master(8) does not say when it is done: it gets the second that its own script gives it.
    """
    path = status_socket(instance)
    before = ask_status(path)
    os.kill(pid, signal.SIGHUP)
    if before is None:
        time.sleep(1)
        return
    for _ in range(600):
        now = ask_status(path)
        if now is None or now["reloads"] != before["reloads"]:
            return
        time.sleep(0.05)


def status_socket(instance: Instance) -> str:
    """Where the supervisor answers."""
    return f"{instance.queue_directory}/private/pillarbox-status"
