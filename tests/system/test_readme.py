"""README is true: each of its commands is run here as it stands there, and what the documents point to exists."""

import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.mail_system import PATIENCE, kill, rootless_prefix, until

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(document: Path) -> list[list[str]]:
    """Lines of the fenced shell examples, without remarks."""
    found = re.findall(r"^```sh\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL)
    stripped = [[re.sub(r"\s+#.*", "", line).strip() for line in block.splitlines()] for block in found]
    return [[line for line in block if line and not line.startswith("#")] for block in stripped]


ON_A_HOST = {  # command → the system test that types it on a host of its own, and what it types
    ".venv/bin/pillarbox check": ("test_in_place_files.py", '"check"'),
    ".venv/bin/pillarbox install --dry-run": ("test_in_place_files.py", '"install --dry-run"'),
    "postfix start": ("test_in_place.py", '"postfix start"'),
    "dovecot": ("test_tutorial_mailbox.py", '"dovecot"'),
}


class Reader:
    """Somebody who types what README says, with a home directory of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._environment = {**os.environ, "HOME": str(home)}
        self._environment.pop("XDG_DATA_HOME", None)
        self.running: subprocess.Popen[str] | None = None

    def start(self, line: str) -> None:
        """A command that goes on."""
        with open(self.home / "screen", "w") as screen:
            self.running = subprocess.Popen(
                [*rootless_prefix(), "/bin/sh", "-c", f"exec {line}"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def type(self, line: str, *, answers: str = "") -> "subprocess.CompletedProcess[str]":
        """A command that ends."""
        return subprocess.run(
            [*rootless_prefix(), "/bin/sh", "-c", line],
            cwd=ROOT,
            env=self._environment,
            input=answers,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def screen(self) -> str:
        """What `make run` shows."""
        return (self.home / "screen").read_text()

    def stop(self) -> None:
        """Ctrl-C: the terminal tells make and whom it runs.  Then nothing runs any more."""
        assert self.running is not None
        os.killpg(self.running.pid, signal.SIGINT)
        assert self.running.wait(30) in (-signal.SIGINT, 130)  # make's way to say so
        assert "Traceback" not in self.screen()


@pytest.fixture
def reader() -> Iterator[Reader]:
    """Everything of theirs is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="pillarbox-test-") as directory:
        home = Path(directory)
        home.chmod(0o755)
        typing = Reader(home)
        try:
            yield typing
        finally:
            if typing.running is not None and typing.running.poll() is None:
                kill(typing.running.pid)
                typing.running.wait()


def test_every_command_of_readme(reader: Reader) -> None:
    """In their order, on the default data directory; `make test` is this very run, and is looked at only."""
    lines = list(dict.fromkeys(line for block in blocks(ROOT / "README.md") for line in block))
    assert lines[0] == "make run"
    reader.start(lines[0])
    until(lambda: "Ctrl-C stops" in reader.screen(), what=lambda: f"it runs:\n{reader.screen()}")
    status = json.loads(reader.type(".venv/bin/pillarbox status --json").stdout)
    assert status["healthy"]
    assert {entry["port"] for entry in status["listeners"]} == {2025, 2587, 2465, 2143, 2993, 2110, 2995}
    assert (reader.home / ".local/share/pillarbox/etc/main.cf").exists()
    for line in lines[1:]:
        if line in ON_A_HOST:
            test, typed = ON_A_HOST[line]
            assert typed in (Path(__file__).parent / test).read_text(), line
            continue
        if line == "make test":
            planned = reader.type("make -n test").stdout
            for part in ("ruff", "mypy", "lint-imports", "not system and not fuzz", "-m system", "fuzz.run"):
                assert part in planned, part
            continue
        done = reader.type(line, answers="a password\na password\n")
        assert (done.returncode, done.stderr) == (0, ""), (line, done)
        assert done.stdout or "user add" in line, line
    listed = reader.type(".venv/bin/pillarbox user list").stdout
    assert listed == "me@pillarbox.test\nyou@pillarbox.test\n"
    [settings] = [line for line in lines if "postconf" in line]
    assert "virtual_mailbox_domains = pillarbox.test\n" in reader.type(settings).stdout
    reader.stop()
    assert reader.type(".venv/bin/pillarbox status").returncode == 69


def test_arguments_of_readme(reader: Reader) -> None:
    """The line that changes ports, address and directory does."""
    [line] = re.findall(r"`(ARGUMENTS=[^`]+)`", (ROOT / "README.md").read_text())
    assert "DIR" in line
    directory = reader.home / "elsewhere"
    reader.start("env " + line.replace("DIR", str(directory)))
    until(lambda: "Ctrl-C stops" in reader.screen(), what=lambda: f"it runs:\n{reader.screen()}")
    status = json.loads(reader.type(f".venv/bin/pillarbox status --json --data {directory}").stdout)
    assert {
        (entry["address"], entry["port"]) for entry in status["listeners"] if entry["name"] == "smtp"
    } == {("127.0.0.1", 3025)}
    assert not (reader.home / ".local").exists()
    reader.stop()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_documents_point_to(document: Path) -> None:
    """Links, files, and targets of make exist."""
    text = document.read_text()
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            assert (document.parent / target).exists(), target
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([a-z]+)", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
    for path in re.findall(r"`((?:tests|src|scripts|docs|bench)/[\w/.*-]+)`", text):
        assert list(ROOT.glob(path.rstrip("/"))), path
