"""The rules of a pattern table: the lines of a file, or `{ {rule} {rule} }` in main.cf itself.

DESCRIPTION
    A rule is one logical line; its number is that of its first line.  In the inline form rules are numbered.

FAULTS
    OSError             the file cannot be read
    ConfigurationFault  bad syntax of the inline form

STANDARDS
    regexp_table(5), pcre_table(5), cidr_table(5): INLINE SPECIFICATION
"""

from collections.abc import Iterator

from pillarbox.config.logical_lines import BLANKS, LeadingWhitespace, logical_lines
from pillarbox.config.value_types import without_braces, words
from pillarbox.tables.table import Opening
from pillarbox.vocabulary.faults import ConfigurationFault


def rules_of(kind: str, name: str, opening: Opening) -> tuple[int, list[tuple[int, str]]]:
    """Whose file it is, and (line number, rule) of each rule, without blanks at its end."""
    if name.startswith("{"):
        return 0, list(_inline_rules(kind, name, opening))
    status = opening.file_system.stat(name)
    content = opening.file_system.read_file(name).decode("utf-8", "surrogateescape")
    return status.st_uid, list(lines_of(content, path=name, opening=opening))


def lines_of(content: str, *, path: str, opening: Opening) -> Iterator[tuple[int, str]]:
    """(number of the first line, text up to a NUL without blanks at its end) of each logical line."""
    for line in logical_lines(content):
        if isinstance(line, LeadingWhitespace):
            opening.warn(line.warning(path))
        else:
            yield line.first, line.text.partition("\0")[0].rstrip(BLANKS)


def _inline_rules(kind: str, name: str, opening: Opening) -> Iterator[tuple[int, str]]:
    mend = f'need "{kind}:{{ {{rule}} … }}"'
    try:
        rules = words(without_braces(name), separators=BLANKS + ",")
        for number, rule in enumerate(rules, start=1):
            if not rule.startswith("{"):
                raise ValueError(f"no '{{' at start of text in \"{rule}\"")
            text = without_braces(rule)
            if text[:1] != "#":  # a comment, as in a file
                yield number, text
    except ValueError as error:
        raise ConfigurationFault(opening.where, f"{kind} map: {error}", mend=mend) from error
