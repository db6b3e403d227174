"""`python -m bench [--runs N] [--rows PATTERN]`: figures against Postfix and Dovecot, as a Markdown table.

Needs root (Postfix will not run otherwise), Debian's postfix and dovecot, and the users that `pillarbox run` makes.
"""

import argparse
import os
import platform
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path

from bench.imap_client import Client
from bench.isolation import isolate
from bench.logins import CLIENTS, logins_per_second
from bench.mail_rows import mail_rows
from bench.measure import Costs, Row, interleave
from bench.processes import proportional_memory
from bench.systems import PASSWORD, USER, Dovecot, Pillarbox, System, mail_user
from pillarbox.supervisor.system_users import system_users

MESSAGES = 10_000
IDLE_SESSIONS = 500
FULL = "UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE"
THUNDERBIRD = (
    "UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority X-Priority "
    "References Newsgroups In-Reply-To Content-Type Reply-To)]"
)


def main() -> int:
    """All rows, printed as they are done."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", default="", help="only rows whose name holds this text")
    options = parser.parse_args()
    if os.getuid() != 0:
        print("bench: needs root, because Postfix does", file=sys.stderr)
        return 1
    system_users()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {_versions()}; {options.runs} interleaved runs, median (min–max)\n"
    )
    print("| work | original | Pillarbox | ratio |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="bench", dir="/var/tmp") as directory:
        os.chmod(directory, 0o755)
        root = Path(directory)
        home = isolate(root)
        costs: list[Costs] = []
        for row in chain(
            mail_rows(root, home, options.runs, options.rows, costs),
            imap_rows(root, options.runs, options.rows),
        ):
            print(row.line(), flush=True)
    if costs:
        print("\nProcessor time per message, ms:\n")
        print("| work | Postfix | Pillarbox | of that |\n|---|---|---|---|")
        for cost in costs:
            print(cost.line())
    return 0


def _versions() -> str:
    postfix = subprocess.run(
        ["/usr/sbin/postconf", "-d", "-h", "mail_version"], capture_output=True, text=True
    ).stdout
    dovecot = subprocess.run(["/usr/sbin/dovecot", "--version"], capture_output=True, text=True).stdout
    return f"Postfix {postfix.strip()}, Dovecot {dovecot.split()[0]}, Python {platform.python_version()}"


# -- IMAP -----------------------------------------------------------------------------------------------


def imap_rows(root: Path, runs: int, only: str) -> Iterator[Row]:
    """FETCH over 10,000 messages, SELECT, and memory of idle sessions."""
    dovecot, pillarbox = Dovecot(root / "dovecot", 4144), Pillarbox(root / "pillarbox-imap")
    for system in (dovecot, pillarbox):
        system.root.mkdir(exist_ok=True)
        system.clear_mailbox()
        fill(system.maildir)
    work: list[Callable[[], float]]
    with dovecot, pillarbox:
        ports = (dovecot.port, pillarbox.imap_port)
        # First, so that no row leaves free memory behind for the sessions to use.
        name = f"memory per idle session (PSS, {IDLE_SESSIONS} sessions, plain)"
        if only in name:
            row = Row(name, "KiB", more_is_better=False, original="Dovecot")
            row.theirs.append(_idle_memory(dovecot.port, dovecot.processes))
            row.ours.append(_idle_memory(pillarbox.imap_port, pillarbox.processes))
            yield row
        name = f"login and logout, {CLIENTS} clients, passwd-file"
        if only in name:
            row = Row(name, "logins/s", more_is_better=True, original="Dovecot")
            work = [partial(logins_per_second, port) for port in ports]
            yield interleave(row, work[0], work[1], runs=runs)
        name = "FETCH 1:10000 envelope and structure, first of all"
        if only in name:
            row = Row(name, "ms", more_is_better=False, original="Dovecot")
            yield interleave(
                row, Cold(dovecot, dovecot.port), Cold(pillarbox, pillarbox.imap_port), runs=runs
            )
        name = "SELECT of 10,000 messages, 50 sessions one after the other"
        if only in name:
            row = Row(name, "ms", more_is_better=False, original="Dovecot")
            work = [partial(_select_in_sessions, port) for port in ports]
            yield interleave(row, work[0], work[1], runs=runs)
        for name, commands in _FETCH_ROWS:
            if only not in name:
                continue
            row = Row(name, "ms", more_is_better=False, original="Dovecot")
            work = [partial(_timed, port, commands) for port in ports]
            yield interleave(row, work[0], work[1], runs=runs)


_FETCH_ROWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("FETCH 1:10000 (UID FLAGS)", ("FETCH 1:10000 (UID FLAGS)",)),
    ("FETCH 1:10000 envelope and structure, warm", (f"FETCH 1:10000 ({FULL})",)),
    ("FETCH 1:10000 Thunderbird's header fields, warm", (f"FETCH 1:10000 ({THUNDERBIRD})",)),
    ("FETCH 1:2000 BODY.PEEK[] in one command", ("FETCH 1:2000 (BODY.PEEK[])",)),
    ("FETCH BODY.PEEK[] 500 one by one", tuple(f"FETCH {n} (BODY.PEEK[])" for n in range(1, 501))),
    ("SELECT of 10,000 messages again", ("SELECT INBOX",)),
    ("SORT (SUBJECT) of 10,000", ("SORT (SUBJECT) UTF-8 ALL",)),
    ("THREAD REFERENCES of 10,000", ("THREAD REFERENCES UTF-8 ALL",)),
    ("SEARCH UNSEEN in 10,000", ("SEARCH UNSEEN",)),
    ("STORE 500 one by one", tuple(f"STORE {n} +FLAGS.SILENT (\\Flagged)" for n in range(1, 501))),
)


def _timed(port: int, commands: tuple[str, ...]) -> float:
    """Milliseconds that the commands take in a session that has selected INBOX."""
    client = Client(port, USER, PASSWORD)
    try:
        client.command("SELECT INBOX")
        elapsed = sum(client.command(command)[0] for command in commands) * 1000
        if commands[0].startswith("STORE"):
            client.command("STORE 1:500 -FLAGS.SILENT (\\Flagged)")
        return elapsed
    finally:
        client.close()


class Cold:
    """Milliseconds that the envelopes of a mailbox take that nobody has looked at before; each time another."""

    def __init__(self, system: System, port: int) -> None:
        self._system = system
        self._port = port
        self._number = 0

    def __call__(self) -> float:
        self._number += 1
        folder = self._system.maildir / f".Cold{self._number}"
        user = mail_user()
        for directory in (folder, folder / "cur", folder / "new", folder / "tmp"):
            directory.mkdir(mode=0o700)
            os.chown(directory, user.pw_uid, user.pw_gid)
        fill(folder)
        client = Client(self._port, USER, PASSWORD)
        try:
            client.command(f"SELECT Cold{self._number}")
            return client.command(f"FETCH 1:10000 ({FULL})")[0] * 1000
        finally:
            client.close()


def _select_in_sessions(port: int) -> float:
    """Milliseconds that SELECT takes in one of many sessions that come one after the other, as webmail's do."""
    elapsed = 0.0
    for _ in range(50):
        client = Client(port, USER, PASSWORD)
        elapsed += client.command("SELECT INBOX")[0]
        client.command("LOGOUT")
        client.close()
    return elapsed * 1000


def _idle_memory(port: int, processes: Callable[[], list[int]]) -> float:
    """KiB that each of many selected, idling sessions adds."""
    first = Client(port, USER, PASSWORD)
    first.command("SELECT INBOX")
    before = proportional_memory(processes())
    clients = []
    for _ in range(IDLE_SESSIONS):
        client = Client(port, USER, PASSWORD)
        client.command("SELECT INBOX")
        client.idle()
        clients.append(client)
    after = proportional_memory(processes())
    for client in (first, *clients):
        client.close()
    return (after - before) / IDLE_SESSIONS


def fill(maildir: Path) -> None:
    """The same 10,000 messages for everybody, some with parts, some with flags."""
    chance = random.Random(20261122)
    user = mail_user()
    for number in range(MESSAGES):
        flags = "".join(letter for letter in "FRS" if chance.random() < 0.3)
        name = f"{1700000000 + number}.M{number}P1.bench:2,{flags}"
        path = maildir / "cur" / name
        path.write_bytes(message(number, chance))
        os.chown(path, user.pw_uid, user.pw_gid)
        os.utime(path, (1700000000 + number, 1700000000 + number))


def message(number: int, chance: random.Random) -> bytes:
    """About 4 KiB, every third with an HTML alternative."""
    words = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor".split()
    lines = [" ".join(chance.choices(words, k=11)) for _ in range(40)]
    body = "\n".join(lines)
    head = (
        f"Return-Path: <sender{number % 97}@example.org>\nDelivered-To: {USER}\n"
        f"Received: from mx{number % 7}.example.org (mx [192.0.2.1])\n\tby {USER.partition('@')[2]} with ESMTP id {number:X}\n"
        f'From: "Sender {number % 97}" <sender{number % 97}@example.org>\nTo: Me <{USER}>\n'
        f"Cc: other@example.net\nSubject: Message {number} about {chance.choice(words)}\n"
        f"Date: Tue, {number % 28 + 1:02d} Nov 2023 10:{number % 60:02d}:00 +0000\n"
        f"Message-ID: <{number}.bench@example.org>\nReferences: <{max(0, number - 1)}.bench@example.org>\nMIME-Version: 1.0\n"
    )
    if number % 3:
        return f"{head}Content-Type: text/plain; charset=utf-8\n\n{body}\n".encode()
    parts = (
        f"--b{number}\nContent-Type: text/plain; charset=utf-8\n\n{body}\n"
        f"--b{number}\nContent-Type: text/html; charset=utf-8\n\n<p>{body[:800]}</p>\n--b{number}--\n"
    )
    return f"{head}Content-Type: multipart/alternative; boundary=b{number}\n\n{parts}".encode()


if __name__ == "__main__":
    sys.exit(main())
