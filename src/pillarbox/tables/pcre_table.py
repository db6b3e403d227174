"""pcre: tables, Perl compatible regular expressions, with a limit on the steps of a match.

DESCRIPTION
    The limit is a tenth of the library's own: a client that chooses an address so that a pattern runs wild may
    hold up the others for some hundredths of a second, not more.  A match that reaches it is a fault, where
    Postfix takes it for no match: a rule that refuses mail must not be passed by exhausting it.

FAULTS
    PatternError  a bad pattern, with its place; the limit

STANDARDS
    pcre_table(5): flags i s (on), m x A E U (off); X is no more
"""

from typing import Final

import pcre2

from pillarbox.tables.pattern_rules import Dialect, Matcher, PatternError, PatternTable
from pillarbox.tables.table import Opening

_CASELESS: Final = 0x00000008
_DOLLAR_ENDONLY: Final = 0x00000010
_DOTALL: Final = 0x00000020
_EXTENDED: Final = 0x00000080
_MULTILINE: Final = 0x00000400
_UNGREEDY: Final = 0x00040000
_ANCHORED: Final = 0x80000000
_LIMITS: Final = b"(*LIMIT_MATCH=1000000)(*LIMIT_HEAP=20000)"


class _Pcre:
    def __init__(self, pattern: bytes, flags: int) -> None:
        try:
            self._pattern = pcre2.compile(_LIMITS + pattern, flags, jit=False)
        except pcre2.PatternError as error:
            raise PatternError(_explained(error)) from error
        self.groups: int = self._pattern.groups
        # The library's search() takes no notice of PCRE2_ANCHORED.
        self._match = self._pattern.match if flags & _ANCHORED else self._pattern.search

    def search(self, subject: bytes) -> tuple[bytes, ...] | None:
        """The match and its groups."""
        try:
            found = self._match(subject)
        except pcre2.LibraryError as error:
            raise PatternError(f"matching: {error}") from error
        return None if found is None else (found.group(0), *(group or b"" for group in found.groups()))


def _compile(pattern: bytes, flags: int) -> Matcher:
    return _Pcre(pattern, flags)


def _explained(error: pcre2.PatternError) -> str:
    return f"error in regex at offset {error.pos - len(_LIMITS)}: {error.msg.partition('; ')[2]}"


PCRE: Final = Dialect(
    kind="pcre",
    compile=_compile,
    default_flags=_CASELESS | _DOTALL,
    flags={
        "i": _CASELESS,
        "m": _MULTILINE,
        "s": _DOTALL,
        "x": _EXTENDED,
        "A": _ANCHORED,
        "E": _DOLLAR_ENDONLY,
        "U": _UNGREEDY,
    },
    obsolete_flags="X",
    after_unclosed="ignoring this rule",
    second_pattern=False,
    below_one="out of range replacement index",
)


def open_pcre(name: str, opening: Opening) -> PatternTable:
    """`pcre:name`"""
    return PatternTable(PCRE, name, opening=opening)
