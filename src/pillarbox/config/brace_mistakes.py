"""Braces that do not match in main.cf's values, as postconf(1) looks at them.

DESCRIPTION
    Words in braces, `{…}`, and tables with their text in braces, `inline:{…}`, are taken apart at any depth.
    What only a daemon would notice, and perhaps late, is told at once.

SOURCE
    postconf(5): "{" and "}" around values with blanks; DATABASE_README (tables of tables)
"""

from collections.abc import Iterator
from typing import Final

from pillarbox.config.logical_lines import BLANKS
from pillarbox.config.value_types import inside_braces, words

_SEPARATORS: Final = BLANKS + ","


def brace_mistakes(text: str) -> Iterator[str]:
    """What is wrong with the braces of a value, in the words of Postfix's command."""
    waiting = [text]
    while waiting:
        for word in words(waiting.pop(), separators=_SEPARATORS):
            braced = word if word[0] == "{" else _name_of_table(word)
            if braced[:1] != "{":
                continue
            inside, mistake = inside_braces(braced)
            if mistake:
                yield mistake
            waiting.append(inside)


def _name_of_table(word: str) -> str:
    """What stands behind `type:`, or behind `proxy:type:`; empty if the word is no table."""
    kind, colon, name = word.partition(":")
    while colon and kind == "proxy":
        kind, colon, name = name.partition(":")
    return name if colon else ""
