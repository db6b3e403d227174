"""What ps(1) and pgrep(1) show of a process: a command line, and a name that admins and monitors look for.

STANDARDS
    proc_pid_cmdline(5), proc_pid_comm(5), proc_pid_stat(5)
"""

import contextlib
import ctypes
import functools
from collections.abc import Sequence
from pathlib import Path

_ARGUMENTS_BEGIN, _ARGUMENTS_END = 48, 49
"""Fields of /proc/PID/stat, counted from 1."""


def show_command_line(words: Sequence[str]) -> None:
    """Write the words over what this process was exec'd with; what does not fit is left out.

    For a process that may still read its own addresses, before it drops its rights, or whose parent has.
    """
    begin, end = _place()
    if not 0 < begin < end:
        return  # they are not told
    text = b"".join(word.encode() + b"\0" for word in words)[: end - begin - 1]
    ctypes.memmove(begin, text.ljust(end - begin, b"\0"), end - begin)


def show_name(name: str) -> None:
    """What this process is called: 15 octets, as `pgrep -x` and `killall` have it."""
    with contextlib.suppress(OSError):  # there is no /proc
        Path("/proc/self/comm").write_bytes(name.encode())


@functools.cache
def _place() -> tuple[int, int]:
    """Where the arguments are; forked processes have theirs in the same place."""
    fields = ["", *Path("/proc/self/stat").read_text().rpartition(") ")[2].split()]
    return int(fields[_ARGUMENTS_BEGIN - 2]), int(fields[_ARGUMENTS_END - 2])
