"""regexp: tables, POSIX regular expressions.

STANDARDS
    regexp_table(5): flags i (on: letters match in either case), m (off), x (on: extended syntax)
"""

from typing import Final

from pillarbox.tables import posix_regex
from pillarbox.tables.pattern_rules import Dialect, Matcher, PatternError, PatternTable
from pillarbox.tables.posix_regex import PosixRegex, RegexError
from pillarbox.tables.table import Opening


class _Regexp:
    def __init__(self, pattern: bytes, flags: int) -> None:
        try:
            self._regex = PosixRegex(pattern, flags)
        except RegexError as error:
            raise PatternError(str(error)) from error
        self.groups = self._regex.groups

    def search(self, subject: bytes) -> tuple[bytes, ...] | None:
        """The match and its groups."""
        try:
            return self._regex.search(subject)
        except RegexError as error:
            raise PatternError(str(error)) from error


def _compile(pattern: bytes, flags: int) -> Matcher:
    return _Regexp(pattern, flags)


REGEXP: Final = Dialect(
    kind="regexp",
    compile=_compile,
    default_flags=posix_regex.EXTENDED | posix_regex.ICASE,
    flags={"i": posix_regex.ICASE, "m": posix_regex.NEWLINE, "x": posix_regex.EXTENDED},
    obsolete_flags="",
    after_unclosed="skipping this rule",
    second_pattern=True,
    below_one="out-of-range replacement index",
)


def open_regexp(name: str, opening: Opening) -> PatternTable:
    """`regexp:name`"""
    return PatternTable(REGEXP, name, opening=opening)
