"""Rows of a long queue: how long the mail system takes to start with it, to list it, and what it holds in memory."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Row, is_wanted
from bench.processes import proportional_memory, tree
from bench.systems import USER, PillarboxMta, Postfix
from pillarbox.net.system_clock import SystemClock

MESSAGES = 200_000
_RUNS = 3
_REFUSED_PORT = 2604
_SECONDS_TO_COME = 3 * 86400


def queue_rows(root: Path, only: str) -> Iterator[Row]:
    """All of them, if any is wanted: the queue takes a minute to make."""
    rows = {
        name: Row(
            f"{name} with {MESSAGES:,} deferred messages", unit, more_is_better=False, original="Postfix"
        )
        for name, unit in (
            ("start until a message is delivered", "s"),
            ("memory of all processes", "MiB"),
            ("postqueue -p", "s"),
            ("postqueue -p, first line", "ms"),
        )
    }
    wanted = [row for row in rows.values() if is_wanted(row.name, only)]
    if not wanted:
        return
    systems = (Postfix(root / "postfix-queue", 4127), PillarboxMta(root / "pillarbox-queue", 4128))
    sample = _sample(systems[0])
    for system in systems:
        system.start()
        system.stop()
        _fill(system.root / "spool", *sample)
    for _ in range(_RUNS):
        for system in systems:
            ours = isinstance(system, PillarboxMta)
            for name, figure in zip(rows, _measure(system), strict=True):
                (rows[name].ours if ours else rows[name].theirs).append(figure)
    yield from wanted


def _measure(system: Postfix) -> tuple[float, float, float, float]:
    system.clear_mailbox()
    begin = time.perf_counter()
    system.start()
    try:
        command = ["smtp-source", "-f", "bench@example.org", "-t", USER, f"inet:127.0.0.1:{system.port}"]
        subprocess.run(command, check=True)
        while not system.delivered():
            time.sleep(0.002)
        started = time.perf_counter() - begin
        begin = time.perf_counter()
        postqueue = Path(system.command).with_name("postqueue")
        lister = subprocess.Popen(
            [postqueue, "-c", system.root / "etc", "-p"], stdout=subprocess.PIPE, bufsize=1 << 16
        )
        if lister.stdout is None:
            raise AssertionError("a pipe was asked for")
        lister.stdout.readline()
        lister.stdout.readline()
        first = time.perf_counter() - begin
        lines = 2
        while data := lister.stdout.read(1 << 16):
            lines += data.count(b"\n")
        lister.wait()
        listed = time.perf_counter() - begin
        if lines < 4 * MESSAGES:
            raise RuntimeError(f"{system.command} listed {lines} lines")
        return started, proportional_memory(tree(system.master)) / 1024, listed, first * 1000
    finally:
        system.stop()


def _sample(system: Postfix) -> tuple[bytes, bytes]:
    """The queue file and the defer log of a message that Postfix could not deliver."""
    system.start()
    try:
        # A second line of the same name would be warned of, and postlogd(8) waits for itself over its own warnings.
        main_cf = system.root / "etc" / "main.cf"
        lines = main_cf.read_text().splitlines(keepends=True)
        others = [line for line in lines if not line.startswith("transport_maps")]
        target = f"smtp:[127.0.0.1]:{_REFUSED_PORT}"
        main_cf.write_text("".join(others) + f"transport_maps = inline:{{ later.test={target} }}\n")
        system.reload()
        command = ["smtp-source", "-l", "4096", "-f", "bench@example.org", "-t", "someone@later.test"]
        subprocess.run([*command, f"inet:127.0.0.1:{system.port}"], check=True)
        spool = system.root / "spool"
        deadline = time.monotonic() + 30
        while not (logs := list(spool.glob("defer/*/*"))) or not list(spool.glob("deferred/*/*")):
            if time.monotonic() > deadline:
                raise TimeoutError("the sample was not deferred")
            time.sleep(0.05)
        (message,) = spool.glob("deferred/*/*")
        return message.read_bytes(), logs[0].read_bytes()
    finally:
        system.stop()


def _fill(spool: Path, message: bytes, log: bytes) -> None:
    """The sample over and over, with names that belong to the inodes, due in some days."""
    for kind in ("deferred", "defer"):
        shutil.rmtree(spool / kind)
        for digit in ("", *"0123456789ABCDEF"):
            (spool / kind / digit).mkdir(mode=0o700)
            shutil.chown(spool / kind / digit, "postfix")
    owner = pwd.getpwnam("postfix")
    due = SystemClock().now() + _SECONDS_TO_COME
    os.setegid(owner.pw_gid)
    os.seteuid(owner.pw_uid)
    try:
        temporary = f"{spool}/incoming/filling"
        for number in range(MESSAGES):
            descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o700)
            os.fchmod(descriptor, 0o700)
            os.write(descriptor, message)
            name = f"{number * 7919 % 1_000_000:05X}{os.fstat(descriptor).st_ino:X}"
            os.close(descriptor)
            os.utime(temporary, (due, due))
            os.rename(temporary, f"{spool}/deferred/{name[0]}/{name}")
            descriptor = os.open(f"{spool}/defer/{name[0]}/{name}", os.O_CREAT | os.O_WRONLY, 0o600)
            os.write(descriptor, log)
            os.close(descriptor)
    finally:
        os.seteuid(0)
        os.setegid(0)
