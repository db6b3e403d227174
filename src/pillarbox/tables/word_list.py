"""A list of words in which tables may stand for words, and `!` keeps one out: smtp_sasl_mechanism_filter, for one.

FAULTS
    ConfigurationFault  at open: a table that is not there
    LookupFault         a table cannot answer

STANDARDS
    match_list(3) as postconf(5) tells of it: the first pattern that fits decides
"""

from collections.abc import Sequence

import msgspec

from pillarbox.tables.opening import open_table
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.clock import Clock


class WordList(msgspec.Struct, frozen=True):
    """Patterns in their order."""

    patterns: tuple[tuple[bool, str, LookupTable | None], ...] = ()  # whether it lets in, word, table

    def __contains__(self, word: str) -> bool:
        word = word.lower()
        for lets_in, pattern, table in self.patterns:
            if (table.query(word) is not None) if table is not None else pattern == word:
                return lets_in
        return False


def open_word_list(words: Sequence[str], *, where: str, clock: Clock) -> WordList:
    """The list, with its tables."""
    patterns = []
    for word in words:
        pattern = word.removeprefix("!")
        table = open_table(pattern, where=where, clock=clock) if _is_table(pattern) else None
        patterns.append((not word.startswith("!"), pattern.lower(), table))
    return WordList(tuple(patterns))


def _is_table(pattern: str) -> bool:
    """`type:name`; an IPv6 address in brackets is none."""
    return ":" in pattern and not pattern.startswith("[")
