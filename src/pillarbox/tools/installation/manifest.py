"""What an installation put where, so that it can be taken away again: PREFIX/lib/pillarbox-installed.json."""

import json
from pathlib import Path

import msgspec


class Manifest(msgspec.Struct):
    """Paths of ours, and Debian's files that were moved aside for them."""

    files: list[str] = []
    diverted: list[str] = []

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """The manifest at a path; an empty one if nothing is installed."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            return cls()

    def write(self, path: Path) -> None:
        """Keep it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(msgspec.to_builtins(self), indent=1) + "\n")
