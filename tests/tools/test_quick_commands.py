"""Commands that scripts call often start quickly: they import nothing that only other commands need."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pillarbox.supervisor.version import VERSION

HEAVY = ("asyncio", "cryptography", "dns", "argon2", "pillarbox.lab", "pillarbox.mailstore")


@pytest.mark.parametrize(
    "command", ["pillarbox", "doveadm", "mailq", "sendmail", "postmap", "postsuper", "postconf"]
)
def test_what_is_imported_at_the_start(command: str) -> None:
    """None of what is heavy."""
    names = f"import sys, pillarbox.tools.{command}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", names], check=True, capture_output=True, text=True)
    assert [name for name in done.stdout.split() if name in HEAVY] == []


def test_the_version_is_that_of_the_package() -> None:
    """It is written in two places."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert tomllib.loads(text)["project"]["version"] == VERSION
