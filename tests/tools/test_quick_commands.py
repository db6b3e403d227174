"""Commands that scripts call often start quickly: they import nothing that only other commands need."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import pillarbox
from pillarbox.supervisor.version import VERSION
from pillarbox.tools.installation.start_scripts import start_script

HEAVY = (
    *("asyncio", "cryptography", "dns", "argon2", "pillarbox.lab", "pillarbox.mailstore"),
    *("typing_extensions", "inspect", "ast", "tokenize"),
)
NOT_FOR_MAIL = ("socket", "ipaddress", "textwrap", "ctypes", "threading")
"""What short commands of the MTA do without."""
PATHS = f"import sys; sys.path += {[path for path in sys.path if path.endswith(('site-packages', 'src'))]!r}"
COMMANDS = (
    *("pillarbox", "doveadm", "doveconf", "mailq", "sendmail", "postcat", "postconf", "postdrop", "postkick"),
    *("postlock", "postlog", "postmap", "postqueue", "postsuper", "qshape"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_imported_at_the_start(command: str) -> None:
    """None of what is heavy."""
    names = f"import sys, pillarbox.tools.{command}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", names], check=True, capture_output=True, text=True)
    assert [name for name in done.stdout.split() if name in HEAVY] == []


@pytest.mark.parametrize("command", ["mailq", "postconf", "postqueue", "sendmail"])
def test_what_is_not_imported_for_mail(command: str) -> None:
    """Each takes one to four milliseconds."""
    names = f"import sys, pillarbox.tools.{command}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"{PATHS}; {names}"], check=True, capture_output=True, text=True
    )
    assert [name for name in done.stdout.split() if name in NOT_FOR_MAIL] == []


@pytest.mark.parametrize("command", ["postfix", "postlog", "postsuper"])
def test_who_writes_to_the_log_reads_no_dovecot_conf(command: str) -> None:
    """How lines of a mailbox half begin is no matter to commands of the MTA."""
    names = f"import sys, pillarbox.tools.{command}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", names], check=True, capture_output=True, text=True)
    assert [name for name in done.stdout.split() if name.startswith("pillarbox.config.dovecot.decl")] == []


def test_a_supervisor_ends_as_it_is() -> None:
    """What it has said is written; nothing is taken to pieces."""
    program = (
        "import atexit; from pillarbox.supervisor.starter import end; "
        "atexit.register(print, 'at the end'); print('said'); end(3)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "said\n")


def test_others_find_typing_extensions() -> None:
    """They are hidden from msgspec alone, and while it is loaded."""
    pytest.importorskip("typing_extensions")
    program = "import sys, pillarbox.tools.postconf; import typing_extensions; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True)
    assert {"msgspec", "typing_extensions"} <= set(done.stdout.split())


def test_nothing_is_looked_for_at_the_end() -> None:
    """What was loaded is no garbage: the interpreter's last collections pass it over."""
    program = (
        "import atexit, gc, sys, pillarbox.tools.postconf; "
        "atexit._run_exitfuncs(); print(gc.get_freeze_count(), len(gc.get_objects()))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True)
    frozen, looked_at = map(int, done.stdout.split())
    assert frozen > 10 * looked_at


def test_the_version_is_that_of_the_package() -> None:
    """It is written in two places."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert tomllib.loads(text)["project"]["version"] == VERSION


@pytest.mark.parametrize(
    ("program", "status", "out"),
    [
        ("sys.stdout.write('half a line'); end(3)", 3, "half a line"),
        ("atexit.register(print, 'at the end'); end(0)", 0, "at the end\n"),
        ("sys.stdout = None; end(4)", 4, ""),
        (
            "threading.Thread(target=lambda: time.sleep(0.05) or print('a thread')).start(); end(5)",
            5,
            "a thread\n",
        ),
    ],
)
def test_a_command_ends(program: str, status: int, out: str) -> None:
    """What was printed is written out, what was registered runs, threads are waited for."""
    begin = "import atexit, sys, threading, time; from pillarbox.tools import end; "
    done = subprocess.run(
        [sys.executable, "-I", "-c", begin + program], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, out, "")


@pytest.mark.parametrize("directory", ["bin", "my mail", "it's mine", "long" * 40, "'' ''"])
def test_a_start_script(tmp_path: Path, directory: str) -> None:
    """It finds modules without `site`, and hands on words and status, wherever the interpreter is."""
    (tmp_path / "greeting.py").write_text(
        "import sys\ndef main():\n    print('hello', sys.flags.no_site, *sys.argv[1:])\n    return 7\n"
    )
    source = str(Path(pillarbox.__path__[0]).parent)
    interpreter, script = tmp_path / directory / "python", tmp_path / directory / "hello"
    interpreter.parent.mkdir()
    interpreter.symlink_to(os.path.realpath(sys.executable))
    packages = [path for path in sys.path if path.endswith("site-packages")]
    script.write_text(start_script(str(interpreter), [source, *packages, str(tmp_path)], "greeting:main"))
    script.chmod(0o755)
    done = subprocess.run([script, "a  b", "$HOME"], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (7, "hello 1 a  b $HOME\n", "")
