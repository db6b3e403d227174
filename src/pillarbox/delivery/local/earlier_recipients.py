"""Whom a message has been delivered to before, as its Delivered-To: fields say: who gets it again is in a loop.

STANDARDS
    local(8), pipe(8): Delivered-To:
"""

import re
from typing import Final

from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.queue.content_lines import read_content
from pillarbox.queue.file_source import FileSource

_FIELD: Final = b"delivered-to:"
_VALUE: Final = re.compile(rb"(?m)^delivered-to:([^\n]*)")
_WINDOW: Final = 65536
_NOBODY: Final[frozenset[bytes]] = frozenset()


def earlier_recipients(descriptor: int, data_offset: int, *, files: FileSystem = DISK) -> frozenset[bytes]:
    """Those of the message in a queue file, in lower case.  CorruptQueueFile or OSError if it cannot be read.

    A short message without the field's name, as nearly all are, is not taken apart.
    """
    source = FileSource(descriptor, files=files)
    window = source.read_at(data_offset, _WINDOW)
    if len(window) < _WINDOW and _FIELD not in window.lower():
        return _NOBODY
    lines: list[bytes] = []
    for line in read_content(source, data_offset):
        if not line:
            break
        lines.append(line)
    return named_in(b"\n".join(lines))


def named_in(header: bytes) -> frozenset[bytes]:
    """The same of a header with LF line ends."""
    return frozenset(match[1].strip() for match in _VALUE.finditer(header.lower()))
