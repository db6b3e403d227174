"""What other programs do to a Maildir beside its server: each a few system calls, by the Maildir rules.

DESCRIPTION
    https://cr.yp.to/proto/maildir.html: a message is written in tmp and renamed to new; who looks at it moves it to
    cur and gives its name `:2,` and flags; flags are changed by renaming; whoever owns the mail may remove a file.
"""

import itertools
import os
from pathlib import Path
from typing import Final

STRANGE_ACTIONS: Final = (b"deliver", b"deliver", b"move", b"flag", b"flag", b"remove")
FLAG_SETS: Final = ("", "S", "FS", "T", "RST", "Sa")
_NUMBERS: Final = itertools.count()


def do_strange_thing(maildir: Path, action: bytes, choice: int) -> None:
    """One of `STRANGE_ACTIONS`; nothing if there is no file that it could be done to."""
    match action:
        case b"deliver":
            name = f"1700000000.M{next(_NUMBERS)}P{os.getpid()}.strange"
            temporary = maildir / "tmp" / name
            temporary.write_bytes(b"Subject: strange\n\nx\n")
            temporary.rename(maildir / "new" / name)
        case b"move":
            if (file := _one_of(maildir / "new", choice)) is not None:
                _rename(file, maildir / "cur" / f"{file.name}:2,")
        case b"flag":
            if (file := _one_of(maildir / "cur", choice)) is not None:
                base = file.name.partition(":")[0]
                _rename(file, maildir / "cur" / f"{base}:2,{FLAG_SETS[choice % len(FLAG_SETS)]}")
        case _:
            if (file := _one_of(maildir / "cur", choice)) is not None:
                file.unlink(missing_ok=True)


def touch_directories(maildir: Path) -> None:
    """As after a change of another program, so that a server looks at what its own changes may have hidden."""
    for directory in (maildir / "new", maildir / "cur"):
        modified = directory.stat().st_mtime_ns
        os.utime(directory, ns=(modified + 1, modified + 1))


def _one_of(directory: Path, choice: int) -> Path | None:
    files = sorted(file for file in directory.iterdir() if not file.name.startswith("."))
    return files[choice % len(files)] if files else None


def _rename(file: Path, target: Path) -> None:
    try:
        file.rename(target)
    except FileNotFoundError:  # the server was faster
        return
