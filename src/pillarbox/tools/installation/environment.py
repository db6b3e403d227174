"""The programs' own copy: an interpreter's environment with this package and what it needs, below PREFIX/lib.

DESCRIPTION
    Daemons that begin as root must not run code from a directory that somebody else may write, and must not
    change under them when a checkout is updated.  So the package and its dependencies are copied into a virtual
    environment of their own, owned by root; it is built beside the old one and put into its place by rename.

FAULTS
    InstallFault  a dependency is missing
    OSError       as the kernel gives it
"""

import compileall
import os
import re
import shutil
import sys
import venv
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

import pillarbox

PACKAGE: Final = "pillarbox"
_REQUIREMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class InstallFault(Exception):
    """It cannot be installed; `str()` is the line for the admin."""


def build(target: Path) -> None:
    """Make the environment, in place of one that is there."""
    new = target.with_name(target.name + ".new")
    old = target.with_name(target.name + ".old")
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    new.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    venv.EnvBuilder(symlinks=True, with_pip=False).create(new)
    site = modules(new)
    for distribution in _distributions():
        _copy(distribution, site)
    compileall.compile_dir(site / PACKAGE, quiet=2, stripdir=str(new), prependdir=str(target))
    if os.getuid() == 0:
        for path in (new, *new.rglob("*")):
            os.chown(path, 0, 0, follow_symlinks=False)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def modules(environment: Path) -> Path:
    """Where an environment has what is imported."""
    return environment / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


def closed_directory(path: str) -> str | None:
    """The first directory above a file that an ordinary user may not pass; None if there is none."""
    directories = reversed(Path(os.path.realpath(path)).parents)
    return next((str(above) for above in directories if not above.stat().st_mode & 0o001), None)


def interpreter() -> str:
    """The interpreter that the environment will run."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def _distributions() -> Iterator[metadata.Distribution]:
    """The package and all it needs."""
    waiting, seen = [PACKAGE], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            raise InstallFault(f"package {name} is missing; run scripts/prepare-venv run") from None
        yield distribution
        for requirement in distribution.requires or ():
            wanted, _, marker = requirement.partition(";")
            match = _REQUIREMENT.match(wanted)
            if match is not None and _is_wanted(marker, match[0]):
                waiting.append(match[0].lower())


def _is_wanted(marker: str, name: str) -> bool:
    """Whether a requirement applies: extras do not; of what depends on the platform, what is installed does."""
    if "extra" in marker:
        return False
    if not marker.strip():
        return True
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _copy(distribution: metadata.Distribution, site: Path) -> None:
    for file in distribution.files or ():
        if ".." in file.parts or file.suffix == ".pth" or file.parts[0].startswith("_editable"):
            continue  # commands, which are written anew, and links to a checkout
        source, destination = Path(str(file.locate())), site / file
        if source.is_file():
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, destination)
    if distribution.name == PACKAGE:
        (checkout,) = pillarbox.__path__
        shutil.copytree(checkout, site / PACKAGE, dirs_exist_ok=True, ignore=_not_for_this_interpreter)


def _not_for_this_interpreter(directory: str, names: list[str]) -> list[str]:
    """Modules that another version has compiled.  Ours are copied; what has changed since is compiled again."""
    if os.path.basename(directory) != "__pycache__":
        return []
    return [name for name in names if not name.endswith(f".{sys.implementation.cache_tag}.pyc")]
