"""Edit master.cf: whole entries, fields, and the settings of a service.

DESCRIPTION
    Entries are found by name and type, and an entry that is changed is written in columns with one option per
    line.  Comments stay where they are; those in the middle of a changed entry come after it.

    Text in, text out; edit_file.py does the file.

FAULTS
    ConfigurationFault  an entry that is changed has bad fields.
"""

from collections.abc import Callable

from pillarbox.config.logical_lines import is_comment_or_empty, is_continuation, physical_lines
from pillarbox.config.master_cf_text import Entry, parse_entry
from pillarbox.config.value_types import words

Change = Callable[[str, int], str]
"""From the lines of a matching entry, joined, and how many came before it, to what stands in their place."""


def change_entries(content: str, matches: Callable[[str, str], bool], change: Change) -> tuple[str, int]:
    """The content with each matching entry changed, and how many matched."""
    kept: list[str] = []
    count = 0
    lines = physical_lines(content)
    position = 0
    while position < len(lines):
        line = lines[position]
        if is_comment_or_empty(line) or is_continuation(line) or not matches(*_key(line)):
            kept.append(line)
            position += 1
            continue
        own, comments, position = _entry_lines(lines, position)
        kept.append(change("".join(own), count))
        kept += comments
        count += 1
    return "".join(kept), count


def set_entry(content: str, key: tuple[str, str], entry: Entry) -> str:
    """The content with this entry in place of the first of its name and type, or at the end."""
    text = entry.text(fold=True) + "\n"
    edited, count = change_entries(
        content, lambda *found: found == key, lambda _lines, before: "" if before else text
    )
    if count:
        return edited
    return edited + ("" if edited.endswith("\n") or not edited else "\n") + text


def remove_entries(content: str, matches: Callable[[str, str], bool]) -> str:
    """The content without the matching entries."""
    return change_entries(content, matches, lambda _lines, _before: "")[0]


def comment_out_entries(content: str, matches: Callable[[str, str], bool]) -> str:
    """The content with the matching entries made comments."""
    return change_entries(
        content, matches, lambda lines, _before: "".join(f"#{line}" for line in physical_lines(lines))
    )[0]


def rewrite_entries(
    content: str, matches: Callable[[str, str], bool], rewrite: Callable[[Entry], Entry]
) -> tuple[str, int]:
    """The content with the matching entries rewritten, and how many there were."""
    return change_entries(
        content,
        matches,
        lambda lines, _before: rewrite(parse_entry(lines.replace("\n", " "))).text(fold=True) + "\n",
    )


def _key(line: str) -> tuple[str, str]:
    name, kind, *_ = (*words(line, limit=3), "", "")
    return name, kind


def _entry_lines(lines: list[str], start: int) -> tuple[list[str], list[str], int]:
    """The lines of the entry that begins at `start`, the comments between them, and where the next begins.

    Comments after the entry's last line are not among them.
    """
    own = [lines[start]]
    comments: list[str] = []
    waiting: list[str] = []
    end = start + 1
    for position in range(start + 1, len(lines)):
        line = lines[position]
        if is_comment_or_empty(line):
            waiting.append(line)
        elif is_continuation(line):
            own.append(line)
            comments += waiting
            waiting = []
            end = position + 1
        else:
            break
    return own, comments, end
