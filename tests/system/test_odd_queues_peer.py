"""Queues as years and other settings leave them: our postsuper and mailq make of them what Debian's make of a copy.

DESCRIPTION
    Ids of the other length, directories of another depth, logs without a message and the reverse, files that were
    being written, with rights that nothing has, beside each other in corrupt/, and what is no queue file at all.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec
import pytest

from fakes import postfix_queue_files as golden
from fakes.directories import let_others_in
from fakes.filled_queue import REFUSED, Spool, log_entry

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix")]

_TWO: Final = (golden.A_TWO_RECIPIENTS, 0o700)
_LOG: Final = (log_entry(b"defer+ext@dest.example", REFUSED), 0o600)
_LONG: Final = "3Pt2mN2VXxznjll"
_FLAT: Final = {
    "deferred/10F512301A4": _TWO,
    "defer/10F512301A4": _LOG,
    "incoming/20F512301A4": _TWO,
    "hold/D0000000001": (golden.D_MILTER, 0o700),
    "active/C0000000001": (golden.C_SMTPUTF8, 0o700),
}
_DEEP: Final = {
    "deferred/1/0/10F512301A4": _TWO,
    "defer/1/0/10F512301A4": _LOG,
    "incoming/2/0/20F512301A4": _TWO,
    "deferred/7/A0F512301A4": _TWO,  # in a directory of others
}
_ALL: Final = ("postsuper -s", "postsuper -p", "postsuper -r ALL", "postsuper -s -p -r ALL")


class Odd(msgspec.Struct, frozen=True):
    """A queue and what is done to it."""

    settings: str
    files: Mapping[str, tuple[bytes, int]]
    commands: tuple[str, ...] = _ALL


CASES: Final = {
    "flat": Odd("", _FLAT),
    "flat, depth 2": Odd("hash_queue_depth = 2\n", _FLAT),
    "flat, every queue": Odd("hash_queue_names = incoming, active, deferred, defer, hold, bounce, corrupt\n", _FLAT),
    "deep": Odd("", _DEEP),
    "deep, depth 3": Odd("hash_queue_depth = 3\nhash_queue_names = deferred\n", _DEEP),
    "long ids": Odd("", {f"deferred/{_LONG[6]}/{_LONG}": _TWO, f"defer/{_LONG[6]}/{_LONG}": _LOG, **_FLAT}),
    "short ids become long": Odd("enable_long_queue_ids = yes\n", {f"incoming/{_LONG}": _TWO, **_FLAT}),
    "corrupt": Odd(
        "",
        {"corrupt/10F512301A4": _TWO, "corrupt/C0000000001": (b"junk" * 40, 0o700), "corrupt/x": (b"", 0o700)},
        (*_ALL, "postsuper -d 10F512301A4", "postsuper -d ALL"),
    ),
    "logs": Odd(
        "",
        {
            "defer/1/10F512301A4": _LOG,
            "bounce/2/20F512301A4": _LOG,
            "bounce/30F512301A4": _LOG,
            "trace/50F512301A4": _LOG,
            "deferred/6/60F512301A4": _TWO,
            "defer/7/70F512301A4": (b"", 0o600),
        },
    ),
    "written": Odd(
        "",
        {
            "incoming/10F512301A4": (golden.A_TWO_RECIPIENTS[:300], 0o600),
            "incoming/20F512301A4": (golden.A_TWO_RECIPIENTS, 0o640),
            "incoming/30F512301A4": (golden.A_TWO_RECIPIENTS, 0o500),
            "incoming/40F512301A4": (golden.A_TWO_RECIPIENTS, 0o100),
            "active/50F512301A4": (golden.A_TWO_RECIPIENTS, 0o600),
            "deferred/6/60F512301A4": (golden.A_TWO_RECIPIENTS, 0o777),
            "deferred/7/70F512301A4": (golden.A_TWO_RECIPIENTS, 0o644),
            "hold/80F512301A4": (golden.A_TWO_RECIPIENTS, 0),
            "maildrop/90F512301A4": (golden.B_MAILDROP, 0o644),
            "maildrop/A0F512301A4": (golden.B_MAILDROP, 0o600),
        },
    ),
    "temporary": Odd(
        "",
        {
            "incoming/123.4567": (b"x", 0o600),
            "maildrop/1234.56": (b"x", 0o600),
            "active/99.1": (b"x", 0o700),
            "deferred/1/123.9": (b"x", 0o600),
            "hold/no-id": (b"x", 0o700),
            "flush/out_test": (b"10F512301A4\n", 0o600),
        },
    ),
}  # fmt: skip

_THEIRS: Final = "/usr/sbin"
_ID: Final = re.compile(
    r"\b(?:[0-9A-F]{9,12}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]+)\b"
)


def _played(folder: Path, odd: Odd, *, is_ours: bool) -> list[object]:
    """What each command says, and what is there then; ids that are new without their inodes."""
    spool = Spool(folder, owner="postfix", settings=odd.settings, messages=odd.files)
    given = {name.rpartition("/")[2] for name in odd.files}

    def normal(text: str) -> str:
        text = text.replace(str(folder), "BASE")
        text = _ID.sub(lambda found: found[0] if found[0] in given else f"NEW{found[0][:4]}", text)
        # A directory is that of its file's name, which has a new inode in it.
        return re.sub(r"(/(?:\w/)+)(?=NEW)", lambda found: "/+" * (found[1].count("/") - 1) + "/", text)

    said: list[object] = []
    for line in odd.commands:
        program, *arguments = line.split()
        command = (
            [sys.executable, "-m", f"pillarbox.tools.{program}"] if is_ours else [f"{_THEIRS}/{program}"]
        )
        done = subprocess.run(
            [*command, *arguments],
            env={**os.environ, "MAIL_CONFIG": str(folder)},
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        errors = sorted(normal(done.stderr).split("\n"))
        said.append(
            (
                line,
                done.returncode,
                errors,
                sorted(normal(one.removesuffix(" new")) for one in spool.listing()),
            )
        )
    return said


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], list[object]]:
    """Of both; Debian's postsuper waits for a second after each fatal error."""
    base = tmp_path_factory.mktemp("queues")
    let_others_in(base)
    jobs = [(name, is_ours) for name in CASES for is_ours in (False, True)]

    def play(job: tuple[str, bool]) -> list[object]:
        number = list(CASES).index(job[0])
        return _played(base / f"{number}{'ours' if job[1] else 'theirs'}", CASES[job[0]], is_ours=job[1])

    with ThreadPoolExecutor(max_workers=6) as pool:
        return dict(zip(jobs, pool.map(play, jobs), strict=True))


@pytest.mark.parametrize("name", list(CASES))
def test_odd_queues(name: str, results: dict[tuple[str, bool], list[object]]) -> None:
    """Output, exit status, and the queue after each command."""
    assert results[name, True] == results[name, False]
