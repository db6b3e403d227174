"""pillarbox(1): what it says of itself."""

from pathlib import Path

import pytest

from pillarbox.supervisor.version import VERSION
from pillarbox.tools.pillarbox import main


def test_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    """In one line."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"Pillarbox {VERSION}\n")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["run"], "Start everything in the foreground; Ctrl-C stops it."),
        (["user", "list"], "All users."),
        (["import", "mbox"], "The messages of an mbox file, with flags and dates."),
        (["uninstall"], "Take away what install put there."),
    ],
)
def test_help_of_a_command(command: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what the command does."""
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert sentence in capsys.readouterr().out.splitlines()


def test_status_before_the_first_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is told of a password that nobody has made."""
    assert main(["status", "--data", str(tmp_path / "none")]) == 69
    assert capsys.readouterr().out == (
        f"pillarbox is not running   ({tmp_path}/none)\n"
        "nothing is there yet: `pillarbox run` makes it at the first start\n"
    )
