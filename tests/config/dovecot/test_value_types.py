"""Times, sizes and numbers of dovecot.conf: the form that doveconf shows, and what is none."""

import pytest

from pillarbox.config.dovecot.value_types import canonical

RIGHT = [
    ("time", "90s", "90 secs"),
    ("time", "4294967295 s", "4294967295 secs"),
    ("size", "10240 KB", "10 M"),
    ("size", "1KiB", "1 k"),
    ("size", "2 mi", "2 M"),
    ("number", "0042", "42"),
]
WRONG = [
    ("time", "7102 w", "Time interval is too large: 7102 w"),
    ("time", "90", r"Time interval '90' is missing units \(add e.g. 's' for seconds\)"),
    ("size", "16777216T", "Size is too large: 16777216T"),
    ("size", "1 bi", "Invalid size: 1 bi"),
    ("number", "-1", "Invalid number -1: Number too small"),
    ("number", "4294967296", "Invalid number 4294967296: Number too large"),
    ("number", "9" * 40, "Number too large"),
    ("number", "1e3", "Invalid number 1e3: Not a valid number"),
]


@pytest.mark.parametrize(("kind", "text", "shown"), RIGHT)
def test_what_is_right(kind: str, text: str, shown: str) -> None:
    """Units in every spelling."""
    assert shown == canonical(kind, text)


@pytest.mark.parametrize(("kind", "text", "mistake"), WRONG)
def test_what_is_wrong(kind: str, text: str, mistake: str) -> None:
    """In Dovecot's words."""
    with pytest.raises(ValueError, match=mistake):
        canonical(kind, text)
