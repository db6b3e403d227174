"""The real doveadm on a Maildir of its own: what Dovecot makes of our files, and the other way round.

No daemon is needed.  Run by root, it reads the mail as user nobody, because Dovecot refuses to do so as root.
"""

import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path

CONFIGURATION = """\
base_dir = {base}/run
state_dir = {base}/state
log_path = /dev/stderr
ssl = no
mail_location = maildir:{base}/Maildir
mail_home = {base}
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 0
first_valid_gid = 0
stats_writer_socket_path =
namespace inbox {{
  inbox = yes
  separator = /
}}
"""
RECORD = re.compile(
    rb"(?:\A|\x0c\n)uid: (\d+)\nimap\.envelope: (.*?)\nimap\.body: (.*?)\nimap\.bodystructure: (.*?)\n"
    rb"(?=\x0c\nuid: |\Z)",
    re.DOTALL,
)


class Doveadm:
    """doveadm with a configuration and a Maildir below `base`."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.maildir = base / "Maildir"
        user = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self._owner = (user.pw_uid, user.pw_gid)
        for name in ("run", "state"):
            (base / name).mkdir()
        settings = CONFIGURATION.format(base=base, uid=user.pw_uid, gid=user.pw_gid)
        (base / "dovecot.conf").write_text(settings)

    @staticmethod
    def is_installed() -> bool:
        """Whether this machine has Dovecot."""
        return shutil.which("doveadm") is not None

    def run(self, *arguments: str, content: bytes = b"") -> bytes:
        """What the command prints; an error of the command is an error of the test."""
        self.give_files()
        command = ["doveadm", "-c", str(self.base / "dovecot.conf"), *arguments]
        environment = {
            "HOME": str(self.base),
            "USER": "tester",
            "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
        }
        done = subprocess.run(
            command, input=content, capture_output=True, check=False, env=environment, cwd=self.base
        )
        if done.returncode not in {0, 68}:
            raise AssertionError(f"{command}: {done.stderr.decode()}")
        return done.stdout

    def renderings(self) -> dict[int, tuple[bytes, bytes, bytes]]:
        """UID → ENVELOPE, BODY, BODYSTRUCTURE of every message of INBOX."""
        fields = "uid imap.envelope imap.body imap.bodystructure"
        output = self.run("-f", "pager", "fetch", fields, "mailbox", "INBOX", "all")
        return {
            int(match[1]): (b"(%s)" % match[2], b"(%s)" % match[3], b"(%s)" % match[4])
            for match in RECORD.finditer(output)
        }

    def give_files(self) -> None:
        """All files belong to the user that doveadm reads as."""
        if os.getuid() == 0:
            for path in (self.base, *self.base.rglob("*")):
                os.chown(path, *self._owner)
