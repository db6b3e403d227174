"""What the processes of a system cost: processor time and memory, read from /proc."""

import os
from pathlib import Path

_TICK = 1000 / os.sysconf("SC_CLK_TCK")
"""Milliseconds of a clock tick."""


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


def processor_time(root: int) -> dict[str, float]:
    """Milliseconds of processor time of a master and its children, by program.

    Of children that have ended their parents know only the sum, under `ended`.
    """
    used: dict[str, float] = {}
    for pid in tree(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # ended just now
        user, system, children_user, children_system = (int(field) * _TICK for field in fields[11:15])
        name = _program(words)
        if name == "delivery" and int(fields[1]) != root:
            name = "delivery agent"
        used[name] = used.get(name, 0.0) + user + system
        used["ended"] = used.get("ended", 0.0) + children_user + children_system
    return used


def _program(words: list[bytes]) -> str:
    module = next((word for word in words if word.startswith(b"pillarbox.")), b"")
    return (module.rpartition(b".")[2] or os.path.basename(words[0])).decode()
