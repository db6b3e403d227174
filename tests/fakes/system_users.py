"""System users for one test: an /etc/passwd, /home and /var/mail of its own, mounted over the real ones.

Only for a test that runs as root in a mount namespace of its own: nobody else sees the mounts.
"""

import grp
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

FIRST_UID: Final = 6001


class SystemUsers:
    """`with SystemUsers(base, ["alice", "bob"]):` they exist, with empty homes, below `base`."""

    def __init__(self, base: Path, names: Sequence[str]) -> None:
        self.base = base
        self.uids = {name: FIRST_UID + at for at, name in enumerate(names)}
        self._mounted: list[str] = []

    def __enter__(self) -> "SystemUsers":
        passwd, group = Path("/etc/passwd").read_text(), Path("/etc/group").read_text()
        # Root's home may be where Python lives: mail for root goes elsewhere.
        passwd = re.sub(r"(?m)^(root:(?:[^:\n]*:){4})[^:\n]*", r"\1/home/root", passwd)
        for name, uid in self.uids.items():
            passwd += f"{name}:x:{uid}:{uid}:{name.title()}:/home/{name}:/bin/sh\n"
            group += f"{name}:x:{uid}:\n"
        (self.base / "passwd").write_text(passwd)
        (self.base / "group").write_text(group)
        for name, mode in (("home", 0o755), ("mail", 0o2775)):
            (self.base / name).mkdir()
            (self.base / name).chmod(mode)
        os.chown(self.base / "mail", 0, grp.getgrnam("mail").gr_gid)
        (self.base / "mail").chmod(0o2775)  # chown(2) took the bit away
        (self.base / "home" / "root").mkdir(mode=0o700)
        for name, uid in self.uids.items():
            home = self.base / "home" / name
            home.mkdir(mode=0o755)
            os.chown(home, uid, uid)
        for name, over in (
            ("passwd", "/etc/passwd"),
            ("group", "/etc/group"),
            ("home", "/home"),
            ("mail", "/var/mail"),
        ):
            subprocess.run(["mount", "--bind", str(self.base / name), over], check=True)
            self._mounted.append(over)
        return self

    def __exit__(self, *_: object) -> None:
        for over in reversed(self._mounted):
            # useradd elsewhere on the host replaces /etc/passwd, and then the mount is gone.
            subprocess.run(["umount", "--lazy", over], check=False, capture_output=True)

    def write(self, name: str, path: str, content: str, *, mode: int = 0o644) -> Path:
        """A file below a user's home, which belongs to the user."""
        file = Path("/home") / name / path
        file.write_text(content)
        os.chown(file, self.uids[name], self.uids[name])
        file.chmod(mode)
        return file
