"""Lines as main.cf, master.cf and Postfix tables have them: continued, with comments in between.

DESCRIPTION
    A line that begins with whitespace continues the one before.  Empty lines, lines of whitespace, and lines
    whose first character other than whitespace is `#` are skipped, also in the middle of a continued line.
    The text is what the lines hold, joined as they are (with the whitespace that a continuation begins with).

    Files are read as UTF-8; octets that are not UTF-8 survive as surrogates, so that a comment in another
    character set does not stop anything and an editor writes it back unchanged.

    Nothing is imported: commands that are to begin at once read a configuration with this (tools/quick_listing.py).

FAULTS
    LeadingWhitespace, as an item: text that begins with whitespace but continues nothing is skipped, and
    Postfix warns of it.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

BLANKS: "Final" = " \t\r\n\v\f"
"""What C's isspace() calls space; str.strip() and str.split() would take other scripts' blanks too."""
_IN_A_LINE: "Final" = frozenset(BLANKS) - {"\n"}


class LogicalLine:
    """One line with its continuations; `first` and `last` count physical lines from 1."""

    __slots__ = ("first", "last", "text")

    def __init__(self, text: str, first: int, last: int) -> None:
        self.text = text
        self.first = first
        self.last = last


class LeadingWhitespace:
    """A continuation of nothing."""

    __slots__ = ("first", "text")

    def __init__(self, text: str, first: int) -> None:
        self.text = text
        self.first = first

    def warning(self, path: str) -> str:
        """The warning, in Postfix's words."""
        shown = self.text if len(self.text) <= 30 else f"{self.text[:30]}..."
        return f'{path}, line {self.first}: logical line must not start with whitespace: "{shown}"'


def logical_lines(content: str) -> "Iterator[LogicalLine | LeadingWhitespace]":
    """The logical lines of a file."""
    parts: list[str] = []
    first = last = 0
    for number, line in enumerate(content.split("\n"), start=1):
        if is_comment_or_empty(line):
            continue
        if is_continuation(line):
            if parts:
                parts.append(line)
                last = number
            else:
                yield LeadingWhitespace(line, number)
            continue
        if parts:
            yield LogicalLine("".join(parts), first, last)
        parts = [line]
        first = last = number
    if parts:
        yield LogicalLine("".join(parts), first, last)


def physical_lines(content: str) -> list[str]:
    """The lines of a file with their ends, for an editor; only LF ends a line."""
    lines = [f"{line}\n" for line in content.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def is_comment_or_empty(line: str) -> bool:
    """Whether a line says nothing; such a line does not end a continued one."""
    text = line.lstrip(BLANKS)
    return not text or text[0] == "#"


def is_continuation(line: str) -> bool:
    """Whether a line that says something belongs to the one before."""
    return line[:1] in _IN_A_LINE


def read_text(path: str) -> str:
    """The content of a configuration file.  OSError if it cannot be read."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()


def split_name_value(line: str) -> tuple[str, str]:
    """`name = value` taken apart.  ValueError with Postfix's words for what is wrong."""
    if not line.strip(BLANKS):
        raise ValueError('missing attribute name: ""')
    name, equals, value = line.strip(BLANKS).partition("=")
    name = name.strip(BLANKS)
    if not equals or any(blank in name for blank in BLANKS):
        # Postfix reads a name up to the first blank, then wants "=": `a b = c` has none where it belongs.
        raise ValueError(f"missing '=' after attribute name: \"{line}\"")
    if not name:
        raise ValueError(f'missing attribute name: "{line}"')
    return name, value.strip(BLANKS)
