"""System users with passwords, on top of bench/isolation.py's: this process and its children alone know them."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "benchmark"
NAMES = tuple(f"bench{number:03d}" for number in range(61))
_UID = 6100


@contextmanager
def login_users(root: Path) -> Iterator[None]:
    """The users exist, with homes below `root`; only where /etc is our own."""
    passwd, shadow = Path("/etc/passwd").read_text(), Path("/etc/shadow").read_text()
    stored = _stored()
    for number, name in enumerate(NAMES):
        home = root / name
        home.mkdir(mode=0o755)
        os.chown(home, _UID + number, _UID + number)
        passwd += f"{name}:x:{_UID + number}:{_UID + number}::{home}:/bin/sh\n"
        shadow += f"{name}:{stored}:19000:0:99999:7:::\n"
    for name, text, mode in (("passwd", passwd, 0o644), ("shadow", shadow, 0o600)):
        path = root / f"login-{name}"
        path.write_text(text)
        path.chmod(mode)
        subprocess.run(["mount", "--bind", str(path), f"/etc/{name}"], check=True)
    try:
        yield
    finally:
        for name in ("passwd", "shadow"):
            subprocess.run(["umount", f"/etc/{name}"], check=True)


def _stored() -> str:
    """As passwd(1) of Debian stores a password: yescrypt."""
    libcrypt = ctypes.CDLL("libcrypt.so.1")
    libcrypt.crypt.restype = ctypes.c_char_p
    setting = b"$y$j9T$F5Jx5fExrKuPp53xLKQ..1$"
    return str(libcrypt.crypt(PASSWORD.encode(), setting).decode())
