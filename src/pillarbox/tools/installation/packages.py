"""Files of Debian's packages: whose they are, and how they step aside (dpkg-divert(1))."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from typing import Final

SUFFIX: Final = ".packaged"
"""What a diverted file's name gets."""


def owners(paths: Iterable[str]) -> Mapping[str, str]:
    """The packages that files belong to; a file that no package has is missing.

    dpkg-query(1) reads the lists of all packages each time: it is asked once.
    """
    query = shutil.which("dpkg-query")
    names = {path: _names(path) for path in paths}
    if query is None or not names:
        return {}
    asked = sorted({name for several in names.values() for name in several})
    done = subprocess.run([query, "-S", *asked], capture_output=True, text=True, check=False)
    found: dict[str, str] = {}
    for line in done.stdout.split("\n"):
        package, _, name = line.rpartition(": ")
        if package and not package.startswith("diversion by"):
            found.setdefault(name, package.partition(":")[0])
    return {
        path: next(found[name] for name in several if name in found)
        for path, several in names.items()
        if not found.keys().isdisjoint(several)
    }


def _names(path: str) -> list[str]:
    """What dpkg may call a file."""
    names = {path, os.path.realpath(os.path.dirname(path)) + "/" + os.path.basename(path)}
    if path.startswith("/usr/"):
        names.add(path.removeprefix("/usr"))  # before /bin and /usr/bin became one
    return sorted(names)


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
