"""Where the cache lies is made with it only if that is a directory of its own."""

from contextlib import closing
from pathlib import Path

import pytest

from pillarbox.mailstore.cache.message_cache import FILE_NAME, Cache


@pytest.mark.parametrize("is_its_own", [False, True])
def test_a_directory_that_is_missing(tmp_path: Path, *, is_its_own: bool) -> None:
    """A Maildir that somebody has removed stays so; INDEX= is made, with what is missing above it."""
    directory = tmp_path / "some" / "where"
    with closing(Cache(str(directory), makes_directory=is_its_own)) as cache:
        known = cache.begin(b"0" * 32, 1, b".", first_unseen=7)
        assert (bool(known.number), known.first_recent) == (is_its_own, 7)
    assert (directory / FILE_NAME).exists() is is_its_own
    assert (tmp_path / "some").exists() is is_its_own
