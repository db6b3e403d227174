"""Logins of system users by PAM, and what many of them cost in memory: each has a process of his own uid.

Both products run with the same dovecot.conf, as an admin would have it.  Memory is measured at once, and again when
clients have been silent for a while: Pillarbox parks them then, Dovecot only where hibernation is configured.
"""

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

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
HIBERNATION = """
imap_hibernate_timeout = {hibernate} secs
service imap {{
  extra_groups = dovecot
  unix_listener imap-master {{
    user = dovecot
  }}
}}
service imap-hibernate {{
  unix_listener imap-hibernate {{
    mode = 0666
    group = dovecot
  }}
}}
"""
FIRST: Final = 11
"""Users who are there before memory is measured."""
PARKED_AFTER: Final = 30
"""Seconds of silence: Pillarbox's default."""


class MailboxHalf(System):
    """Dovecot, or Pillarbox's `dovecot`, in a directory of its own."""

    def __init__(self, root: Path, port: int, *, ours: bool, hibernate: int = 0) -> None:
        """`hibernate`: imap_hibernate_timeout, seconds; 0 leaves it to the product."""
        super().__init__(root, port)
        self._ours = ours
        self._hibernate = hibernate
        self.rest_seconds = (hibernate or PARKED_AFTER) + 5.0

    def _command(self, name: str) -> list[str]:
        program = [sys.executable, "-m", f"pillarbox.tools.{name}"]
        if not self._ours:
            program = [f"/usr/{'sbin' if name == 'dovecot' else 'bin'}/{name}"]
        return [*program, "-c", str(self.root / "dovecot.conf")]

    def start(self) -> None:
        """`dovecot -c`"""
        for path in (self.root, self.root / "run", self.root / "state"):
            path.mkdir(exist_ok=True, mode=0o755)
        text = CONF + (HIBERNATION if self._hibernate else "")
        conf = text.format(root=self.root, port=self.port, hibernate=self._hibernate)
        (self.root / "dovecot.conf").write_text(conf)
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


def system_user_rows(root: Path, runs: int, only: str, *, hibernate: int = 0) -> Iterator[Row]:
    """Logins, and memory; `hibernate` is imap_hibernate_timeout in seconds, 0 for what is usual."""
    login_name = f"login and logout, {CLIENTS} clients, PAM"
    how = ", both hibernate" if hibernate else ""
    memory_name = f"memory per system user (PSS, {len(NAMES[FIRST:])} users with an idle session each{how})"
    if not is_wanted(login_name, only) and not is_wanted(memory_name, only):
        return
    theirs = MailboxHalf(root / "dovecot-users", 4146, ours=False, hibernate=hibernate)
    ours = MailboxHalf(root / "pillarbox-users", 4147, ours=True, hibernate=hibernate)
    with login_users(root), theirs, ours:
        for rests in ((True,) if hibernate else (False, True)) if is_wanted(memory_name, only) else ():
            name = f"{memory_name}, {f'silent for {ours.rest_seconds:.0f} s' if rests else 'at once'}"
            row = Row(name, "KiB", more_is_better=False, original="Dovecot")
            row.theirs.append(_memory(theirs, rests=rests))
            row.ours.append(_memory(ours, rests=rests))
            yield row
        if is_wanted(login_name, only):
            row = Row(login_name, "logins/s", more_is_better=True, original="Dovecot")
            work = [
                partial(logins_per_second, half.port, user=NAMES[0], password=PASSWORD)
                for half in (theirs, ours)
            ]
            yield interleave(row, work[0], work[1], runs=runs)


def _memory(half: MailboxHalf, *, rests: bool) -> float:
    """KiB that each user's session adds, over all processes; if it `rests`, when all have been silent for a while.

    Less than one is one: other processes give back more than that in between.
    """
    clients: list[Client] = []

    def idle(names: Iterable[str]) -> float:
        for name in names:
            client = Client(half.port, name, PASSWORD)
            client.command("SELECT INBOX")
            client.idle()
            clients.append(client)
        if rests:
            time.sleep(half.rest_seconds)
        return proportional_memory(half.processes())

    before = idle(NAMES[:FIRST])  # what each process takes by itself is there then
    after = idle(NAMES[FIRST:])
    for client in clients:
        client.close()
    return max(1.0, (after - before) / len(NAMES[FIRST:]))
