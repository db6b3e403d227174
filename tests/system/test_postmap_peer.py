"""Our postmap, postalias and their tables beside Debian's: the same files, commands, answers, messages and status.

DESCRIPTION
    A case is files and commands.  Both sides run the commands in directories of their own with the same names, and
    standard output, standard error and exit status of each command are compared.  Tables that one side writes are
    read by the other.

    `DIFFERENCES` lists what is meant to differ, by the case's name.
"""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fakes.command_here import run_here
from fakes.directories import let_others_in
from pillarbox.tools import postalias, postmap
from system.postmap_cases import CASES, DIFFERENCES, INDEXED, Result, words

pytestmark = [pytest.mark.system, pytest.mark.peer("postfix")]

PROGRAMS = {"postmap": postmap.main, "postalias": postalias.main}
MAIN_CF = "compatibility_level = 3.6\nmyhostname = mx.test\n"
LONG_AGO = 1_000_000_000  # Debian's postmap waits until its source is two seconds old


class Side:
    """One side's directory."""

    def __init__(self, base: Path, files: dict[str, str]) -> None:
        self.base = base
        base.mkdir()
        (base / "main.cf").write_text(MAIN_CF)
        for name, text in files.items():
            (base / name).write_text(text)
            os.utime(base / name, (LONG_AGO, LONG_AGO))


def ours(side: Side, line: list[str], stdin: str) -> tuple[int, str, str]:
    main = PROGRAMS[line[0]]
    done = run_here(main, line[1:], directory=side.base, stdin=stdin, MAIL_CONFIG=str(side.base))
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def theirs(side: Side, line: list[str], stdin: str) -> tuple[int, str, str]:
    (side.base / ".stdin").write_text(stdin)
    program = shutil.which(line[0], path="/usr/sbin:/sbin")
    assert program is not None
    with open(side.base / ".stdin") as standard_input:
        done = subprocess.run(
            [program, *line[1:]],
            cwd=side.base,
            env={**os.environ, "MAIL_CONFIG": str(side.base)},
            stdin=standard_input,
            capture_output=True,
            check=False,
        )
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


@pytest.fixture(scope="module")
def their_results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Result]]:
    """What Debian's commands do, all cases at once: each of their fatal errors waits for a second."""
    base = tmp_path_factory.mktemp("theirs")

    def run(number: int) -> tuple[str, list[Result]]:
        name, files, commands, stdin = CASES[number]
        side = Side(base / str(number), files)
        return name, [(line, *theirs(side, line, stdin)) for line in words(commands)]

    with ThreadPoolExecutor(max_workers=48) as pool:
        return dict(pool.map(run, range(len(CASES))))


@pytest.mark.parametrize(("name", "files", "commands", "stdin"), CASES, ids=[row[0] for row in CASES])
def test_the_same_commands_end_the_same(
    name: str,
    files: dict[str, str],
    commands: str,
    stdin: str,
    tmp_path: Path,
    their_results: dict[str, list[Result]],
) -> None:
    """Output, messages and exit status of each command."""
    side = Side(tmp_path / "ours", files)
    our_results = [(line, *ours(side, line, stdin)) for line in words(commands)]
    if name in DIFFERENCES:
        assert their_results[name] != our_results, f"{name} does not differ any more"
    else:
        assert their_results[name] == our_results


@pytest.mark.parametrize("kind", INDEXED)
def test_each_reads_what_the_other_wrote(kind: str, tmp_path: Path) -> None:
    """Ten thousand entries with long ones among them, written by one, changed and read by the other."""
    text = "".join(f"user{number}@example.com value {'x' * (number % 300)}\n" for number in range(10000))
    text += f"long {'y' * 20000}\n"
    listings = []
    for writer in ("ours", "theirs"):
        side = Side(tmp_path / writer, {"a": text})
        run = ours if writer == "ours" else theirs
        other = ours if writer == "theirs" else theirs
        assert run(side, ["postmap", f"{kind}:a"], "") == (0, "", "")
        assert other(side, ["postmap", "-d", "user17@example.com", f"{kind}:a"], "")[0] == 0
        assert other(side, ["postmap", "-ir", f"{kind}:a"], "new entry\nlong short\n")[0] == 0
        assert run(side, ["postmap", "-q", "long", f"{kind}:a"], "") == (0, "short\n", "")
        listings += [
            sorted(reader(side, ["postmap", "-s", f"{kind}:a"], "")[1].split("\n")) for reader in (run, other)
        ]
    assert [len(listing) for listing in listings] == [10002] * 4
    assert all(listing == listings[0] for listing in listings)


@pytest.mark.parametrize("kind", INDEXED)
@pytest.mark.parametrize(
    ("mode", "owner", "options"),
    [
        (0o644, 0, ""),
        (0o600, 0, ""),
        (0o640, 0, ""),
        (0o664, 0, ""),
        (0o600, 0, "-p"),
        (0o644, 65534, ""),
        (0o640, 65534, "-o"),
    ],
)
@pytest.mark.root
def test_owner_and_mode(kind: str, mode: int, owner: int, options: str, tmp_path: Path) -> None:
    """A database has its source's owner and permissions; one that is there keeps its own."""
    suffix = ".lmdb" if kind == "lmdb" else ".db"
    found = []
    for side_name in ("ours", "theirs"):
        side = Side(tmp_path / side_name, {"a": "a b\n"})
        source, database = side.base / "a", side.base / f"a{suffix}"
        let_others_in(tmp_path)
        side.base.chmod(0o777)
        source.chmod(mode)
        os.chown(source, owner, owner)
        line = ["postmap", *([options] if options else []), f"{kind}:a"]
        for change in (None, 0o604):
            if change is not None:
                database.chmod(change)
            status = ours(side, line, "") if side_name == "ours" else theirs(side, line, "")
            assert status == (0, "", "")
            seen = database.stat()
            found.append((change, oct(seen.st_mode), seen.st_uid, seen.st_gid))
    assert found[2:] == found[:2]
