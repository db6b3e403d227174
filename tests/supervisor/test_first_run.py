"""The directory of the embedded default: which paths it may have."""

import datetime
from pathlib import Path

import pytest

from pillarbox.supervisor.first_run import prepare
from pillarbox.supervisor.foreground import run_in_foreground
from pillarbox.supervisor.home import Home
from pillarbox.supervisor.listeners import StartFault

NOW = datetime.datetime(2026, 11, 27, tzinfo=datetime.UTC)


@pytest.mark.parametrize("name", ["my mail", "a,b", "a:b", "a#b", "a$b", "a%b", 'a"b', "a\\b", "a;b", "a\nb"])
def test_paths_that_configuration_files_cannot_have(tmp_path: Path, name: str) -> None:
    """They are refused before anything is made."""
    with pytest.raises(StartFault, match=r"cannot stand in the path; choose another directory with --data"):
        prepare(Home(tmp_path / name), owners=None, now=NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_is_too_long_for_sockets(tmp_path: Path) -> None:
    """So is it."""
    with pytest.raises(StartFault, match="more than 82 octets"):
        run_in_foreground(Home(tmp_path / ("é" * 41)), listen="127.0.0.1", port_offset=2000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["jürgen", "x=z@+1", "it's", "{a}", "[a]*", "(b)&<>|", "~a!"])
def test_other_paths(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whatever else is in them is taken: they fail at the next step, here for want of rights."""
    monkeypatch.setattr(Path, "mkdir", _no_rights)
    with pytest.raises(StartFault, match=r"^cannot write "):
        prepare(Home(Path("/") / name), owners=None, now=NOW)


def _no_rights(path: Path, **_: object) -> None:
    raise PermissionError(13, "Permission denied", str(path))
