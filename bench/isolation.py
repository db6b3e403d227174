"""Namespaces of the benchmark's own: its ports, its /etc/passwd and its /etc/postfix are nobody else's.

Both are known to this process and its children alone, so that a benchmark disturbs no other and changes no file of the
machine.
"""

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

LOCAL_USER = "benchmark"
LOCAL_DOMAIN = "local.test"

_UID = 6001
_CLONE_NEWNS = 0x00020000
_CLONE_NEWNET = 0x40000000


def isolate(root: Path) -> Path:
    """Enter them; the home of a system user that exists from here on, below `root`."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot have mounts and a network of our own")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    _keep_apart(root)
    shutil.copytree("/etc/postfix", root / "etc-postfix", symlinks=True)
    (root / "etc-postfix" / "main.cf").touch()
    home = root / "home"
    home.mkdir(mode=0o755)
    os.chown(home, _UID, _UID)
    passwd = root / "passwd"
    passwd.write_text(Path("/etc/passwd").read_text() + f"{LOCAL_USER}:x:{_UID}:{_UID}::{home}:/bin/sh\n")
    for source, target in ((passwd, "/etc/passwd"), (root / "etc-postfix", "/etc/postfix")):
        subprocess.run(["mount", "--bind", str(source), target], check=True)
    return home


def _keep_apart(root: Path) -> None:
    """What stands below `root` gets block groups of its own, where the file system is ext4 (chattr(1), `T`).

    Without a journal ext4 looks at each inode of the group that was freed in the last minutes whenever it makes a file
    there: where both systems have the same group, each pays for the queue files that the other has removed.
    """
    subprocess.run(["chattr", "+T", str(root)], check=False, stderr=subprocess.DEVNULL)
