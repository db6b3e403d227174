"""Files of Debian's packages: whose they are, and how they step aside (dpkg-divert(1))."""

import os
import shutil
import subprocess
from typing import Final

SUFFIX: Final = ".packaged"
"""What a diverted file's name gets."""


def owner(path: str) -> str | None:
    """The package that a file belongs to; None if no package has it."""
    query = shutil.which("dpkg-query")
    if query is None:
        return None
    names = {path, os.path.realpath(os.path.dirname(path)) + "/" + os.path.basename(path)}
    if path.startswith("/usr/"):
        names.add(path.removeprefix("/usr"))  # before /bin and /usr/bin became one
    for name in sorted(names):
        done = subprocess.run([query, "-S", name], capture_output=True, text=True, check=False)
        for line in done.stdout.split("\n"):
            package, _, shown = line.rpartition(": ")
            if shown == name and not package.startswith("diversion by"):
                return package.partition(":")[0]
    return None


def divert(path: str) -> None:
    """Move a packaged file aside; upgrades of its package leave the new one alone."""
    _dpkg_divert("--add", path)


def undivert(path: str) -> None:
    """Put the packaged file back."""
    _dpkg_divert("--remove", path)


def _dpkg_divert(action: str, path: str) -> None:
    options = ["--local", "--rename", "--divert", path + SUFFIX]
    command = shutil.which("dpkg-divert") or "/usr/bin/dpkg-divert"
    subprocess.run([command, *options, action, path], check=True, capture_output=True)
