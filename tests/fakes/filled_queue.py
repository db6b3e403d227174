"""A queue directory with messages in every state, for commands that work on files.

DESCRIPTION
    The messages are Postfix's own golden samples and damaged ones; file names are fixed, so that two queues are
    filled alike.  `Spool.listing()` is what is in it: path, mode, and whether the file's times are new.
"""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fakes import postfix_queue_files as golden

DIRECTORIES: Final = (
    "maildrop incoming active deferred hold defer bounce public private pid corrupt flush saved trace".split()
)
WRITTEN: Final = 1_795_353_636
"""Times of all files."""
_LOG: Final = b"""
<%s>: %s
recipient=%s
offset=760
status=4.7.1
action=delayed
reason=%s

"""
_RENAMED: Final = re.compile(r"(?<=/)([0-9A-F]{5})([0-9A-F]{6})(?= )")


def log_entry(recipient: bytes, reason: bytes) -> bytes:
    """An entry of a defer log."""
    return _LOG % (recipient, reason, recipient, reason)


REFUSED: Final = (
    b"host 127.0.0.1[127.0.0.1] said: 451 4.7.1 Please try again later (in reply to RCPT TO command)"
)
ODD: Final = golden.A_TWO_RECIPIENTS.replace(
    b"S\x11alice@example.org", b'S\x11bl"an k\x01@ex.o\xffg'
).replace(b"defer+ext@dest.example", b'de \\"+ext@dest.exampl\xe9')
MESSAGES: Final[dict[str, tuple[bytes, int]]] = {
    "deferred/1/10F512301A4": (golden.A_TWO_RECIPIENTS, 0o700),
    "defer/1/10F512301A4": (log_entry(b"defer+ext@dest.example", REFUSED), 0o600),
    "maildrop/B0000000001": (golden.B_MAILDROP, 0o744),
    "active/C0000000001": (golden.C_SMTPUTF8, 0o700),
    "hold/D0000000001": (golden.D_MILTER, 0o700),
    "incoming/E0000000001": (golden.A_TWO_RECIPIENTS[:500], 0o700),  # cut
    "incoming/E0000000002": (golden.A_TWO_RECIPIENTS, 0o600),  # being written
    "incoming/E0000000003": (b"", 0o700),
    "incoming/E0000000004": (b"junk" * 30, 0o700),
    "incoming/E0000000005": (ODD, 0o700),
    "deferred/F/F0000000006": (golden.A_TWO_RECIPIENTS, 0o710),  # to be expired
    "defer/F/F0000000006": (
        log_entry(b"x@y", 'short "quoted" \\ bé'.encode())
        + log_entry(b"x2@y", 'short "quoted" \\ bé'.encode()),
        0o600,
    ),
    "deferred/a/a.b": (b"x", 0o700),
}


class Spool:
    """One queue with its configuration."""

    def __init__(
        self,
        base: Path,
        *,
        owner: str,
        empty: bool = False,
        settings: str = "",
        messages: Mapping[str, tuple[bytes, int]] | None = None,
    ) -> None:
        """`messages` in place of the usual ones, `settings` behind the usual main.cf."""
        self.base = base
        self.queue = base / "spool"
        base.mkdir(mode=0o755)
        (base / "main.cf").write_text(
            f"compatibility_level = 3.6\nmyhostname = mx.test\nqueue_directory = {self.queue}\n{settings}"
        )
        self._owner = owner
        self._messages = {} if empty else MESSAGES if messages is None else messages
        self.fill()

    def fill(self) -> None:
        """Begin anew."""
        shutil.rmtree(self.queue, ignore_errors=True)
        for name in DIRECTORIES:
            (self.queue / name).mkdir(parents=True)
        for name, (content, mode) in self._messages.items():
            self.put(name, content, mode)
        for path in (self.queue, *self.queue.rglob("*")):
            shutil.chown(path, self._owner)

    def put(self, name: str, content: bytes, mode: int = 0o700, *, time: int = WRITTEN) -> None:
        """One more file."""
        path = self.queue / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content)
        path.chmod(mode)
        shutil.chown(path, self._owner)
        os.utime(path, (time, time))

    def listing(self) -> list[str]:
        """Path, mode, whether it is new; an id that was made to match its inode ends in INODE."""
        found = []
        for path in self.queue.rglob("*"):
            if path.is_file():
                status = path.stat()
                text = f"/{path.relative_to(self.queue)} {status.st_mode & 0o777:o}"
                match = _RENAMED.search(text)
                if match is not None and str(path.relative_to(self.queue)) not in MESSAGES:
                    text = _RENAMED.sub(r"\1INODE", text)
                found.append(f"{text}{' new' if status.st_mtime > WRITTEN else ''}")
        return sorted(found)
