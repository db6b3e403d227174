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
import os
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
from pillarbox.supervisor.listeners import StartFault

EX_USAGE = 64
_INTERRUPTED = 130
_LONGEST_SECONDS = 900.0


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
        with _directory(options.data) as directory, _terminable():
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
def _directory(kept: str | None) -> Iterator[Path]:
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
    path = Path(tempfile.mkdtemp(prefix="pillarbox-lab-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _is_open(directory: Path) -> bool:
    """Whether everybody may pass it, which matters to root only: its roles become others."""
    return os.getuid() != 0 or bool(directory.stat().st_mode & 0o001)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
