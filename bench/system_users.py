"""Logins of system users by PAM, and what many of them cost in memory: each has a process of his own uid.

Both products run with the same dovecot.conf, as an admin would have it.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.imap_client import Client
from bench.login_users import NAMES, PASSWORD, login_users
from bench.logins import CLIENTS, logins_per_second
from bench.measure import Row, interleave, is_wanted
from bench.processes import proportional_memory, tree
from bench.systems import System

CONF = """
base_dir = {root}/run
state_dir = {root}/state
instance_name = pillarbox-bench-users
listen = 127.0.0.1
protocols = imap
log_path = {root}/dovecot.log
ssl = no
disable_plaintext_auth = no
mail_location = maildir:~/Maildir
mail_max_userip_connections = 2000
passdb {{
  driver = pam
}}
userdb {{
  driver = passwd
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  service_count = 0
  process_min_avail = 1
  client_limit = 2000
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""


class MailboxHalf(System):
    """Dovecot, or Pillarbox's `dovecot`, in a directory of its own."""

    def __init__(self, root: Path, port: int, *, ours: bool) -> None:
        super().__init__(root, port)
        self._ours = ours

    def _command(self, name: str) -> list[str]:
        program = [sys.executable, "-m", f"pillarbox.tools.{name}"]
        if not self._ours:
            program = [f"/usr/{'sbin' if name == 'dovecot' else 'bin'}/{name}"]
        return [*program, "-c", str(self.root / "dovecot.conf")]

    def start(self) -> None:
        """`dovecot -c`"""
        for path in (self.root, self.root / "run", self.root / "state"):
            path.mkdir(exist_ok=True, mode=0o755)
        (self.root / "dovecot.conf").write_text(CONF.format(root=self.root, port=self.port))
        with (self.root / "start.log").open("wb") as log:
            subprocess.run(self._command("dovecot"), check=True, stdout=log, stderr=log)
        self.wait_for_port()

    def stop(self) -> None:
        """`doveadm stop`"""
        subprocess.run([*self._command("doveadm"), "stop"], check=True)
        deadline = time.monotonic() + 20
        while (self.root / "run" / "master.pid").exists() and time.monotonic() < deadline:
            time.sleep(0.05)

    def processes(self) -> list[int]:
        """The master and all its children."""
        return tree(int((self.root / "run" / "master.pid").read_text()))


def system_user_rows(root: Path, runs: int, only: str) -> Iterator[Row]:
    """Logins, and memory."""
    login_name = f"login and logout, {CLIENTS} clients, PAM"
    memory_name = f"memory per system user (PSS, {len(NAMES[1:])} users with an idle session each)"
    if not is_wanted(login_name, only) and not is_wanted(memory_name, only):
        return
    theirs = MailboxHalf(root / "dovecot-users", 4146, ours=False)
    ours = MailboxHalf(root / "pillarbox-users", 4147, ours=True)
    with login_users(root), theirs, ours:
        if is_wanted(memory_name, only):
            row = Row(memory_name, "KiB", more_is_better=False, original="Dovecot")
            row.theirs.append(_memory(theirs))
            row.ours.append(_memory(ours))
            yield row
        if is_wanted(login_name, only):
            row = Row(login_name, "logins/s", more_is_better=True, original="Dovecot")
            work = [
                partial(logins_per_second, half.port, user=NAMES[0], password=PASSWORD)
                for half in (theirs, ours)
            ]
            yield interleave(row, work[0], work[1], runs=runs)


def _memory(half: MailboxHalf) -> float:
    """KiB that each user's session adds, over all processes."""
    first = Client(half.port, NAMES[0], PASSWORD)
    first.command("SELECT INBOX")
    before = proportional_memory(half.processes())
    clients = []
    for name in NAMES[1:]:
        client = Client(half.port, name, PASSWORD)
        client.command("SELECT INBOX")
        client.idle()
        clients.append(client)
    after = proportional_memory(half.processes())
    for client in (first, *clients):
        client.close()
    return (after - before) / len(NAMES[1:])
