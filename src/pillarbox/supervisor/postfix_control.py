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
from functools import partial
from typing import NoReturn

from pillarbox.supervisor import status_query
from pillarbox.supervisor.daemonising import become, start_daemon
from pillarbox.supervisor.instance_lock import holder
from pillarbox.supervisor.queue_permissions import Instance
from pillarbox.supervisor.status_query import Reload, ask_status

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


def reload(instance: Instance, pid: int) -> Reload:
    """SIGHUP, and wait until every role is of the new generation: the next message meets what main.cf says now.

    Five seconds at most: the supervisor alone waits for deliveries that hang.
    Nobody waits for Postfix's own master(8), which does not say when it is done.
    """
    return _reload(instance, pid, seconds=5)


def reload_and_wait(instance: Instance, pid: int) -> None:
    """The same, for half a minute at most; Postfix's own master(8) gets the second that its own script gives it."""
    if not _reload(instance, pid, seconds=30).is_done and ask_status(status_socket(instance)) is None:
        time.sleep(1)


def _reload(instance: Instance, pid: int, *, seconds: float) -> Reload:
    return status_query.reload_and_wait(
        status_socket(instance), partial(os.kill, pid, signal.SIGHUP), seconds=seconds
    )


def status_socket(instance: Instance) -> str:
    """Where the supervisor answers."""
    return f"{instance.queue_directory}/private/pillarbox-status"
