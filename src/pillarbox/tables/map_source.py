"""The text that postmap(1) and texthash: read: `key value`, a logical line each.

DESCRIPTION
    The key ends at the first blank outside double quotes; a backslash takes the next character with it.  Quotes
    and backslashes stay in the key: only those who ask know whether it is an address.

FAULTS
    warnings  lines that are left out, by number, in Postfix's words

STANDARDS
    postmap(1), TABLE FORMAT
"""

from collections.abc import Iterator

from pillarbox.config.logical_lines import BLANKS
from pillarbox.tables.pattern_sources import lines_of
from pillarbox.tables.table import Opening
from pillarbox.vocabulary.utf8 import is_utf8


def map_entries(
    content: str, *, path: str, opening: Opening, after_bad_line: str = ""
) -> Iterator[tuple[int, str, str]]:
    """(line number, key, value) of each line; `after_bad_line` ends the warning of one without a value."""
    for number, line in lines_of(content, path=path, opening=opening):
        where = f"{path}, line {number}"
        if opening.utf8 and not is_utf8(line):
            opening.warn(f'{where}: non-UTF-8 input "{line}" -- ignoring this line')
            continue
        end = _end_of_key(line)
        if end < 0:
            opening.warn(f"{where}: unbalanced '\"' in '{line}' -- ignoring this line")
            continue
        key, value = line[:end], line[end:].strip(BLANKS)
        if not value:
            opening.warn(f"{where}: expected format: key whitespace value{after_bad_line}")
            continue
        if key.endswith(":"):
            opening.warn(f'{where}: record is in "key: value" format; is this an alias file?')
        yield number, key, value


def _end_of_key(line: str) -> int:
    """The place of the first blank that is not quoted; -1 if a quote does not end."""
    quoted = False
    position = 0
    while position < len(line):
        character = line[position]
        if character == "\\":
            position += 1
        elif character == '"':
            quoted = not quoted
        elif character in BLANKS and not quoted:
            break
        position += 1
    return -1 if quoted else min(position, len(line))


def split_at_blank(line: str) -> tuple[str, str]:
    """The first word, and the rest without blanks around it."""
    for position, character in enumerate(line):
        if character in BLANKS:
            return line[:position], line[position:].strip(BLANKS)
    return line, ""
