"""Commands that scripts call often start quickly: they import nothing that only other commands need."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pillarbox.supervisor.version import VERSION

HEAVY = (
    *("asyncio", "cryptography", "dns", "argon2", "pillarbox.lab", "pillarbox.mailstore"),
    *("typing_extensions", "inspect", "ast", "tokenize"),
)
COMMANDS = (
    *("pillarbox", "doveadm", "doveconf", "mailq", "sendmail", "postcat", "postconf", "postdrop", "postkick"),
    *("postlock", "postlog", "postmap", "postqueue", "postsuper", "qshape"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_imported_at_the_start(command: str) -> None:
    """None of what is heavy."""
    names = f"import sys, pillarbox.tools.{command}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", names], check=True, capture_output=True, text=True)
    assert [name for name in done.stdout.split() if name in HEAVY] == []


def test_others_find_typing_extensions() -> None:
    """They are hidden from msgspec alone, and while it is loaded."""
    pytest.importorskip("typing_extensions")
    program = "import sys, pillarbox.tools.postconf; import typing_extensions; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True)
    assert {"msgspec", "typing_extensions"} <= set(done.stdout.split())


def test_nothing_is_looked_for_at_the_end() -> None:
    """What was loaded is no garbage: the interpreter's last collections pass it over."""
    program = (
        "import atexit, gc, sys, pillarbox.tools.postconf; "
        "atexit._run_exitfuncs(); print(gc.get_freeze_count(), len(gc.get_objects()))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True)
    frozen, looked_at = map(int, done.stdout.split())
    assert frozen > 10 * looked_at


def test_the_version_is_that_of_the_package() -> None:
    """It is written in two places."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert tomllib.loads(text)["project"]["version"] == VERSION
