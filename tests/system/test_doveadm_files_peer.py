"""doveadm dict, fs and service: the same answers, and the same files, as from Dovecot's."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.dovecot_pair import Server, dovecot_pair
from pillarbox.tools import doveadm

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

DICT: Final = "file:BASE/some/dict"
COMMANDS: Final = tuple(
    line.replace("DICT", DICT).replace("POSIX", "posix prefix=BASE/files/")
    for line in r"""
dict
dict frob
dict get
dict get DICT
dict get DICT shared/nope
dict get DICT a
dict get DICT priv/c
dict get DICT shared/a b
dict get -x DICT shared/a
dict get frob:x shared/a
dict get x shared/a
dict inc DICT shared/n 2
dict set DICT shared/n 5
dict inc DICT shared/n 2
dict inc DICT shared/n x
dict inc DICT shared/n
dict get DICT shared/n
-f tab dict get DICT shared/n
-f flow dict get DICT shared/n
-f json dict get DICT shared/n
-f pager dict get DICT shared/n
dict set DICT shared/n
dict set -u x DICT priv/c 'a	b'
dict get -u x DICT priv/c
dict iter DICT
dict iter DICT shared/
dict iter -R DICT shared/
dict iter -V DICT shared/
dict iter -1 DICT shared/
dict iter -1 DICT shared/n
dict set DICT shared/x/y 1
dict iter DICT shared/
dict iter DICT shared/x
dict iter -R DICT shared/x/
-f json dict iter -R DICT shared/x/
-f flow dict iter -R DICT shared/x/
-f pager dict iter -R DICT shared/x/
-f table dict iter -R DICT shared/x/
dict iter DICT priv/
dict iter -u x DICT priv/
dict iter DICT sha
dict unset DICT
dict unset DICT shared/x/y
dict unset DICT shared/x/y
fs
fs frob
fs get
fs get frob x y
fs get posix frob y
fs get posix mode=9 y
fs put POSIX BASE/source a
fs put POSIX BASE/source x/y/z
fs put posix mode=0644:prefix=BASE/files/ BASE/source m
fs put posix prefix=BASE/files/:no-fsync:dirs:accurate-mtime:mode=auto BASE/source auto
fs put POSIX BASE/nosource a
fs get POSIX a
fs get POSIX nope
fs get POSIX x
fs get POSIX a b
fs get -x POSIX a
-f json fs get POSIX a
fs stat POSIX a
fs stat POSIX nope
-f tab fs stat POSIX a
-f json fs stat POSIX a
-f pager fs stat POSIX a
fs metadata POSIX a
-f json fs metadata POSIX a
fs copy POSIX a
fs copy POSIX a x/b
fs get POSIX x/b
fs iter POSIX x/
fs iter POSIX nope/
fs iter POSIX a
fs iter POSIX
-f tab fs iter POSIX x/
-f json fs iter POSIX x/
fs iter-dirs POSIX /
fs delete POSIX a
fs delete POSIX a
fs delete POSIX x
fs delete -R POSIX m
fs delete -R POSIX x
fs delete -R POSIX x
fs delete -n 2 POSIX auto nope
service
service frob
service stop
service stop frob
service status frob
""".split("\n")
    if line
)


DIFFERENCES: Final = {
    "dict iter -u x file:BASE/some/dict priv/": "a TAB in a value is escaped, as in the rows of other commands",
    "fs delete -R posix prefix=BASE/files/ m": "one complaint is enough",
}
"""Command → why the answers are not the same."""


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    """(ours, theirs)"""
    with dovecot_pair("protocols = imap lmtp\nmail_location = maildir:~/Maildir\n") as servers:
        for server in servers:
            (server.base / "source").write_text("what is\nput\n")
            (server.base / "files").mkdir()
        yield servers


def files(base: Path) -> dict[str, tuple[object, int, int]]:
    """What the commands have made: content, rights and number of links."""
    found: dict[str, tuple[object, int, int]] = {}
    for path in [*base.glob("some/*"), *base.glob("files/**/*")]:
        if path.is_file() and path.stat().st_size:
            lines = path.read_text().splitlines()
            is_dict = path.name == "dict"  # whose pairs have no order
            content = sorted(zip(lines[::2], lines[1::2], strict=True)) if is_dict else lines
            found[str(path.relative_to(base))] = (content, path.stat().st_mode, path.stat().st_nlink)
    return found


def test_the_same_commands_say_the_same(
    pair: tuple[Server, Server], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Output, complaints, exit status and what is then on the disk, after each command."""
    ours, theirs = pair
    found = {}
    for line in COMMANDS:
        here, there = (shlex.split(line.replace("BASE", str(server.base))) for server in pair)
        done = subprocess.run(
            [*theirs.doveadm_command, *there], capture_output=True, check=False, stdin=subprocess.DEVNULL
        )
        expected = (done.returncode, done.stdout.decode(), done.stderr.decode())
        capfdbinary.readouterr()
        status = doveadm.main(["-c", str(ours.configuration), *here])
        output, errors = (octets.decode() for octets in capfdbinary.readouterr())
        texts = []
        for server, answer in ((ours, (status, output, errors)), (theirs, expected)):
            shown = [
                re.sub(r"<fd \d+>", "BASE/files/x", text.replace(str(server.base), "BASE"))
                for text in answer[1:]
            ]
            texts.append((answer[0], *(re.sub(r" {2,}", "  ", text) for text in shown), files(server.base)))
        if texts[0] != texts[1]:
            found[line] = f"{line}\n    theirs: {texts[1]}\n    ours:   {texts[0]}"
    assert not found.keys() - DIFFERENCES, "\n".join(found.values())
    assert found.keys() == DIFFERENCES.keys()


def test_services(pair: tuple[Server, Server]) -> None:
    """Each service of ours is one of Dovecot's, with the same columns; what is not counted is 0."""
    rows = []
    for server in pair:
        answer = server.doveadm("-f", "json", "service", "status")
        rows.append({row["name"]: row for row in json.loads(answer.stdout)})
    ours, theirs = rows
    assert {"auth", "imap", "imap-login", "lmtp"} <= ours.keys() <= theirs.keys()
    for name, row in ours.items():
        assert list(row) == list(theirs[name])
        assert (row["listening"], int(row["process_count"]) > 0) == ("y", True) or name == "auth-worker"
    stopped = pair[0].doveadm("service", "stop", "imap")
    assert (stopped.returncode, "is not served" in stopped.stderr) == (75, True)
