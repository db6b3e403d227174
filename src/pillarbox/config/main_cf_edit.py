"""Edit main.cf as an admin would: values change in place, comments stay where they are.

DESCRIPTION
    `set_values` replaces every definition of a name (all but the last had no effect anyway) and adds names
    that are not there at the end.  `remove` and `comment_out` take definitions away, with their continuation
    lines; comments between these stay.

    Text in, text and warnings out; edit_file.py does the file.
"""

from collections import Counter
from collections.abc import Mapping, Set
from enum import Enum

from pillarbox.config.logical_lines import BLANKS, is_comment_or_empty, is_continuation, physical_lines


class Edit(Enum):
    """What becomes of a definition."""

    REMOVE = "remove"
    COMMENT_OUT = "comment out"


def set_values(content: str, values: Mapping[str, str], *, path: str) -> tuple[str, list[str]]:
    """The content with these values, and warnings."""
    lines = {name: f"{name} = {value}\n" for name, value in values.items()}
    edited, seen = _replace(content, lines)
    for name in values:
        if name not in seen:
            if edited and not edited.endswith("\n"):
                edited += "\n"
            edited += lines[name]
    return edited, _warnings(seen, path)


def take_away(content: str, names: Set[str], edit: Edit, *, path: str) -> tuple[str, list[str]]:
    """The content without the definitions of these names, or with them commented out, and warnings."""
    edited, seen = _replace(content, dict.fromkeys(names, edit))
    return edited, _warnings(seen, path)


def _replace(content: str, edits: Mapping[str, str | Edit]) -> tuple[str, Counter[str]]:
    """The content with each definition of a name in `edits` replaced, and how often each was found."""
    kept: list[str] = []
    seen: Counter[str] = Counter()
    edit: str | Edit | None = None
    for line in physical_lines(content):
        if is_comment_or_empty(line):
            kept.append(line)
            continue
        if not is_continuation(line):
            name = line.partition("=")[0].strip(BLANKS)
            edit = edits.get(name)
            if edit is not None:
                seen[name] += 1
            if isinstance(edit, str):
                kept.append(edit)
        if edit is None:
            kept.append(line)
        elif edit is Edit.COMMENT_OUT:
            kept.append(f"#{line}")
    return "".join(kept), seen


def _warnings(seen: Counter[str], path: str) -> list[str]:
    return [f'{path}: multiple entries for "{name}"' for name, count in seen.items() if count > 1]
