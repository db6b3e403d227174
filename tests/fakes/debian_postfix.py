"""Debian's Postfix with virtual(8) delivery, in a directory of its own, put over /etc/postfix.

Only for a test that runs as root in a mount namespace of its own: nobody else sees the mount.
"""

import contextlib
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fakes.mail_system import PATIENCE, has_ended, kill, until

PORT: Final = 1025

_MAIN_CF: Final = """\
compatibility_level = 3.6
queue_directory = {base}/spool
data_directory = {base}/lib
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = pillarbox.test
mydomain = pillarbox.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
maillog_file = {base}/log
maillog_file_prefixes = {base}
virtual_mailbox_domains = pillarbox.test
virtual_mailbox_base = {base}
virtual_mailbox_maps = static:Maildir/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
default_transport = error:5.4.4 no route
message_size_limit = 100000000
mailbox_size_limit = 0
header_size_limit = 1000000
"""
_SERVICES: Final = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""


def start_debians_postfix() -> None:
    """`postfix start`.  master(8) gives itself ten seconds, which a busy machine may not have; it may be up later."""
    for _ in range(3):
        started, there = (
            subprocess.run(
                ["/usr/sbin/postfix", word], check=False, capture_output=True, timeout=2 * PATIENCE
            )
            for word in ("start", "status")
        )
        if there.returncode == 0:
            return
    raise AssertionError(f"Postfix does not start: {started.stderr!r}")


def stop_debians_postfix(queue: Path) -> None:
    """Its master(8) and all of its processes end, if it runs: `postfix stop` would sleep for a second."""
    text = (queue / "pid" / "master.pid").read_text().strip()
    process = Path("/proc", text)
    with contextlib.suppress(FileNotFoundError):
        if process.joinpath("cwd").readlink() == queue.resolve():
            kill(int(text), signal.SIGTERM)
            until(lambda: has_ended(int(text)), what="Debian's master has ended")


class DebianPostfix:
    """A running Postfix; mail for all of pillarbox.test goes to `base`/Maildir."""

    def __init__(self, base: Path, *, settings: Mapping[str, str] | None = None, services: str = "") -> None:
        """`settings` replace main.cf's own, `services` are further lines of master.cf."""
        self.base = base
        self._settings = settings or {}
        self._services = services
        self.maildir = base / "Maildir"
        self._configuration = base / "etc"

    def __enter__(self) -> "DebianPostfix":
        owner = pwd.getpwnam("nobody")
        self._configuration.mkdir()
        for name in ("dynamicmaps.cf", "postfix-files", "post-install", "postfix-script"):
            if Path(f"/etc/postfix/{name}").exists():
                shutil.copy(f"/etc/postfix/{name}", self._configuration)
        text = _MAIN_CF.format(base=self.base, uid=owner.pw_uid, gid=owner.pw_gid)
        # One line for each name: postlogd(8) would choke on its own warnings of lines that override others.
        lines = (line.partition("=") for line in text.splitlines())
        values = {name.strip(): value.strip() for name, _, value in lines} | dict(self._settings)
        main_cf = "".join(f"{name} = {value}\n" for name, value in values.items())
        (self._configuration / "main.cf").write_text(main_cf)
        (self._configuration / "master.cf").write_text(_SERVICES.format(port=PORT) + self._services)
        for name in ("spool", "lib"):
            (self.base / name).mkdir()
        shutil.chown(self.base / "lib", "postfix")
        self.maildir.mkdir(mode=0o700)
        shutil.chown(self.maildir, owner.pw_uid, owner.pw_gid)
        shutil.chown(self.base, owner.pw_uid, owner.pw_gid)
        subprocess.run(["mount", "--bind", str(self._configuration), "/etc/postfix"], check=True)
        try:
            start_debians_postfix()
        except AssertionError as fault:
            self._unmount()
            raise AssertionError(f"{fault} {self.log()}") from fault
        return self

    def __exit__(self, *_: object) -> None:
        stop_debians_postfix(self.base / "spool")
        self._unmount()

    def log(self) -> str:
        """What it logged."""
        path = self.base / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def delivered(self) -> list[Path]:
        """The messages."""
        return [path for name in ("new", "cur") for path in (self.maildir / name).glob("*")]

    @staticmethod
    def _unmount() -> None:
        subprocess.run(["umount", "--lazy", "/etc/postfix"], check=True)
