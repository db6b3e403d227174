"""Runs the fuzz targets: `python -m fuzz.run --seconds 30 [NAME …]`.

A target is a module of this folder with `fuzz_one(data)`, which lets no exception out but a bug, `SEEDS`, and
perhaps `DICTIONARY`.  Each runs in a process of its own, as many at once as there are cores.  A failing input is
kept in .fuzz/NAME, to be made a row of the parser's table.
"""

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FOLDER = Path(__file__).parent
FOUND = Path(".fuzz")


def main() -> int:
    """All targets, or those that are named."""
    parser = argparse.ArgumentParser(prog="fuzz.run")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--one", action="store_true", help="run a single target in this process")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.one:
        run_one(options.names[0], options.seconds)
        return 0
    names = options.names or sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "run")
    return run_all(names, options.seconds)


def run_all(names: list[str], seconds: int) -> int:
    """Run the targets in processes, and tell how they ended."""
    waiting, failed = list(names), 0
    running: dict[str, tuple[subprocess.Popen[bytes], Path, tempfile.TemporaryDirectory[str]]] = {}
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            name = waiting.pop(0)
            FOUND.mkdir(exist_ok=True)
            log = FOUND / f"{name}.log"
            command = [sys.executable, "-m", "fuzz.run", "--one", "--seconds", str(seconds), name]
            own = tempfile.TemporaryDirectory(prefix="pillarbox-fuzz-")  # a fuzzer's end cleans up nothing
            with log.open("wb") as out:
                process = subprocess.Popen(
                    command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, "TMPDIR": own.name}
                )
            running[name] = process, log, own
        time.sleep(0.1)
        for name, (process, log, own) in list(running.items()):
            if process.poll() is not None:
                own.cleanup()
                del running[name]
                failed += report(name, process.returncode, log.read_text(errors="replace"))
    print(f"{len(names) - failed} passed, {failed} failed")
    return 1 if failed else 0


def report(name: str, status: int, log: str) -> int:
    """One line for a target that ended, all of its output if it failed; 1 if it failed."""
    executions = [line for line in log.split("\n") if line.startswith("Done ")]
    print(f"fuzz {name}: {executions[-1] if executions and not status else f'exit status {status}'}")
    if status or not executions:
        print(log[-6000:])
        return 1
    return 0


def run_one(name: str, seconds: int) -> None:
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
            f"-max_total_time={seconds}",
            "-seed=20261122",
            "-max_len=8192",
            "-timeout=10",
            "-rss_limit_mb=1500",
            "-print_final_stats=0",
            f"-artifact_prefix={found}/",
        ]
        words = getattr(target, "DICTIONARY", [])
        if words:
            dictionary = Path(corpus, "words.dict")
            dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in words))
            arguments.append(f"-dict={dictionary}")
        atheris.Setup([*arguments, corpus], target.fuzz_one)
        atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(
        chr(octet) if 0x20 <= octet < 0x7F and octet not in b'"\\' else f"\\x{octet:02x}" for octet in word
    )


if __name__ == "__main__":
    sys.exit(main())
