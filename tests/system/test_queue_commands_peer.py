"""Our postsuper and postqueue beside Debian's: queues that are filled alike, the same commands, the same result.

DESCRIPTION
    A script of commands is run on two queues.  Output, exit status and what is in the queue after each command are
    compared.  The listing goes over the wire as well: Debian's postqueue reads from our showq, ours from Postfix's.

    `DIFFERENCES` lists what is meant to differ, by the script's name.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from fakes.debian_postfix import DebianPostfix
from fakes.directories import let_others_in
from fakes.filled_queue import Spool
from fakes.forked_command import run_forked
from fakes.logs import lines_with, until_logged
from fakes.mail_system import AS_NOBODY, nobody_can_run_this, until
from pillarbox.config.value_types import MatchList, Pattern
from pillarbox.net.forks import fork
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue_manager.showq import ShowQueue
from pillarbox.tables.authorized_users import AuthorizedUsers
from pillarbox.tools import postkick, postqueue, postsuper
from pillarbox.vocabulary.clock import ManualClock

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix")]

Result = tuple[str, int, str, str, list[str]]
DIFFERENCES: Final[dict[str, str]] = {
    "structure of queues": "the original leaves logs of renamed messages as NEWID#FIX when their queues are not named",
    "requeue all": "the original leaves the times of deferred messages, which lie in the future, as they are",
}
SCRIPTS: Final = {
    "delete": "postsuper -d 10F512301A4 -d nosuch -d a/b",
    "hold and release all": "postsuper -h ALL\npostsuper -H ALL",
    "requeue": "postsuper -r 10F512301A4 -r B0000000001 -r D0000000001",
    "requeue all": "postsuper -r ALL",
    "expire all": "postsuper -e ALL",
    "expire and release all": "postsuper -f ALL",
    "expire and release": "postsuper -f D0000000001 -f 10F512301A4",
    "ids of standard input": "postsuper -d - <D0000000001|xx.yy| C0000000001 junk||",
    "delete in a queue, then all": "postsuper -d ALL deferred\npostsuper -d ALL",
    "one of each": "postsuper -h E0000000005 -d C0000000001 -r 10F512301A4 -e F0000000006 -H D0000000001",
    "in another order": "postsuper -H D0000000001 -e C0000000001 -r 10F512301A4 -d F0000000006 -h E0000000005",
    "all before one": "postsuper -d ALL -h E0000000005",
    "one before all": "postsuper -h E0000000005 -d ALL -H D0000000001",
    "hold in queues": "postsuper -h ALL incoming deferred\npostsuper -d ALL hold\npostsuper -e D0000000001",
    "not there": "postsuper -H D0000000009 deferred\npostsuper -h D0000000001\npostsuper -d E0000000002\n"
    "postsuper -e E0000000002\npostsuper -d E0000000003\npostsuper -d all",
    "logs": "postsuper -d ALL defer\npostsuper -d ALL flush bounce trace",
    "wrong queues": "postsuper -d ALL nosuchqueue\npostsuper x\npostsuper -d ALL corrupt\npostsuper -d ALL saved",
    "no such move": "postsuper -h ALL maildrop\npostsuper -h ALL hold\npostsuper -H ALL incoming",
    "wrong use": "postsuper -d\npostsuper -Z\npostsuper -c relative -d ALL",
    "structure": "postsuper -s",
    "structure and an id": "postsuper -d C0000000001 -s",
    "nothing said": "postsuper\npostsuper",
    "structure of queues": "postsuper -s incoming deferred\npostsuper -S",
    "listing": "postqueue -p\npostqueue -j",
    "listing of nothing": "postsuper -d ALL\npostqueue -p\npostqueue -j",
    "flush while down": "postqueue -f\npostqueue -i 10F512301A4\npostqueue -s x.example",
    "wrong use of postqueue": "postqueue\npostqueue -p x\npostqueue -p -f\npostqueue -i a/b\npostqueue -s a/b\n"
    "postqueue -Z\npostqueue -i\npostqueue -c /nonexistent -p",
    "sites": "postqueue -s @x\npostqueue -s x:25\npostqueue -s [x]\npostqueue -s [::1]\npostqueue -s [127.0.0.1]\n"
    "postqueue -s 127.0.0.1\npostqueue -s x-\npostqueue -s .x\npostqueue -s x..y\npostqueue -s x_y.z",
    "wake up": "postkick\npostkick public\npostkick public qmgr W\npostkick nosuch nosuch W\n"
    "postkick public qmgr W x\npostkick -x\npostkick -c /nonexistent public qmgr W",
    "without defer": "postsuper\npostsuper -p\npostsuper -h ALL\npostsuper -h ALL deferred",
    "as nobody": "nobody: postsuper -d ALL",
}


PROGRAMS: Final = {"postkick": postkick.main, "postsuper": postsuper.main, "postqueue": postqueue.main}


def theirs(program: str) -> list[str]:
    return [f"/usr/sbin/{program}"]


def ours(program: str) -> list[str]:
    return [sys.executable, "-m", f"pillarbox.tools.{program}"]


def run(spool: Spool, line: str, *, is_ours: bool) -> Result:
    """One command line; `<a|b` is its standard input, line by line."""
    words, _, stdin = line.partition(" <")
    as_nobody = words.startswith("nobody: ")
    program, *arguments = words.removeprefix("nobody: ").split(" ")
    stdin = stdin.replace("|", "\n")
    if is_ours and not as_nobody:
        found = run_forked(
            PROGRAMS[program], arguments, stdin=stdin.encode(), directory="/", MAIL_CONFIG=str(spool.base)
        )
        return line, found.returncode, found.stdout.decode(), found.stderr.decode(), spool.listing()
    prefix = list(AS_NOBODY) if as_nobody else []
    done = subprocess.run(
        [*prefix, *(ours if is_ours else theirs)(program), *arguments],
        input=stdin,
        env={**os.environ, "MAIL_CONFIG": str(spool.base)},
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    return line, done.returncode, done.stdout, done.stderr, spool.listing()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], list[Result]]:
    """All scripts by both; Debian's at once, for its commands wait for a second after each fatal error."""
    base = tmp_path_factory.mktemp("queues")
    let_others_in(base)

    def play(job: tuple[str, bool]) -> tuple[tuple[str, bool], list[Result]]:
        name, is_ours = job
        folder = base / f"{list(SCRIPTS).index(name)}{'ours' if is_ours else 'theirs'}"
        spool = Spool(folder, owner="postfix")
        if name.startswith("without "):
            shutil.rmtree(spool.queue / name.removeprefix("without "))
        return job, [run(spool, line, is_ours=is_ours) for line in SCRIPTS[name].split("\n")]

    ours = [play((name, True)) for name in SCRIPTS]
    with ThreadPoolExecutor(max_workers=48) as pool:
        return dict([*ours, *pool.map(play, [(name, False) for name in SCRIPTS])])


@pytest.mark.parametrize("name", list(SCRIPTS))
def test_the_same_commands_end_the_same(name: str, results: dict[tuple[str, bool], list[Result]]) -> None:
    """Output, exit status, and the queue."""
    if name == "as nobody" and not nobody_can_run_this():
        pytest.skip("user nobody may not read this checkout")
    if name in DIFFERENCES:
        assert results[name, False] != results[name, True], f"{name} does not differ any more"
    else:
        assert results[name, False] == results[name, True]


@pytest.mark.parametrize("program", ["theirs", "ours"])
def test_a_queue_that_cannot_be_seen_is_not_called_empty(program: str, tmp_path: Path) -> None:
    """Where a directory is not there the listing fails."""
    spool = Spool(tmp_path / "queue", owner="postfix", empty=True)
    shutil.rmtree(spool.queue / "deferred")
    _, status, listed, said, _ = run(spool, "postqueue -p", is_ours=program == "ours")
    assert (69, "") == (status, listed)
    assert said.endswith("postqueue: fatal: malformed showq server response\n")


@pytest.mark.parametrize("is_ours", [False, True], ids=["theirs", "ours"])
def test_a_queue_that_leads_elsewhere(is_ours: bool, tmp_path: Path) -> None:
    """Links that whoever has the mail system's rights has made: postsuper has no others, and changes nothing there."""
    let_others_in(tmp_path)
    spool = Spool(tmp_path / "q", owner="postfix", empty=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    message = elsewhere / "A0000000001"
    message.write_bytes(b"not of the queue")
    message.chmod(0o700)
    (spool.queue / "deferred" / "A").symlink_to(elsewhere)
    _line, _status, _output, said, _files = run(spool, "postsuper -d A0000000001 deferred", is_ours=is_ours)
    assert "Permission denied" in said
    run(spool, "postsuper -r ALL", is_ours=is_ours)
    run(spool, "postsuper -s", is_ours=is_ours)
    assert [path.name for path in elsewhere.iterdir()] == ["A0000000001"]
    assert message.read_bytes() == b"not of the queue"


@contextmanager
def our_showq(spool: Spool) -> Iterator[None]:
    """public/showq, served by us."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(spool.queue / "public" / "showq"))
    listener.listen()
    everybody = AuthorizedUsers(
        MatchList((Pattern("static:anyone", is_table=True),)), where="", clock=ManualClock()
    )
    showq = ShowQueue(
        QueueDirectories(str(spool.queue)), empty_address=b"MAILER-DAEMON", authorized=everybody
    )
    serving = fork(lambda: showq.serve(listener, tell=lambda event: None, parent=os.getppid()))
    try:
        yield
    finally:
        os.kill(serving, signal.SIGKILL)
        os.waitpid(serving, 0)
        listener.close()


def test_debians_postqueue_reads_from_our_showq(tmp_path: Path) -> None:
    """Byte by byte what it reads from its own."""
    spool = Spool(tmp_path / "q", owner="postfix")
    let_others_in(tmp_path)
    directly = [run(spool, line, is_ours=False)[2] for line in ("postqueue -p", "postqueue -j")]
    with our_showq(spool):
        for side in (False, True):
            done = [run(spool, line, is_ours=side) for line in ("postqueue -p", "postqueue -j")]
            assert [(result[1], result[2], result[3]) for result in done] == [
                (0, text, "") for text in directly
            ]


def test_our_postqueue_asks_a_running_postfix(tmp_path: Path) -> None:
    """Its showq is read, and its queue manager does what we ask."""
    let_others_in(tmp_path)
    with DebianPostfix(
        tmp_path,
        settings={"default_transport": "retry:4.3.0 later"},
        services="flush unix n - n 1000? 0 flush\n",
    ) as postfix:
        subprocess.run(
            ["/usr/sbin/sendmail", "-f", "a@sender.test", "one@dest.test", "two@dest.test"],
            input=b"Subject: x\n\nbody\n",
            check=True,
        )
        spool = tmp_path / "spool"

        def waiting() -> list[Path]:
            return [] if list(spool.glob("active/*")) else list(spool.glob("deferred/?/*"))

        (message,) = until(waiting, what="the message in deferred")
        for option in ("-p", "-j"):
            answers = [
                subprocess.run([*side("postqueue"), option], capture_output=True, check=True).stdout
                for side in (ours, theirs)
            ]
            assert answers[0] == answers[1]
            assert b"two@dest.test" in answers[0]
        for options in (["-f"], ["-i", message.name]):
            before = len(lines_with(postfix, "status=deferred"))
            subprocess.run([*ours("postqueue"), *options], check=True)
            until_logged(postfix, "status=deferred", count=before + 2)
            until(waiting, what="in deferred again")
        subprocess.run([*ours("postsuper"), "-d", message.name], check=True, capture_output=True)
        until(lambda: b"empty" in _listing(), what="an empty queue")


def _listing() -> bytes:
    return subprocess.run([*theirs("postqueue"), "-p"], capture_output=True, check=True).stdout
