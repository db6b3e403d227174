"""How commands end when what they print cannot be written, or nobody reads it.

What Debian's postconf, postmap and doveconf do was looked at: SIGPIPE for Postfix's, nothing for Dovecot's.  They do
not say that a disk is full; ours do.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.system

DOVECOT_CONF: Final = "mail_location = maildir:~/Maildir\nprotocols = imap\n"
MAIN_CF: Final = "compatibility_level = 3.6\n"
POSTFIX: Final = (
    ("postconf", "-c", "{base}", "-d"),
    ("postconf", "-c", "{base}", "-b"),
    ("postmap", "-c", "{base}", "-s", "texthash:{base}/table"),
    ("qshape", "-c", "{base}", "deferred"),
    ("pillarbox", "--help"),
)
DOVECOT: Final = (
    ("doveconf", "-c", "{base}/dovecot.conf", "-a"),
    ("doveconf", "-c", "{base}/dovecot.conf", "-S"),
    ("dovecot", "-c", "{base}/dovecot.conf", "-n"),
    ("doveadm", "-c", "{base}/dovecot.conf", "config"),
    ("doveadm", "pw", "-l"),
)


def run(words: tuple[str, ...], base: Path, output: int | None) -> tuple[int, str]:
    """Exit status and standard error; standard output is closed if it is None."""
    (base / "dovecot.conf").write_text(DOVECOT_CONF)
    (base / "main.cf").write_text(f"{MAIN_CF}queue_directory = {base}\n")
    (base / "master.cf").write_text("")
    (base / "table").write_text("a b\n")
    (base / "deferred").mkdir(exist_ok=True)
    program, *rest = (word.format(base=base) for word in words)
    command = [sys.executable, "-m", f"pillarbox.tools.{program}", *rest]
    if output is None:
        command = ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *command]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, text=True, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", [*POSTFIX, *DOVECOT], ids=" ".join)
def test_nobody_reads(words: tuple[str, ...], tmp_path: Path) -> None:
    """Postfix's commands end by SIGPIPE; Dovecot's go on."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        said = run(words, tmp_path, writer)
    finally:
        os.close(writer)
    assert said == (0 if words in DOVECOT else -signal.SIGPIPE, "")


@pytest.mark.parametrize("words", [*POSTFIX, *DOVECOT], ids=" ".join)
def test_the_disk_is_full(words: tuple[str, ...], tmp_path: Path) -> None:
    """It is told, and the command has failed."""
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        status, told = run(words, tmp_path, full)
    finally:
        os.close(full)
    assert (status, told) == (1, f"{words[0]}: fatal: standard output: No space left on device\n")


@pytest.mark.parametrize("words", [*POSTFIX, *DOVECOT], ids=" ".join)
def test_standard_output_is_closed(words: tuple[str, ...], tmp_path: Path) -> None:
    """As if it were /dev/null."""
    assert run(words, tmp_path, None) == (0, "")


def test_no_file_becomes_a_standard_stream() -> None:
    """What a command opens when its standard streams are closed is none of them, and its children have all three."""
    program = (
        "import os, subprocess\n"
        "from pillarbox.tools import run_command\n"
        "def main():\n"
        "    opened = os.open('/dev/null', os.O_RDONLY)\n"
        "    child = subprocess.run(['/bin/sh', '-c', ': <&0 >&1 2>&2'])\n"
        "    return 0 if opened > 2 and child.returncode == 0 else 1\n"
        "run_command(main)\n"
    )
    words = ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-I", "-c", program]
    assert subprocess.run(words, check=False).returncode == 0


def test_another_file_for_which_there_is_no_room() -> None:
    """It is not taken for standard output."""
    program = (
        "import os\n"
        "from pillarbox.tools import run_command\n"
        "def main():\n"
        "    os.write(os.open('/dev/full', os.O_WRONLY), b'x')\n"
        "run_command(main)\n"
    )
    ended = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "standard output" not in ended.stderr
    assert ended.stderr.endswith("OSError: [Errno 28] No space left on device\n")
