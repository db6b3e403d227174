"""Values of tables that name files: what the table gives is the files' content, in base64.

DESCRIPTION
    postmap -F puts the content into a database; tables that are text themselves read it when they are opened.  The
    names are separated by commas or blanks; a line end is put between two files.

FAULTS
    FileValueFault  a file that cannot be read, no name at all, a value that is no base64; in Postfix's words

STANDARDS
    postmap(1): -F; tls_server_sni_maps (postconf(5)); RFC 4648 §4 (base64)
"""

import base64
import binascii
import errno
import re
from typing import Final

from pillarbox.files.file_system import DISK, FileSystem

_SEPARATORS: Final = re.compile(r"[ \t\r\n,]+")


class FileValueFault(Exception):
    """Why there is no content; `str()` says it."""


def encoded_files(value: str, *, files: FileSystem = DISK) -> str:
    """The content of the files that a value names."""
    names = [name for name in _SEPARATORS.split(value) if name]
    if not names:
        raise FileValueFault(f"empty pathname list: >>{value}<<'")
    contents: list[bytes] = []
    for name in names:
        try:
            contents.append(files.read_file(name))
        except OSError as error:
            action = "read" if error.errno == errno.EISDIR else "open"
            raise FileValueFault(f"{action} {name}: {error.strerror}") from error
    return base64.b64encode(b"\n".join(contents)).decode("ascii")


def decoded_files(value: str) -> bytes:
    """The content again."""
    try:
        return base64.b64decode(value.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise FileValueFault(f"malformed BASE64 value: {value[:30]}") from error
