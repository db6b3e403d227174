"""The first step of `make run`: what is missing on a fresh machine is installed, or asked for in one line."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("cat", "cut", "dirname", "env", "grep", "make", "rm", "sh", "sha256sum", "tr", "touch")

PYTHON_39 = """#!/bin/sh
case "$1" in
--version) echo Python 3.9.2 ;;
*) exit 1 ;;
esac
"""
WITHOUT_VENV = """#!/bin/sh
# A Debian python3 without python3-venv, until apt-get has put it there.
case "$*" in
*version_info*) exit 0 ;;
*ensurepip*) [ -e "$0.venv" ] ;;
"-m venv .venv") echo made a venv; exit 9 ;;
*) exit 1 ;;
esac
"""
APT_GET = """#!/bin/sh
echo "apt-get $*" >>"$(dirname "$0")/log"
case "$*" in *python3-venv*) touch "$(dirname "$0")/python3.venv" ;; esac
"""


class Machine:
    """A checkout, and a PATH with nothing but what a fresh Debian has."""

    def __init__(self, root: Path) -> None:
        self.checkout = root / "checkout"
        self.programs = root / "bin"
        self.programs.mkdir()
        for name in ("scripts", "requirements"):
            shutil.copytree(ROOT / name, self.checkout / name)
        for name in ("pyproject.toml", "Makefile"):
            shutil.copy(ROOT / name, self.checkout / name)
        for name in NEEDED:
            found = shutil.which(name)
            assert found is not None, name
            (self.programs / name).symlink_to(found)

    def add(self, name: str, script: str) -> None:
        """A program."""
        path = self.programs / name
        path.write_text(script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def become(self, uid: int) -> None:
        """Who runs it."""
        self.add("id", f"#!/bin/sh\necho {uid}\n")

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """A command in the checkout."""
        environment = {
            name: value for name, value in os.environ.items() if name not in ("PYTHON", "MAKEFLAGS")
        }
        return subprocess.run(
            command,
            cwd=self.checkout,
            env={**environment, "PATH": str(self.programs)},
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A fresh one."""
    return Machine(tmp_path)


def test_wrong_python(machine: Machine) -> None:
    """One line says which Python is needed and which there is; make adds its own that it stopped."""
    machine.become(1000)
    machine.add("python3", PYTHON_39)
    done = machine.run("scripts/prepare-venv", "run")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "pillarbox: Python 3.11 or later is needed; found: Python 3.9.2\n"
    made = machine.run("make", "run")
    assert made.stderr.startswith(done.stderr)
    assert made.stderr.count("\n") == 2
    assert not (machine.checkout / ".venv").exists()


def test_no_python(machine: Machine) -> None:
    """None at all."""
    machine.become(1000)
    done = machine.run("scripts/prepare-venv", "run")
    assert done.returncode == 1
    assert done.stderr == "pillarbox: Python 3.11 or later is needed; found: none\n"


def test_newer_python_under_another_name(machine: Machine) -> None:
    """python3 is too old, python3.13 is there: it is taken."""
    machine.become(1000)
    machine.add("python3", PYTHON_39)
    machine.add("python3.13", WITHOUT_VENV.replace('[ -e "$0.venv" ]', "exit 0"))
    done = machine.run("scripts/prepare-venv", "run")
    assert (done.returncode, done.stdout) == (9, "made a venv\n")


def test_python_that_can_make_an_environment(machine: Machine) -> None:
    """python3 is new enough but has no venv, python3.13 has: it is taken, and nobody is asked for anything."""
    machine.become(1000)
    machine.add("python3", WITHOUT_VENV)
    machine.add("python3.13", WITHOUT_VENV.replace('[ -e "$0.venv" ]', "exit 0"))
    done = machine.run("scripts/prepare-venv", "run")
    assert (done.returncode, done.stdout) == (9, "made a venv\n")
    assert "python3-venv" not in done.stderr


def test_chosen_python(machine: Machine) -> None:
    """PYTHON=... is taken, or nothing."""
    machine.become(1000)
    machine.add("python3", WITHOUT_VENV.replace('[ -e "$0.venv" ]', "exit 0"))
    machine.add("other", PYTHON_39)
    done = machine.run("env", "PYTHON=other", "scripts/prepare-venv", "run")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "pillarbox: Python 3.11 or later is needed; found: Python 3.9.2\n"


def test_no_venv_for_a_user(machine: Machine) -> None:
    """Without root's rights: the one line to type."""
    machine.become(1000)
    machine.add("python3", WITHOUT_VENV)
    machine.add("apt-get", APT_GET)
    done = machine.run("scripts/prepare-venv", "run")
    assert done.returncode == 1
    assert done.stderr == "pillarbox: python3-venv is missing; type: sudo apt-get install python3-venv\n"
    assert not (machine.programs / "log").exists()


def test_no_venv_for_root(machine: Machine) -> None:
    """Root: it is installed, and the start goes on."""
    machine.become(0)
    machine.add("python3", WITHOUT_VENV)
    machine.add("apt-get", APT_GET)
    done = machine.run("scripts/prepare-venv", "run")
    assert (done.returncode, done.stdout) == (9, "made a venv\n")
    assert done.stderr == "pillarbox: installing python3-venv\n"
    assert (machine.programs / "log").read_text() == (
        "apt-get update -qq\napt-get install -y -qq --no-install-recommends python3-venv\n"
    )
