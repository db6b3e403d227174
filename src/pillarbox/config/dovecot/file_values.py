"""Values that stand in a file of their own: `name = <path`.

DESCRIPTION
    Of PEM files the path is kept, because whoever uses them reads them with the rights of a start; of all others
    the content is the value, as it stands there.

FAULTS
    OSError  the file cannot be read, or is none

STANDARDS
    Dovecot's configuration file syntax, "Reading value from file"
"""

import errno
import os
from typing import Final

_MOST_OCTETS: Final = 1 << 20


OF_PEM: Final = frozenset(
    "ssl_cert ssl_key ssl_ca ssl_dh ssl_alt_cert ssl_alt_key ssl_client_cert ssl_client_key".split()
)
"""Settings of which the path is kept."""


def content_of(path: str) -> str:
    """What stands in a file, a MiB at most."""
    if os.path.exists(path) and not os.path.isfile(path):  # nobody waits for a FIFO or a terminal
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read(_MOST_OCTETS)
