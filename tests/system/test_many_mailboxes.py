"""Five thousand mailboxes in one account: all of them listed, and memory and files that stay few."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from fakes.dovecot_pair import Server
from fakes.logs import the_line

pytestmark = [pytest.mark.system, pytest.mark.root]

MAILBOXES: Final = 5_000
EVERY: Final = 100
"""One in so many has a message."""
MOST_KIB: Final = 100 * 1024
"""What the worker may grow by."""
SETTINGS: Final = """\
protocols = imap
mail_location = maildir:~/Maildir
namespace inbox {
  inbox = yes
  separator = /
}
"""
MESSAGE: Final = b"Subject: x\n\nbody\n"


def fill(home: Path) -> None:
    """Folders of folders, as they are after years: each has its uidlist."""
    maildir = home / "Maildir"
    names = [f".a{number // 100}.b{number}" for number in range(MAILBOXES)]
    for number, name in enumerate(["", *names]):
        for place in ("cur", "new", "tmp"):
            (maildir / name / place).mkdir(parents=True, exist_ok=True)
        header = f"3 V{1_700_000_000 + number} N2 G{number:032x}\n"
        if number % EVERY == 1:
            header += f"1 :1700000000.M{number}P1.host,S=17,W=20\n"
            (maildir / name / "cur" / f"1700000000.M{number}P1.host,S=17,W=20:2,").write_bytes(MESSAGE)
        (maildir / name / "dovecot-uidlist").write_text(header)
    subprocess.run(["chown", "-R", "nobody:nogroup", str(home)], check=True)


def memory_place() -> str | None:
    """20,000 directories are made and removed in seconds where no disk is asked."""
    usual = "/dev/shm"
    return usual if os.path.isdir(usual) and shutil.disk_usage(usual).free > 60 << 20 else None


def resident(pid: int) -> int:
    """KiB of a process in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0])


def test_five_thousand_mailboxes() -> None:
    """LIST, LIST-STATUS of all of them, a subtree renamed."""
    server = Server(
        [sys.executable, "-m", "pillarbox.tools.dovecot"],
        [],
        SETTINGS,
        "allow_all_users=yes",
        name="many",
        place=memory_place(),
    )
    try:
        fill(server.home())
        server.start()
        talk = server.imap()
        talk.say(b"NOOP")
        pid = int(the_line(server, "Login: user=<me>").partition("mpid=")[2].partition(",")[0])
        before = resident(pid)
        assert len(talk.say(b'LIST "" %')) == MAILBOXES // 100 + 2
        assert len(talk.say(b'LIST "" *')) == MAILBOXES + MAILBOXES // 100 + 2
        told = talk.say(b'LIST "" * RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY))')
        status = [line for line in told if line.startswith(b"* STATUS ")]
        assert len(status) == MAILBOXES + 1
        assert sum(b"MESSAGES 1 " in line for line in status) == MAILBOXES // EVERY
        assert b"* STATUS a49/b4999 (MESSAGES 0 UIDNEXT 2 UIDVALIDITY N)" in [
            re.sub(rb"UIDVALIDITY \d+", b"UIDVALIDITY N", line) for line in status
        ]
        assert resident(pid) - before < MOST_KIB
        assert len(list(Path(f"/proc/{pid}/fd").iterdir())) < 100
        assert talk.say(b"RENAME a7 z")[-1].startswith(b"x OK")
        assert len(talk.say(b'LIST "" z/*')) == 101
        talk.close()
    finally:
        server.end()
