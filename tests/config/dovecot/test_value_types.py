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
    ("milliseconds", "5ms", "5 ms"),
    ("milliseconds", "1500 msecs", "1500 ms"),
    ("milliseconds", "5000ms", "5 secs"),
    ("milliseconds", "3s", "3 secs"),
]
WRONG = [
    ("time", "7102 w", "Time interval is too large: 7102 w"),
    ("time", "90", r"Time interval '90' is missing units \(add e.g. 's' for seconds\)"),
    ("size", "16777216T", "Size is too large: 16777216T"),
    ("size", "18446744073709551616", "Invalid size: 18446744073709551616"),
    ("time", "99999999999s", "Time interval is too large: 99999999999s"),
    ("milliseconds", "100 weeks", "Time interval is too large: 100 weeks"),
    ("milliseconds", "5", "is missing units"),
    ("octal", "0888", "Invalid number: 0888"),
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
