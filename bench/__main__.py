"""`python -m bench [--runs N] [--rows PATTERN]`: figures against Postfix and Dovecot, as a Markdown table.

Needs root (Postfix will not run otherwise), Debian's postfix and dovecot, and the users that `pillarbox run` makes.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from itertools import chain
from pathlib import Path
from statistics import geometric_mean

from bench.imap_rows import imap_rows
from bench.isolation import isolate
from bench.mail_rows import mail_rows
from bench.measure import Costs
from bench.queue_rows import queue_rows
from bench.system_users import system_user_rows
from pillarbox.supervisor.system_users import system_users

MOST = 10.0
"""In the second geometric mean, so that a row in which the original hardly moves does not make up for others."""


def main() -> int:
    """All rows, printed as they are done."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--rows", default="", help="only rows whose name holds this text, or one of several: A|B"
    )
    parser.add_argument("--messages", type=int, default=10_000, help="in the mailboxes of IMAP's rows")
    parser.add_argument("--tls", action="store_true", help="IMAP under TLS")
    parser.add_argument("--sessions", type=int, default=5000, help="that idle, in the row of the slope")
    parser.add_argument("--hibernate", type=int, default=0, help="imap_hibernate_timeout, seconds")
    options = parser.parse_args()
    if os.getuid() != 0:
        print("bench: needs root, because Postfix does", file=sys.stderr)
        return 1
    system_users()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {_versions()}; {options.runs} interleaved runs, median (min–max)\n"
    )
    print("| work | original | Pillarbox | ratio | processor time |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="bench", dir="/var/tmp") as directory:
        os.chmod(directory, 0o755)
        root = Path(directory)
        home = isolate(root)
        costs: list[Costs] = []
        ratios: list[float] = []
        for row in chain(
            mail_rows(root, home, options.runs, options.rows, costs),
            queue_rows(root, options.rows),
            imap_rows(
                root,
                options.runs,
                options.rows,
                messages=options.messages,
                tls=options.tls,
                sessions=options.sessions,
                hibernate=options.hibernate,
            ),
            system_user_rows(root, options.runs, options.rows, tls=options.tls, hibernate=options.hibernate),
        ):
            print(row.line(), flush=True)
            ratios.append(row.ratio)
    if ratios:
        least = min(ratios)
        bounded = geometric_mean(min(ratio, MOST) for ratio in ratios)
        print(
            f"\nGeometric mean of {len(ratios)} rows: {geometric_mean(ratios):.2f}×;"
            f" with none counted for more than {MOST:.0f}×: {bounded:.2f}×; least: {least:.2f}×"
        )
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


if __name__ == "__main__":
    sys.exit(main())
