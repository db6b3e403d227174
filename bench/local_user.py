"""A system user for local delivery, known to this process and its children alone.

The process gets mounts of its own, with a copy of /etc/passwd over the real one.
"""

import ctypes
import os
import subprocess
from pathlib import Path

NAME = "benchmark"
DOMAIN = "local.test"
UID = 6001

_CLONE_NEWNS = 0x00020000


def add_local_user(root: Path) -> Path:
    """The user exists from here on; its home, below `root`."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "cannot have mounts of our own")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    home = root / "home"
    home.mkdir(mode=0o755)
    os.chown(home, UID, UID)
    passwd = root / "passwd"
    passwd.write_text(Path("/etc/passwd").read_text() + f"{NAME}:x:{UID}:{UID}::{home}:/bin/sh\n")
    subprocess.run(["mount", "--bind", str(passwd), "/etc/passwd"], check=True)
    return home
