"""Runs the fuzz targets: `python -m fuzz.run --seconds 30 [NAME …]`.

A target is a module of this folder with `fuzz_one(data)`, which lets no exception out but a bug, `SEEDS`, and
perhaps `DICTIONARY`.  Each runs in a process of its own, as many at once as there are cores.  A failing input is
kept in .fuzz/NAME, to be made a row of the parser's table.

Seconds are processor time, so that a busy machine tries no less; an input that takes ten of them fails.  With
`--beside`, other tests run at the same time: the targets take what those leave for so many seconds by the clock, and
tell how they ended at the end.
"""

import argparse
import contextlib
import ctypes
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

FOLDER = Path(__file__).parent
FOUND = Path(".fuzz")
LONGEST: Final = 10.0
"""Seconds of processor time that an input may take."""
HANGS: Final = 600
"""Seconds after which an input has no end."""
_KINDS: Final = {False: " of processor time", True: " by the clock"}
_PR_SET_PDEATHSIG: Final = 1


def main() -> int:
    """All targets, or those that are named."""
    parser = argparse.ArgumentParser(prog="fuzz.run")
    parser.add_argument("--seconds", type=int, default=30, help="of processor time, for each target")
    parser.add_argument("--beside", action="store_true", help="take the time that other tests leave")
    parser.add_argument("--one", action="store_true", help="run a single target in this process")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.one:
        run_one(options.names[0], options.seconds, by_the_clock=options.beside)
        return 0
    names = options.names or sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "run")
    return run_all(names, options.seconds, beside=options.beside)


def step_aside() -> None:
    """Have the lowest priority: as a process, and as a session, between which Linux divides the processor first.

    A target in a session of its own hears no Ctrl-C, but ends with us.
    """
    os.nice(19)
    with contextlib.suppress(OSError):
        os.setsid()
        Path("/proc/self/autogroup").write_text("19")
    end_with_parent()


def end_with_parent() -> None:
    """SIGTERM when the parent dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def run_all(names: list[str], seconds: int, *, beside: bool) -> int:
    """Run the targets in processes, and tell how they ended."""
    waiting = list(names)
    failed: list[str] = []
    told: list[str] = []
    running: dict[str, tuple[subprocess.Popen[bytes], Path, tempfile.TemporaryDirectory[str]]] = {}
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            name = waiting.pop(0)
            FOUND.mkdir(exist_ok=True)
            log = FOUND / f"{name}.log"
            command = [sys.executable, "-m", "fuzz.run", "--one", "--seconds", str(seconds), name]
            command += ["--beside"] if beside else []
            own = tempfile.TemporaryDirectory(prefix="pillarbox-fuzz-")  # a fuzzer's end cleans up nothing
            with log.open("wb") as out:
                process = subprocess.Popen(
                    command,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "TMPDIR": own.name},
                    preexec_fn=step_aside if beside else end_with_parent,
                )
            running[name] = process, log, own
        time.sleep(0.1)
        for name, (process, log, own) in list(running.items()):
            if process.poll() is not None:
                own.cleanup()
                del running[name]
                passed, text = report(name, process.returncode, log.read_text(errors="replace"))
                if not passed:
                    failed.append(name)
                if beside:
                    told.append(text)
                else:
                    print(text, flush=True)
    names_of_failed = f": {' '.join(failed)}" if failed else ""
    print(*told, f"{len(names) - len(failed)} passed, {len(failed)} failed{names_of_failed}", sep="\n")
    return 1 if failed else 0


def report(name: str, status: int, log: str) -> tuple[bool, str]:
    """Whether a target that ended has passed, and a line; all of its output if it failed."""
    executions = [line for line in log.split("\n") if line.startswith("Done ")]
    if executions and not status:
        return True, f"fuzz {name}: {executions[-1]}"
    return False, f"fuzz {name}: exit status {status}\n{log[-6000:]}"


class TooLong(Exception):
    """An input took more than LONGEST."""


def ends_after(
    seconds: float, fuzz_one: Callable[[bytes], None], *, by_the_clock: bool = False
) -> Callable[[bytes], None]:
    """The target, which ends its process when that has had so much processor time, or so many seconds have gone by."""
    executions = 0
    passed = time.monotonic if by_the_clock else time.process_time
    began, last = passed(), time.process_time()

    def fuzz(data: bytes) -> None:
        nonlocal executions, last
        fuzz_one(data)
        executions += 1
        now = time.process_time()
        if now - last > LONGEST:
            raise TooLong(f"{now - last:.1f} seconds of processor time")
        if (had := passed() - began) > seconds:
            print(f"Done {executions} runs in {had:.0f} seconds{_KINDS[by_the_clock]}", flush=True)
            os._exit(0)  # libFuzzer's own bound is wall-clock time
        last = now

    return fuzz


def run_one(name: str, seconds: int, *, by_the_clock: bool = False) -> None:
    """Run a target in this process until the time is up or it fails."""
    import atheris

    with atheris.instrument_imports(include=["pillarbox"]):
        target = importlib.import_module(f"fuzz.{name}")
    found = FOUND / name
    found.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(target.SEEDS):
            Path(corpus, f"seed{number}").write_bytes(seed)
        arguments = [
            sys.argv[0],
            "-seed=20261122",
            "-max_len=8192",
            f"-timeout={HANGS}",
            "-rss_limit_mb=1500",
            "-print_final_stats=0",
            f"-artifact_prefix={found}/",
        ]
        words = getattr(target, "DICTIONARY", [])
        if words:
            dictionary = Path(corpus, "words.dict")
            dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in words))
            arguments.append(f"-dict={dictionary}")
        atheris.Setup([*arguments, corpus], ends_after(seconds, target.fuzz_one, by_the_clock=by_the_clock))
        atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(
        chr(octet) if 0x20 <= octet < 0x7F and octet not in b'"\\' else f"\\x{octet:02x}" for octet in word
    )


if __name__ == "__main__":
    sys.exit(main())
