"""What the processes of a system cost: processor time and memory, read from /proc."""

import os
import time
from collections.abc import Callable
from pathlib import Path

_TICK = 1000 / os.sysconf("SC_CLK_TCK")
"""Milliseconds of a clock tick."""
_TICKS_AT_REST = 1


def tree(root: int) -> list[int]:
    """A process and all that descend from it."""
    found = [root]
    for pid in found:
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue  # ended just now
        for task in tasks:
            try:
                found += [
                    int(child) for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()
                ]
            except OSError:
                continue
    return found


def proportional_memory(pids: list[int]) -> float:
    """PSS of processes together, in KiB."""
    total = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.split("\n") if line.startswith("Pss:"))
    return float(total)


def wait_for_rest(processes: Callable[[], list[int]]) -> None:
    """Until processes have used next to no processor time for two seconds, and are the same ones; a minute at most."""
    before: dict[int, int] = {}
    for _ in range(30):
        now = {pid: _ticks(pid) for pid in processes()}
        if now.keys() == before.keys() and sum(now.values()) - sum(before.values()) <= _TICKS_AT_REST:
            return
        before = now
        time.sleep(2)


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0  # ended just now
    return int(fields[11]) + int(fields[12])


def processor_time(root: int) -> dict[str, float]:
    """Milliseconds of processor time of a master and its children, by program.

    Of children that have ended their parents know only the sum, under `ended`.
    """
    used: dict[str, float] = {}
    for pid in tree(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            name, above = _program(pid), _program(int(fields[1]))
        except OSError:
            continue  # ended just now
        user, system, children_user, children_system = (int(field) * _TICK for field in fields[11:15])
        if name == above == "delivery":
            name = "delivery agent"
        used[name] = used.get(name, 0.0) + user + system
        used["ended"] = used.get("ended", 0.0) + children_user + children_system
    return used


def _program(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    module = next((word for word in words if word.startswith(b"pillarbox.")), b"")
    return (module.rpartition(b".")[2] or os.path.basename(words[0])).decode()
