"""`pillarbox run` that is told to stop before it serves."""

import subprocess
import sys
from pathlib import Path
from typing import Final

_SCRIPT: Final = """
import os, pathlib, signal, sys, weakref
from pillarbox.supervisor import foreground
from pillarbox.supervisor.home import Home

class Thing:
    pass

def signal_that_is_lost(_home):
    thing = Thing()
    reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGTERM))
    del thing

foreground._prepare = signal_that_is_lost
sys.exit(foreground.run_in_foreground(Home(pathlib.Path(sys.argv[1])), listen="127.0.0.1", port_offset=2000))
"""


def test_a_signal_whose_exception_is_lost_stops_it(tmp_path: Path) -> None:
    """SystemExit that is raised while a weak reference ends goes nowhere (importlib has such references); nothing starts."""
    command = [sys.executable, "-c", _SCRIPT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "Exception ignored" in done.stderr
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []
