"""`pillarbox lab`: an internet on this machine, a Pillarbox inside, and mail that flows.

    pillarbox lab [--seed N] [--scenario NAME]... [--list] [--data DIR]

EXIT STATUS
    0    every recipient got what the scenarios say
    1    somebody did not, or it could not be started; a line says why
    64   no such scenario
    130  Ctrl-C
"""

import argparse
import contextlib
import fcntl
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

from pillarbox.lab.catalogue import SCENARIOS
from pillarbox.lab.lab import Lab, Overdue
from pillarbox.lab.places import on_loopback
from pillarbox.lab.scenario import Scenario
from pillarbox.lab.screen import Screen
from pillarbox.lab.verdict import results
from pillarbox.net.system_clock import SystemClock
from pillarbox.supervisor.listeners import StartFault

EX_USAGE = 64
_INTERRUPTED = 130
_LONGEST_SECONDS = 900.0
_PREFIX = "pillarbox-lab-"


def run_lab(options: argparse.Namespace) -> int:
    """The command; its exit status."""
    try:
        chosen = choose(options.scenario)
    except KeyError as error:
        print(f"pillarbox: no scenario {error.args[0]}; pillarbox lab --list names them", file=sys.stderr)
        return EX_USAGE
    if options.list:
        for scenario in chosen:
            print(f"{scenario.name:<18} {scenario.about}")
        return 0
    try:
        with _terminable(), lab_directory(options.data) as directory:
            return _run(chosen, seed=options.seed, directory=directory)
    except KeyboardInterrupt:  # before there was anything to sum up
        return _INTERRUPTED
    except (StartFault, Overdue, OSError) as fault:
        print(f"pillarbox: {fault}", file=sys.stderr)
        return 1


def choose(names: list[str]) -> list[Scenario]:
    """The scenarios that are meant; all if none is named.  KeyError with a name that is none."""
    if not names:
        return list(SCENARIOS.values())
    chosen: dict[str, Scenario] = {}
    for name in names:
        found = [
            scenario
            for scenario in SCENARIOS.values()
            if scenario.name == name or (name.endswith("*") and scenario.name.startswith(name[:-1]))
        ]
        if not found:
            raise KeyError(name)
        chosen |= {scenario.name: scenario for scenario in found}
    return list(chosen.values())


def _run(chosen: list[Scenario], *, seed: int, directory: Path) -> int:
    places = on_loopback()
    chosen = [scenario for scenario in chosen if places.port == 25 or not scenario.only_port_25]
    begun = time.monotonic()
    lab = Lab(chosen, seed=seed, directory=directory, places=places)
    screen = Screen(lab, sys.stdout, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    screen.begin(seed)
    status = 0
    with lab:
        lab.submit_all()
        try:
            lab.run(watch=screen.line, told=screen.submitted, seconds=_LONGEST_SECONDS)
        except KeyboardInterrupt:
            status = _INTERRUPTED
        found = results(lab)
        screen.summary(found, seconds=time.monotonic() - begun)
    return status or (0 if all(result.is_right for result in found) else 1)


@contextlib.contextmanager
def lab_directory(kept: str | None) -> Iterator[Path]:
    """Where the lab is: the directory that is to be kept, or one that goes, as those of labs that were killed do.

    StartFault if `kept` exists, or is below what is closed to roles.
    """
    if kept:
        path = Path(kept).absolute()
        if path.exists():
            raise StartFault(f"{path} exists; the lab wants a directory of its own")
        closed = next((parent for parent in path.parents if parent.exists() and not _is_open(parent)), None)
        if closed is not None:
            raise StartFault(
                f"{closed} is closed to the users that roles become; chmod o+x, or choose another"
            )
        path.mkdir(parents=True)
        yield path
        return
    _remove_directories_of_killed_labs()
    path = Path(tempfile.mkdtemp(prefix=_PREFIX))
    held = _hold(str(path))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        if held is not None:
            os.close(held)


def _hold(directory: str) -> int | None:
    """A descriptor with a lock, which tells other labs that this one is there; None if another has it."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _remove_directories_of_killed_labs() -> None:
    """This user's, once they are older than a lab can become."""
    now = SystemClock().now()
    with os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if not re.fullmatch(rf"{_PREFIX}[a-z0-9_]{{8}}", entry.name):  # as mkdtemp makes names
                continue
            with contextlib.suppress(OSError):  # another lab tidies up, too
                status = entry.stat(follow_symlinks=False)
                if status.st_uid != os.geteuid() or now - status.st_mtime < _LONGEST_SECONDS:
                    continue
                held = _hold(entry.path)
                if held is not None:
                    shutil.rmtree(entry.path, ignore_errors=True)
                    os.close(held)


def _is_open(directory: Path) -> bool:
    """Whether everybody may pass it, which matters to root only: its roles become others."""
    return os.getuid() != 0 or bool(directory.stat().st_mode & 0o001)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM, and a terminal that is closed, end it as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, action in before.items():
        if action is not signal.SIG_IGN:  # nohup
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
