"""A file of keys and values: Dovecot's `file` dict, for whoever names its keys himself.

DESCRIPTION
    Keys and values in turn, a line each, as in `attribute_dict.py`, which says what annotations are called there.
    A change is made under `FILE.lock`; directories above the file are made with it.

FAULTS
    OSError    the file cannot be read or written
    StoreBusy  the lock is not given back

STANDARDS
    Dovecot 2.3, lib-dict (file)
"""

import os
from collections.abc import Callable

from pillarbox.files.directories import make_directories
from pillarbox.files.file_system import FileSystem
from pillarbox.files.replacing import replace_file
from pillarbox.mailstore.dovecot_files.attribute_dict import escape, parse
from pillarbox.mailstore.dovecot_files.dotlock import DotLock
from pillarbox.vocabulary.clock import Clock


class DictFile:
    """The file at `path`; functions wait for locks."""

    def __init__(self, path: bytes, files: FileSystem, clock: Clock) -> None:
        self._path = path
        self._files = files
        self._clock = clock

    def entries(self) -> dict[bytes, bytes]:
        """All of them, in the order of the file."""
        try:
            return parse(self._files.read_file(self._path))
        except FileNotFoundError:
            return {}

    def change(self, key: bytes, new: Callable[[bytes | None], bytes | None]) -> None:
        """`new` makes of a value the next one; None is for a key that is not there, or is to go."""
        make_directories(os.path.dirname(self._path), self._files)
        with DotLock(self._path, files=self._files, clock=self._clock):
            entries = self.entries()
            before = entries.get(key)
            value = new(before)
            if value == before:
                return
            if value is None:
                del entries[key]
            else:
                entries[key] = value
            content = b"".join(b"%b\n%b\n" % (escape(key), escape(value)) for key, value in entries.items())
            replace_file(self._files, self._path, [content], temporary=self._path + b".new")
