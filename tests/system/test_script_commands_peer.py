"""Our postlog, postlock and postkick beside Debian's: commands for scripts; and what others log when they fail.

DESCRIPTION
    Output, exit status, and the lines in the log are compared; in those, time and process id are left out.  What
    Debian's postlog sends to public/postlog, for postlogd(8), ours writes into maillog_file itself.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from fakes.filled_queue import Spool

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix")]

Result = tuple[int, str, str, list[str]]
DIFFERENCES: Final = {
    "postlog|-Z": "the original tells its usage to terminals only",
    "postlog|-p|bogus|x": "the original tells what is wrong to terminals only",
}
CASES: Final = [
    "postlog|-p|bogus|x",
    "postlog|hello|world",
    "postlog|-t|postfix/myscript|-p|warn|careful",
    "postlog|-t|tag|x",
    "postlog|-i|x",
    "postlog|-p|error|x",
    "postlog|-p|fatal|x",
    "postlog|-p|panic|x",
    "postlog|-p|WARNING|x",
    "postlog|-p|info|x",
    "postlog",
    "postlog|",
    "postlog|a\tb\nc\x01d",
    "postlog|-Z",
    "postlock|mbox|echo|hi",
    "postlock|-l|flock|mbox|false",
    "postlock|-l|fcntl,dotlock|mbox|sh|-c|ls mbox*; exit 3",
    "postlock|-l|flock|mbox|sh|-c|ls mbox*",
    "postlock",
    "postlock|mbox",
    "postlock|-l|bogus|mbox|true",
    "postlock|/nonexistent/x|true",
    "postlock|mbox|/nonexistent",
    "postlock|mbox|sh|-c|kill -9 $$",
    "postlock|-Z",
    "postlock|locked|true",
    "postkick|public|qmgr|FI",
    "postkick|public|there|FI",
    "postkick",
    "postkick|public|qmgr",
    "postkick|-Z",
    "sendmail|-t",
    "sendmail|-bt",
    "mailq|x",
    "mailq|-bz",
    "sendmail|-N|bogus|-t",
    "sendmail|-f|a, b|-t",
    "postmap|hash:/nonexistent/x",
    "postmap|-q|x|nosuch:y",
    "postmap|-m|-q|x|static:y",
    "postalias|hash:/nonexistent/x",
    "postqueue|-i|a/b",
    "postqueue|-s|a/b",
    "postqueue",
]


def run(base: Path, line: str, *, is_ours: bool) -> Result:
    """One command in a directory of its own."""
    spool = Spool(base, owner="postfix", empty=True)
    with (base / "main.cf").open("a") as file:
        file.write(f"maillog_file = {base}/log\nmaillog_file_prefixes = {base}\ndeliver_lock_attempts = 1\n")
    (base / "locked.lock").touch()
    postlogd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    postlogd.bind(f"{spool.queue}/public/postlog")
    there = socket.socket(socket.AF_UNIX)
    there.bind(f"{spool.queue}/public/there")
    there.listen()
    program, *arguments = line.split("|")
    command = [sys.executable, "-m", f"pillarbox.tools.{program}"] if is_ours else [program]
    process = subprocess.Popen(
        [*command, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "MAIL_CONFIG": str(base)},
        cwd=base,
        executable=None if is_ours else shutil.which(program, path="/usr/sbin:/usr/bin"),
        text=True,
    )
    if "there" in arguments:
        client, _ = there.accept()
        assert client.recv(3, socket.MSG_WAITALL) == b"FI\0"
        client.close()
    out, errors = process.communicate("line one\nline two\n\nthird\n", timeout=60)
    there.close()
    return process.returncode, out, errors, log_lines(base / "log", postlogd)


def log_lines(path: Path, postlogd: socket.socket) -> list[str]:
    """What was logged, by whichever way."""
    text = path.read_text() if path.exists() else ""
    postlogd.setblocking(False)
    try:
        while True:
            text += postlogd.recv(10000).decode() + "\n"
    except BlockingIOError:
        postlogd.close()
    return [re.sub(r"^.{15} \S+ |(?<=\[)\d+(?=\]: )", "", line) for line in text.split("\n") if line]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], Result]:
    """All cases by both, side by side."""
    base = tmp_path_factory.mktemp("commands")
    short = Path("/tmp") / f"pb{os.getpid()}"  # paths of sockets are short
    short.symlink_to(base)

    def play(job: tuple[str, bool]) -> tuple[tuple[str, bool], Result]:
        line, is_ours = job
        return job, run(short / f"{CASES.index(line)}{is_ours:d}", line, is_ours=is_ours)

    try:
        with ThreadPoolExecutor(max_workers=48) as pool:
            return dict(pool.map(play, [(line, side) for line in CASES for side in (False, True)]))
    finally:
        short.unlink()
        shutil.rmtree(base, ignore_errors=True)


def shown(result: Result) -> Result:
    """Without the directory that each side has of its own, and what only commands of ours log of themselves."""
    status, out, errors, log = result
    return (
        status,
        out,
        errors,
        [line for line in log if not line.startswith(("postfix/postlock", "postfix/postkick"))],
    )


@pytest.mark.parametrize("line", CASES, ids=[repr(line) for line in CASES])
def test_the_same_command_ends_the_same(line: str, results: dict[tuple[str, bool], Result]) -> None:
    """Output, exit status and log."""
    if line in DIFFERENCES:
        assert shown(results[line, False]) != shown(results[line, True]), f"{line} does not differ any more"
        return
    assert shown(results[line, False]) == shown(results[line, True])
