"""Logins of system users by PAM, and what many of them cost in memory: each has a process of his own uid.

Both products run with the same dovecot.conf, as an admin would have it.  Memory is measured while each session has a
process (imap_hibernate_timeout = 0), and with what is usual when clients have been silent in IDLE for a while: Pillarbox
parks them then, Dovecot only where hibernation is configured.
"""

import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from bench.imap_client import Client
from bench.login_users import NAMES, PASSWORD, login_users
from bench.logins import CLIENTS, logins_per_second
from bench.measure import Row, interleave, is_wanted
from bench.processes import proportional_memory
from bench.systems import MailboxHalf, make_certificate

CONF = """
base_dir = {root}/run
state_dir = {root}/state
instance_name = pillarbox-bench-users
listen = 127.0.0.1
protocols = imap
log_path = {root}/dovecot.log
ssl = yes
ssl_cert = <{root}/cert.pem
ssl_key = <{root}/key.pem
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
    port = {tls_port}
    ssl = yes
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""
TIMEOUT = "imap_hibernate_timeout = {hibernate} secs\n"
HIBERNATION = """
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
PARKED_AFTER: Final = 5
"""Seconds of silence in IDLE: Pillarbox's default."""


class DovecotOfSystemUsers(MailboxHalf):
    """Dovecot, in a directory of its own."""

    def __init__(self, root: Path, port: int, *, hibernate: int | None = None) -> None:
        """`hibernate`: imap_hibernate_timeout, seconds; 0 for never, None leaves it to the product."""
        super().__init__(root, port)
        self.tls_port = port + 10
        self._hibernate = hibernate
        self.rest_seconds = (hibernate or PARKED_AFTER) + 5.0

    def start(self) -> None:
        """With PAM, and a process for each user."""
        for path in (self.root, self.root / "run", self.root / "state"):
            path.mkdir(exist_ok=True, mode=0o755)
        text = CONF
        if self._hibernate is not None:
            text += TIMEOUT + (HIBERNATION if self._hibernate else "")
        conf = text.format(root=self.root, port=self.port, tls_port=self.tls_port, hibernate=self._hibernate)
        self.configuration.write_text(conf)
        make_certificate(self.root)
        self.begin()


class PillarboxOfSystemUsers(DovecotOfSystemUsers):
    """Pillarbox's `dovecot`, with the same file."""

    is_ours = True


def system_user_rows(root: Path, runs: int, only: str, *, tls: bool, hibernate: int) -> Iterator[Row]:
    """Logins, and memory; `hibernate` is imap_hibernate_timeout of both in seconds, 0 for what is usual."""
    users = f"memory per system user (PSS, {len(NAMES[FIRST:])} users with an idle session each"
    names = {f"{users}), each with a process": 0, f"{users}), silent for {PARKED_AFTER + 5} s": None}
    if hibernate:
        names = {f"{users}, both hibernate), silent for {hibernate + 5} s": hibernate}
    login_name = f"login and logout, {CLIENTS} clients, PAM"
    how = ", TLS" if tls else ""
    wanted = [name for name in (*names, login_name) if is_wanted(name, only)]
    if not wanted:
        return
    with login_users(root):
        for number, name in enumerate(wanted):
            memory = name in names
            timeout = names.get(name)
            where = root / f"users-{number}"
            where.mkdir(mode=0o755)
            theirs = DovecotOfSystemUsers(where / "dovecot", 4146, hibernate=timeout)
            ours = PillarboxOfSystemUsers(where / "pillarbox", 4147, hibernate=timeout)
            with theirs, ours:
                row = Row(name + how, "KiB" if memory else "logins/s", not memory, original="Dovecot")
                if memory:
                    row.theirs.append(_memory(theirs, tls=tls, rests=timeout != 0))
                    row.ours.append(_memory(ours, tls=tls, rests=timeout != 0))
                else:
                    work = [partial(_logins, half, tls=tls) for half in (theirs, ours)]
                    interleave(row, work[0], work[1], runs=runs)
            yield row


def _logins(half: DovecotOfSystemUsers, *, tls: bool) -> float:
    port = half.tls_port if tls else half.port
    return logins_per_second(port, tls=tls, user=NAMES[0], password=PASSWORD)


def _memory(half: DovecotOfSystemUsers, *, tls: bool, rests: bool) -> float:
    """KiB that each user's session adds, over all processes; if it `rests`, when all have been silent for a while.

    Less than one is one: other processes give back more than that in between.
    """
    clients: list[Client] = []

    def idle(names: Iterable[str]) -> float:
        for name in names:
            client = Client(half.tls_port if tls else half.port, name, PASSWORD, tls=tls)
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
