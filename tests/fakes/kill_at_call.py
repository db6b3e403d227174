"""A process that is killed at its n-th system call from now on: before the kernel does what it asks.

DESCRIPTION
    `KillAtCall(pid, n)` traces all threads of a process from a process of its own (ptrace(2) belongs to one
    thread, and its waiting would take other children's ends).  It counts the entries of system calls of all
    threads together; at the n-th the whole process gets SIGKILL, which a call that is only being entered does
    not survive.  With n = 0 it only counts.

FAULTS
    NoTracing  this machine does not let us trace

STANDARDS
    Linux ptrace(2): PTRACE_SEIZE, PTRACE_GET_SYSCALL_INFO (5.3 and later)
"""

import ctypes
import os
import re
import select
import signal
import struct
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final, NoReturn

_SYSCALL, _SEIZE, _INTERRUPT, _SYSCALL_INFO = 24, 0x4206, 0x4207, 0x420E
_SYSGOOD, _TRACECLONE = 0x1, 0x8
_WALL: Final = 0x40000000
_SYSCALL_STOP: Final = signal.SIGTRAP | 0x80
_ENTRY: Final = 1
_PATIENCE: Final = 60.0
"""Seconds that a process which was killed may take to end."""


def _wait_for_end(pid: int) -> None:
    """Who is killed takes a moment to end."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([process], [], [], _PATIENCE)[0], "what was killed lives"
    finally:
        os.close(process)


class NoTracing(Exception):
    """ptrace is forbidden here."""


class KillAtCall:
    """A context in which a process is traced."""

    def __init__(self, pid: int, number: int) -> None:
        self.pid = pid
        self._number = number
        self.killed_at = ""  # the call, if it came to that
        self.calls = 0
        self._tracer: subprocess.Popen[str] | None = None

    def __enter__(self) -> "KillAtCall":
        self._tracer = subprocess.Popen(
            [sys.executable, "-I", __file__, str(self.pid), str(self._number)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._tracer.stdout is not None
        said = self._tracer.stdout.readline()
        if said != "attached\n":
            with self._tracer.stdout as output:
                said += output.read()
            self._tracer.wait()
            raise NoTracing(said)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._tracer is not None
        assert self._tracer.stdout is not None
        self._tracer.terminate()
        with self._tracer.stdout as output:
            said = output.read()
        self._tracer.wait()
        words = said[max(said.rfind("killed "), said.rfind("counted "), 0) :].split()
        # Python may tell before it that a signal came while it was told to ignore it.
        assert words[:1] in (["killed"], ["counted"]), said
        self.calls = int(words[1])
        if words[0] == "killed":
            _wait_for_end(self.pid)
            self.killed_at = _name(int(words[2]))


@cache
def _names() -> dict[int, str]:
    for path in Path("/usr/include").glob("*/asm/unistd_64.h"):
        found = re.findall(r"#define __NR_(\w+) (\d+)", path.read_text())
        return {int(number): name for name, number in found}
    return {}


def _name(number: int) -> str:
    return _names().get(number, f"call {number}")


class _Tracer:
    """The process that traces."""

    def __init__(self, pid: int, number: int) -> None:
        self._pid = pid
        self._number = number
        self._count = 0
        libc = ctypes.CDLL(None, use_errno=True)
        self._call = libc.ptrace
        self._call.restype = ctypes.c_long
        self._call.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

    def _ptrace(self, request: int, thread: int, address: object, data: object) -> int:
        result: int = self._call(request, thread, address, data)
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result

    def run(self) -> None:
        """Until the process has ended, or we are told to stop."""
        for name in os.listdir(f"/proc/{self._pid}/task"):
            thread = int(name)
            self._ptrace(_SEIZE, thread, None, _SYSGOOD | _TRACECLONE)
            self._ptrace(_INTERRUPT, thread, None, None)
            os.waitpid(thread, _WALL)
            self._ptrace(_SYSCALL, thread, None, None)
        signal.signal(signal.SIGTERM, self._stop)
        _say("attached")
        while True:
            try:
                thread, status = os.waitpid(-1, _WALL)
            except ChildProcessError:
                _say(f"counted {self._count}")
                return
            if os.WIFSTOPPED(status):
                self._stopped(thread, status)

    def _stop(self, *_: object) -> NoReturn:
        _say(f"counted {self._count}")
        os._exit(0)  # the kernel detaches us: whoever was traced goes on

    def _stopped(self, thread: int, status: int) -> None:
        number = os.WSTOPSIG(status)
        passed_on = 0
        if number == _SYSCALL_STOP:
            self._see_call(thread)
        elif status >> 16 == 0:
            passed_on = number
        try:
            self._ptrace(_SYSCALL, thread, None, passed_on)
        except ProcessLookupError:
            return  # killed meanwhile

    def _see_call(self, thread: int) -> None:
        info = ctypes.create_string_buffer(88)
        self._ptrace(_SYSCALL_INFO, thread, len(info), info)
        if info.raw[0] != _ENTRY:
            return
        self._count += 1
        if self._count == self._number:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.kill(self._pid, signal.SIGKILL)
            (call,) = struct.unpack_from("=Q", info.raw, 24)
            _say(f"killed {self._count} {call}")
            os._exit(0)


def _say(line: str) -> None:
    os.write(1, line.encode() + b"\n")  # a signal may interrupt print() in the middle


if __name__ == "__main__":
    _Tracer(int(sys.argv[1]), int(sys.argv[2])).run()
