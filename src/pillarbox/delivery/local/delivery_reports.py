"""Whether a message is a report on the delivery of another one.

STANDARDS
    RFC 6522 (multipart/report), RFC 3464
"""

import itertools
from typing import Final

from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.message.header_fields import first_value
from pillarbox.queue.content_lines import read_content
from pillarbox.queue.file_source import FileSource

_TYPE: Final = b"multipart/report"
_WINDOW: Final = 65536


def is_report(descriptor: int, data_offset: int, *, files: FileSystem = DISK) -> bool:
    """Of the message in a queue file.  CorruptQueueFile or OSError if it cannot be read."""
    source = FileSource(descriptor, files=files)
    window = source.read_at(data_offset, _WINDOW)
    if len(window) < _WINDOW and _TYPE not in window.lower():
        return False
    header = b"\r\n".join(itertools.takewhile(bool, read_content(source, data_offset)))
    value = first_value(header, b"content-type") or b""
    return value.partition(b";")[0].strip().lower() == _TYPE
