"""A file is watched wherever it is going to be."""

import asyncio
from pathlib import Path

import pytest

from pillarbox.files.inotify import Inotify, open_inotify


def test_a_file_whose_directories_are_made_one_by_one(tmp_path: Path) -> None:
    """Each step is told, and the file; what is beside them is not."""

    async def work() -> None:
        inotify = open_inotify(asyncio.get_running_loop())
        if inotify is None:
            pytest.skip("no inotify here")
        told: list[int] = []
        end = inotify.watch_file(bytes(tmp_path / "a" / "b" / "file"), lambda: told.append(1))
        for path, is_told in (
            (tmp_path / "beside", False),
            (tmp_path / "a", True),
            (tmp_path / "a" / "beside", False),
            (tmp_path / "a" / "b", True),
            (tmp_path / "a" / "b" / "beside", False),
            (tmp_path / "a" / "b" / "file", True),
        ):
            told.clear()
            path.mkdir()
            inotify.read()
            assert bool(told) is is_told, path
        end()
        told.clear()
        (tmp_path / "a" / "b" / "file").rmdir()
        inotify.read()
        assert not told
        inotify.close()

    asyncio.run(work())


def test_directories_that_are_made_while_they_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's own directory is watched in the end."""
    place = tmp_path / "a" / "b"
    watch = Inotify.watch

    async def work() -> None:
        inotify = open_inotify(asyncio.get_running_loop())
        if inotify is None:
            pytest.skip("no inotify here")
        seen: list[bytes] = []

        def watch_slowly(self: Inotify, directory: bytes, *arguments: object, **more: object) -> object:
            seen.append(directory)
            if directory == bytes(tmp_path):
                place.mkdir(parents=True)
            return watch(self, directory, *arguments, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(Inotify, "watch", watch_slowly)
        told: list[int] = []
        inotify.watch_file(bytes(place / "file"), lambda: told.append(1))
        assert seen == [bytes(place), bytes(place.parent), bytes(tmp_path), bytes(place)]
        inotify.read()
        told.clear()
        (place / "file").write_bytes(b"")
        inotify.read()
        assert told
        inotify.close()

    asyncio.run(work())
