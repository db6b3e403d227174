"""The end of a process in bounded time, whatever it waits for: told to end, or left alone by its parent."""

import fcntl
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

BEGUN = """\
import fcntl, os, sys, time
from pillarbox.net import last_seconds
last_seconds.SECONDS = 0.05
"""
LOCK = 'fcntl.flock(open(sys.argv[1], "r+"), fcntl.LOCK_EX)\n'


def run(text: str, lock: Path) -> "subprocess.Popen[bytes]":
    """A process of which nothing but its last seconds is known; `lock` is held by us as long as it runs."""
    return subprocess.Popen([sys.executable, "-c", BEGUN + text, str(lock)], stdout=subprocess.PIPE)


def waits_for_a_lock(pid: int) -> bool:
    """Whether the kernel has it in the queue of a lock: a signal before that is one that Python has still to act on."""
    return any(
        "->" in line and str(pid) in line.split() for line in Path("/proc/locks").read_text().splitlines()
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("last_seconds.begin()\n" + LOCK, id="told once"),
        pytest.param(
            "last_seconds.begin()\nlast_seconds.SECONDS = 1000\nlast_seconds.begin()\n" + LOCK,
            id="told twice",
        ),
        pytest.param("last_seconds.begin_with_parents_end(2**30)\n" + LOCK, id="the parent had died before"),
    ],
)
def test_it_is_ended(tmp_path: Path, text: str) -> None:
    """Whoever waits for a lock is ended by the kernel."""
    path = tmp_path / "lock"
    with open(path, "w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with run(text, path) as process:
            assert process.wait(45) == -signal.SIGALRM


def test_parent_is_killed(tmp_path: Path) -> None:
    """A child that waits for a lock, and hears nothing of any channel, ends a moment after its parent."""
    path = tmp_path / "lock"
    text = (
        "parent = os.getpid()\n"
        "if os.fork() == 0:\n"
        "    last_seconds.begin_with_parents_end(parent)\n"
        "    print(os.getpid(), flush=True)\n"
        f"    {LOCK}"
        "time.sleep(1000)\n"
    )
    with open(path, "w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with run(text, path) as parent:
            assert parent.stdout is not None
            number = int(parent.stdout.readline())
            child = os.pidfd_open(number)
            while not waits_for_a_lock(number):
                os.sched_yield()
            parent.kill()
            assert select.select([child], [], [], 20)[0] == [child]
            os.close(child)
