"""Directories of tests that the users of a mail system can get into."""

from pathlib import Path


def let_others_in(directory: Path, *, parents: int = 2) -> None:
    """Everybody may read the directory, and so many of those above it, which pytest keeps to itself.

    Rights are only added: with `--basetemp` one of them may be /tmp.
    """
    for path in (directory, *directory.parents[:parents]):
        path.chmod(path.stat().st_mode | 0o055)
